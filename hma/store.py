"""The store: one SQLite file of studies and finished points, and the only channel from the device to the screen."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hma.core.point import Point, scores_of
from hma.core.recipe import Recipe, digest
from hma.core.statistics import Result
from hma.core.study import Study
from hma.errors import StoreError

VERSION = 2
"""``PRAGMA user_version`` of the files that this code writes."""

_TABLES = """
CREATE TABLE studies (
    key TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    added_at TEXT NOT NULL
) STRICT;
CREATE TABLE item_sets (
    key TEXT PRIMARY KEY,
    ids BLOB NOT NULL
) STRICT;
CREATE TABLE points (
    key TEXT PRIMARY KEY,
    study TEXT NOT NULL REFERENCES studies (key),
    recipe TEXT NOT NULL,
    method TEXT NOT NULL,
    device TEXT NOT NULL,
    measured_at TEXT NOT NULL,
    elapsed_seconds REAL NOT NULL,
    timings TEXT NOT NULL,
    effective_alphas TEXT
) STRICT;
CREATE INDEX points_by_study ON points (study);
CREATE TABLE results (
    point TEXT NOT NULL REFERENCES points (key) ON DELETE CASCADE,
    name TEXT NOT NULL,
    aggregation TEXT NOT NULL,
    item_set TEXT NOT NULL REFERENCES item_sets (key),
    items BLOB NOT NULL,
    outputs BLOB,
    PRIMARY KEY (point, name)
) STRICT;
"""

_PATIENCE = 30
"""Seconds that another process is waited for."""

_COLUMNS = "recipe, method, device, measured_at, elapsed_seconds, timings, effective_alphas"


@dataclass(frozen=True)
class Measurement:
    """What a worker brings back: a recipe's per-item results, and how they were got."""

    recipe: Recipe
    results: Mapping[str, Result]
    method: str = "single"
    device: str = ""
    elapsed_seconds: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)
    measured_at: str = ""
    effective_alphas: tuple[float, ...] = ()


