"""The store: one SQLite file of studies and finished points, and the only channel from the device to the screen."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import tempfile
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hma import rows, schema
from hma.core.point import REWARD, Point, scores_of
from hma.core.statistics import Result
from hma.core.study import Study
from hma.errors import StoreError
from hma.rows import Measurement

__all__ = ["Measurement", "Store"]


class Store:
    """Studies and points in one SQLite file (WAL). Safe to use from many threads and processes.

    A point is written in one transaction, so that it is there whole or not at all. It may be extended: items are added,
    none is ever changed. Scores are derived from the stored per-item results when they are read, of the first
    ``num_items`` items that a study asks for, and kept in memory.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens the file, or makes it. Raises StoreError when it cannot be used."""
        self.path = Path(path).expanduser().resolve()
        self._points: dict[tuple[str, int], Point] = {}
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        """Where the file is a copy that goes with this store."""
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder. Name a file in it, such as {self.path / 'points.sqlite'}.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder of {self.path} cannot be made: {error.strerror}. Choose another store.") from None
        with self._connection() as connection:
            # Looked at first: a file that is not ours to write stays as it is, byte for byte.
            version = self._checked_version(connection)
            schema.write_ahead(connection)
            if version < schema.VERSION:
                connection.execute("BEGIN IMMEDIATE")
                schema.migrate(connection)

    @classmethod
    def to_read(cls, path: str | Path) -> Store:
        """The store in a file that is to be read only. The file stays as it is, byte for byte.

        One of an older version, or one that was made fit to be shipped, is read in a copy, which lasts as long as this store.
        """
        path = Path(path).expanduser().resolve()
        if not _would_change(path):
            return cls(path)
        folder = tempfile.TemporaryDirectory()
        copy = Path(folder.name) / path.name
        try:
            with contextlib.closing(_reading(path)) as theirs, contextlib.closing(sqlite3.connect(copy)) as ours:
                theirs.backup(ours)
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be copied to {folder.name}, to be read there ({error}). Free some space.") from error
        store = cls(copy)
        store._folder = folder
        return store

    def add(self, study: Study, measurement: Measurement) -> Point:
        """Store a finished measurement and return its point. Of a point already there only further items are added.

        Raises StoreError when its items are not those of the study's other points.
        """
        key = study.point_key(measurement.recipe)
        with self._connection(write=True) as connection:
            connection.execute(
                "INSERT INTO studies VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET study = excluded.study "
                "WHERE json_extract(study, '$.num_items') < json_extract(excluded.study, '$.num_items')",
                (study.key, json.dumps(study.to_dict()), rows.now()),
            )
            row = connection.execute("SELECT num_items FROM points WHERE key = ?", (key,)).fetchone()
            had = row[0] if row else 0
            if measurement.start > had:
                raise ValueError(f"a measurement from item {measurement.start} on does not follow the {had} that {key} has")
            rows.check_items(connection, study, measurement)
            if row is None:
                rows.insert_point(connection, key, study, measurement)
            elif had < measurement.num_items:
                rows.extend_point(connection, key, had, measurement)
        point = self.point(key)
        assert point is not None
        return point

    def studies(self) -> list[Study]:
        """Every study with at least one point, newest first."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT study FROM studies WHERE key IN (SELECT study FROM points) ORDER BY added_at DESC, key"
            )
            return [Study.from_dict(json.loads(text)) for (text,) in found]

    def study_of(self, key: str) -> Study | None:
        """The study that a point belongs to, as it was when it was last measured into; None for an unknown key."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT s.study FROM points p JOIN studies s ON s.key = p.study WHERE p.key = ?", (key,)
            ).fetchone()
            return Study.from_dict(json.loads(found[0])) if found else None

    def points(self, study: Study) -> list[Point]:
        """Every point of a study that has its number of items, by the first so many of them; oldest first."""
        with self._connection() as connection:
            wanted = "SELECT key FROM points WHERE study = ? AND num_items >= ? ORDER BY rowid"
            keys = [key for (key,) in connection.execute(wanted, (study.key, study.num_items))]
            return self._load(connection, study, keys, study.num_items)

    def point(self, key: str, num_items: int | None = None) -> Point | None:
        """One point by its key and its first ``num_items`` items, all by default; None for one that has not as many."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT s.study, p.num_items FROM points p JOIN studies s ON s.key = p.study WHERE p.key = ?", (key,)
            ).fetchone()
            if row is None or (num_items or 0) > row[1]:
                return None
            return self._load(connection, Study.from_dict(json.loads(row[0])), [key], num_items or row[1])[0]

    def results(self, key: str, num_items: int | None = None, outputs: bool = True) -> dict[str, Result]:
        """A point's per-item results by name, of its first ``num_items`` items; empty for an unknown key.

        Without ``outputs`` the texts are left where they are.
        """
        with self._connection() as connection:
            return rows.read_results(connection, [key], num_items, outputs)[key]

    def answered(self, study: Study) -> frozenset[str]:
        """The keys of the study's points whose answers to the chat prompts were kept."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT point FROM results JOIN points ON key = point "
                "WHERE study = ? AND num_items >= ? AND name = ? AND outputs IS NOT NULL",
                (study.key, study.num_items, REWARD),
            )
            return frozenset(key for (key,) in found)

    def begun(self, key: str) -> dict[str, tuple[int, str]]:
        """How many items of each metric a point has, and the name of that item set; empty for one that was not measured."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT name, num_items, item_set FROM results JOIN points ON key = point WHERE point = ?", (key,)
            )
            return {name: (count, items) for name, count, items in found}

    def revision(self, study: Study) -> int:
        """A number that changes whenever the study gains a point; cheap enough to poll."""
        with self._connection() as connection:
            counted = "SELECT count(*) FROM points WHERE study = ? AND num_items >= ?"
            (count,) = connection.execute(counted, (study.key, study.num_items)).fetchone()
            return int(count)

    def num_shorter(self, study: Study) -> int:
        """How many points of the study have fewer items than it asks for: they wait to be extended."""
        with self._connection() as connection:
            counted = "SELECT count(*) FROM points WHERE study = ? AND num_items < ?"
            (count,) = connection.execute(counted, (study.key, study.num_items)).fetchone()
            return int(count)

    def num_items(self, study: Study) -> dict[str, int]:
        """How many items each of the study's points was measured on, by key: as many as a larger size asks for, or fewer."""
        with self._connection() as connection:
            return dict(connection.execute("SELECT key, num_items FROM points WHERE study = ?", (study.key,)))

    def keep(self, kind: str, key: str, value: Any) -> None:
        """Keep a JSON value that was computed on the way to points: the texts and steps of fits. A newer one takes its place."""
        packed = zlib.compress(json.dumps(value).encode(), 9)
        with self._connection(write=True) as connection:
            connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", (key, kind, packed, rows.now()))

    def kept(self, keys: Iterable[str]) -> dict[str, Any]:
        """What is kept under these keys; keys of nothing are left out."""
        with self._connection() as connection:
            found = {k: connection.execute("SELECT value FROM kept WHERE key = ?", (k,)).fetchone() for k in keys}
        return {key: json.loads(zlib.decompress(row[0])) for key, row in found.items() if row}

    def take_in(self, other: str | Path) -> int:
        """Copy every point of another store that is missing here, or has fewer items here; returns how many.

        The other file is only read, and need not be writable.
        """
        other = Path(other).resolve()
        try:
            with self._lock:
                self._points.clear()
            with self._connection(write=True, attach=other) as connection:
                (version,) = connection.execute("PRAGMA other.user_version").fetchone()
                schema.check_version(version, other)
                if version == schema.VERSION:
                    return rows.copy_points(connection)
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.DatabaseError) and "not a database" in str(error.__cause__):
                raise StoreError(f"{other} is not a store of points, so none can be taken in from it.") from None
            raise
        if version == 0:
            return 0
        with tempfile.TemporaryDirectory() as folder:
            migrated = Path(folder) / other.name
            shutil.copyfile(other, migrated)
            Store(migrated).compact()
            return self.take_in(migrated)

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

    def _load(self, connection: sqlite3.Connection, study: Study, keys: list[str], num_items: int) -> list[Point]:
        """The points of these keys, in this order, by so many items. Those read for the first time are scored together."""
        with self._lock:
            missing = [key for key in keys if (key, num_items) not in self._points]
        results = rows.read_results(connection, missing, num_items, outputs=False)
        scored = scores_of([results[k] for k in missing], study.groups, study.shares)
        found = rows.read_points(connection, dict(zip(missing, scored, strict=True)))
        with self._lock:
            self._points |= {(key, num_items): point for key, point in found.items()}
            return [self._points[key, num_items] for key in keys]

    @contextlib.contextmanager
    def _connection(self, *, write: bool = False, attach: Path | None = None) -> Iterator[sqlite3.Connection]:
        """One connection and, for writing, one transaction; sqlite's errors become StoreError."""
        try:
            with contextlib.closing(
                sqlite3.connect(self.path.as_uri(), uri=True, timeout=schema.PATIENCE, isolation_level=None)
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
            return (
                f"{self.path} has been held by another process for {schema.PATIENCE} seconds ({reason}). Close it and try again."
            )
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
        schema.check_version(version, self.path)
        if version == 0 and tables:
            raise StoreError(f"{self.path} is an SQLite file of another program. Choose another file with --store.")
        return version


def _last_part(place: str) -> str:
    """A folder's own name; a hub id as it is."""
    return Path(place).name if Path(place).is_absolute() else place


def _would_change(path: Path) -> bool:
    """Whether opening a file as a ``Store`` would write to it, though it is one: it is older, or keeps no write-ahead log."""
    try:
        with path.open("rb") as stream:
            is_live = stream.read(20)[18:] == b"\2\2"  # SQLite's mark of such a log.
        with contextlib.closing(_reading(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except (OSError, sqlite3.Error):
        return False  # Opening it says what is wrong.
    return 0 < version < schema.VERSION or (version == schema.VERSION and not is_live)


def _reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads a file, and the write-ahead log beside it where there is one."""
    has_log = path.with_name(f"{path.name}-wal").exists()
    return sqlite3.connect(f"{path.as_uri()}?{'mode=ro' if has_log else 'immutable=1'}", uri=True, timeout=schema.PATIENCE)