class Store:
    """Studies and points in one SQLite file (WAL). Safe to use from many threads and processes.

    A point is written in one transaction, so that it is there whole or not at all. Scores are derived
    from the stored per-item results when they are read, and kept in memory, since points never change.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens the file, or makes it. Raises StoreError when it cannot be used."""
        self.path = Path(path).expanduser().resolve()
        self._points: dict[str, Point] = {}
        self._lock = threading.Lock()
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder. Name a file in it, such as {self.path / 'points.sqlite'}.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder of {self.path} cannot be made: {error.strerror}. Choose another store.") from None
        with self._connection() as connection:
            # Looked at first: a file that is not ours to write stays as it is, byte for byte.
            version = self._checked_version(connection)
            _write_ahead(connection)
            if version < VERSION:
                connection.execute("BEGIN IMMEDIATE")
                self._migrate(connection)

    def add(self, study: Study, measurement: Measurement) -> Point:
        """Store a finished measurement and return its point; a point already there stays as it is."""
        key = study.point_key(measurement.recipe)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._connection(write=True) as connection:
            connection.execute("INSERT OR IGNORE INTO studies VALUES (?, ?, ?)", (study.key, json.dumps(study.to_dict()), now))
            added = connection.execute(
                "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    study.key,
                    json.dumps(measurement.recipe.to_dict()),
                    measurement.method,
                    measurement.device,
                    measurement.measured_at or now,
                    measurement.elapsed_seconds,
                    json.dumps(dict(measurement.timings)),
                    json.dumps(measurement.effective_alphas) if measurement.effective_alphas else None,
                ),
            )
            if added.rowcount:
                for name, result in measurement.results.items():
                    _insert_result(connection, key, name, result)
        point = self.point(key)
        assert point is not None
        return point

    def studies(self) -> list[Study]:
        """Every study with at least one point, newest first."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT study FROM studies WHERE key IN (SELECT study FROM points) ORDER BY added_at DESC, key"
            )
            return [Study.from_dict(json.loads(text)) for (text,) in rows]

    def points(self, study: Study) -> list[Point]:
        """Every finished point of a study, oldest first."""
        with self._connection() as connection:
            keys = [k for (k,) in connection.execute("SELECT key FROM points WHERE study = ? ORDER BY rowid", (study.key,))]
            return self._load(connection, study, keys)

    def point(self, key: str) -> Point | None:
        """One point by its key, or None."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT s.study FROM points p JOIN studies s ON s.key = p.study WHERE p.key = ?", (key,)
            ).fetchone()
            return None if row is None else self._load(connection, Study.from_dict(json.loads(row[0])), [key])[0]

    def results(self, key: str) -> dict[str, Result]:
        """A point's per-item results by name, with outputs; empty for an unknown key."""
        with self._connection() as connection:
            return _read_results(connection, [key])[key]

    def revision(self, study: Study) -> int:
        """A number that changes whenever the study gains a point; cheap enough to poll."""
        with self._connection() as connection:
            (count,) = connection.execute("SELECT count(*) FROM points WHERE study = ?", (study.key,)).fetchone()
            return int(count)

    def take_in(self, other: str | Path) -> int:
        """Copy every point of another store that is missing here; returns how many.

        The other file is only read, and need not be writable.
        """
        other = Path(other).resolve()
        try:
            with self._connection(write=True, attach=other) as connection:
                (version,) = connection.execute("PRAGMA other.user_version").fetchone()
                _check_version(version, other)
                if version == 0:
                    return 0
                columns = "*" if version >= 2 else "*, NULL"
                connection.execute("INSERT OR IGNORE INTO studies SELECT * FROM other.studies")
                connection.execute("INSERT OR IGNORE INTO item_sets SELECT * FROM other.item_sets")
                before = connection.total_changes
                connection.execute(f"INSERT OR IGNORE INTO points SELECT {columns} FROM other.points")
                added = connection.total_changes - before
                connection.execute("INSERT OR IGNORE INTO results SELECT * FROM other.results")
                return added
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.DatabaseError) and "not a database" in str(error.__cause__):
                raise StoreError(f"{other} is not a store of points, so none can be taken in from it.") from None
            raise

    def compact(self) -> None:
        """Make the file fit to be copied or shipped alone: without a write-ahead log, and without this machine's folders.

        Of a folder that a study names, only the last part stays; its key never hung on it.
        """
        with self._connection(write=True) as connection:
            for key, text in connection.execute("SELECT key, study FROM studies").fetchall():
                study = Study.from_dict(json.loads(text))
                places = {name: _last_part(getattr(study, name)) for name in ("reference", "policy", "suite_path")}
                connection.execute("UPDATE studies SET study = ? WHERE key = ?", (json.dumps(study.to_dict() | places), key))
        with self._connection() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")

    def _load(self, connection: sqlite3.Connection, study: Study, keys: list[str]) -> list[Point]:
        """The points of these keys, in this order. Those read for the first time are scored together."""
        with self._lock:
            missing = [key for key in keys if key not in self._points]
        results = _read_results(connection, missing, outputs=False)
        for key, (scores, ability) in zip(missing, scores_of([results[k] for k in missing], study.groups), strict=True):
            row = connection.execute(f"SELECT {_COLUMNS} FROM points WHERE key = ?", (key,)).fetchone()
            recipe, timings = Recipe.from_dict(json.loads(row[0])), json.loads(row[5])
            effective = tuple(json.loads(row[6])) if row[6] else ()
            point = Point(key, recipe, scores, ability, row[1], row[3], row[4], row[2], timings, effective)
            with self._lock:
                self._points[key] = point
        with self._lock:
            return [self._points[key] for key in keys]

    @contextlib.contextmanager
    def _connection(self, *, write: bool = False, attach: Path | None = None) -> Iterator[sqlite3.Connection]:
        """One connection and, for writing, one transaction; sqlite's errors become StoreError."""
        try:
            with contextlib.closing(
                sqlite3.connect(self.path.as_uri(), uri=True, timeout=_PATIENCE, isolation_level=None)
            ) as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                if attach is not None:
                    connection.execute("ATTACH ? AS other", (f"{attach.as_uri()}?immutable=1",))
                if write:
                    connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(self._explained(error)) from error

    def _explained(self, error: sqlite3.Error) -> str:
        reason = str(error)
        if "full" in reason or "disk I/O" in reason:
            return (
                f"The disk that holds {self.path} is full ({reason}). The point in hand was not stored; every finished "
                "point is safe. Free some space and measure again."
            )
        if "not a database" in reason or "malformed" in reason:
            return f"{self.path} is not a store of points ({reason}). Choose another file with --store."
        if "locked" in reason:
            return f"{self.path} has been held by another process for {_PATIENCE} seconds ({reason}). Close it and try again."
        return (
            f"{self.path} cannot be used ({reason}). Check that the file and its folder can be written, "
            "or choose another with --store."
        )

    def _checked_version(self, connection: sqlite3.Connection) -> int:
        """The file's version. Raises StoreError for a newer one, and for a file of another program."""
        connection.execute("BEGIN")  # Another process may be making it: both are read as of one moment.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("COMMIT")
        _check_version(version, self.path)
        if version == 0 and tables:
            raise StoreError(f"{self.path} is an SQLite file of another program. Choose another file with --store.")
        return version

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring the file to ``VERSION``, within one transaction; another process may have done it just before."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < VERSION:
            steps = _TABLES.split(";") if version == 0 else ["ALTER TABLE points ADD COLUMN effective_alphas TEXT"]
            for statement in filter(str.strip, steps):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")


def _last_part(place: str) -> str:
    """A folder's own name; a hub id as it is."""
    return Path(place).name if Path(place).is_absolute() else place


def _check_version(version: int, path: Path) -> None:
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer version of this program (store version {version}, this one reads up to "
            f"{VERSION}). Update the program, or choose another file with --store."
        )


def _insert_result(connection: sqlite3.Connection, key: str, name: str, result: Result) -> None:
    ids = json.dumps(result.ids)
    item_set = digest(list(result.ids))
    connection.execute("INSERT OR IGNORE INTO item_sets VALUES (?, ?)", (item_set, zlib.compress(ids.encode())))
    outputs = None if result.outputs is None else zlib.compress(json.dumps(result.outputs).encode(), 9)
    items = zlib.compress(result.items.astype("<f8").tobytes(), 9)
    connection.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?)", (key, name, result.aggregation, item_set, items, outputs))


def _read_results(connection: sqlite3.Connection, points: list[str], outputs: bool = True) -> dict[str, dict[str, Result]]:
    """Per-item results by point and name; for an unknown point none. Without ``outputs`` the texts are left where they are."""
    found: dict[str, dict[str, Result]] = {point: {} for point in points}
    item_sets: dict[str, tuple[str, ...]] = {}
    texts = "outputs" if outputs else "NULL"
    for point in points:
        rows = connection.execute(
            f"SELECT name, aggregation, item_set, items, {texts} FROM results WHERE point = ? ORDER BY rowid", (point,)
        )
        for name, aggregation, item_set, items, said in rows:
            if item_set not in item_sets:
                (ids,) = connection.execute("SELECT ids FROM item_sets WHERE key = ?", (item_set,)).fetchone()
                item_sets[item_set] = tuple(json.loads(zlib.decompress(ids)))
            names = item_sets[item_set]
            values = np.frombuffer(zlib.decompress(items), dtype="<f8").reshape(len(names), -1)
            written = None if said is None else tuple(json.loads(zlib.decompress(said)))
            found[point][name] = Result(aggregation, values, names, written)
    return found


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Put a new file into WAL mode: SQLite itself does not wait while another process is at the same."""
    deadline = time.monotonic() + _PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
