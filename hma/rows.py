"""Points and their per-item results as rows of a store's tables."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from hma.core.point import Point, Score
from hma.core.recipe import Recipe
from hma.core.statistics import Result
from hma.core.study import Study
from hma.errors import StoreError

_AT_ONCE = 500
"""Keys that one question names: SQLite takes 999 in every version."""


@dataclass(frozen=True)
class Measurement:
    """What a worker brings back: a recipe's per-item results, and how they were got.

    ``start`` is how many items the point had before, which are not among ``results``. ``note`` is for whoever waits for it,
    and not stored.
    """

    recipe: Recipe
    results: Mapping[str, Result]
    method: str = "single"
    device: str = ""
    elapsed_seconds: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)
    measured_at: str = ""
    effective_alphas: tuple[float, ...] = ()
    start: int = 0
    note: str = ""

    @property
    def num_items(self) -> int:
        """How many items the point has with these."""
        return self.start + len(next(iter(self.results.values())).ids)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def copy_points(connection: sqlite3.Connection) -> int:
    """Copy the points of the attached store that are missing here, or shorter; returns how many."""
    connection.execute(
        "INSERT INTO studies SELECT * FROM other.studies WHERE true ON CONFLICT DO UPDATE SET study = excluded.study "
        "WHERE json_extract(study, '$.num_items') < json_extract(excluded.study, '$.num_items')"
    )
    connection.execute("INSERT OR IGNORE INTO item_sets SELECT * FROM other.item_sets")
    connection.execute(
        "DELETE FROM points WHERE EXISTS "
        "(SELECT 1 FROM other.points o WHERE o.key = points.key AND o.num_items > points.num_items)"
    )
    connection.execute("INSERT OR IGNORE INTO kept SELECT * FROM other.kept")
    before = connection.total_changes
    connection.execute("INSERT OR IGNORE INTO points SELECT * FROM other.points")
    added = connection.total_changes - before
    connection.execute("INSERT OR IGNORE INTO results SELECT * FROM other.results")
    return added


def insert_point(connection: sqlite3.Connection, key: str, study: Study, measurement: Measurement) -> None:
    effective = json.dumps(measurement.effective_alphas) if measurement.effective_alphas else None
    connection.execute(
        "INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            study.key,
            json.dumps(measurement.recipe.to_dict()),
            measurement.method,
            measurement.device,
            measurement.measured_at or now(),
            measurement.elapsed_seconds,
            json.dumps(dict(measurement.timings)),
            effective,
            measurement.num_items,
        ),
    )
    for name, result in measurement.results.items():
        _write_result(connection, key, name, result)


def check_items(connection: sqlite3.Connection, study: Study, measurement: Measurement) -> None:
    """Raise StoreError when a measurement's items are not those, in their order, of the study's other points.

    A study's key stands for its data as far as files show them; a data set on a hub may change where none does.
    """
    longest = "SELECT key FROM points WHERE study = ? ORDER BY num_items DESC LIMIT 1"
    row = connection.execute(longest, (study.key,)).fetchone()
    if row is None:
        return
    for name, item_set in connection.execute("SELECT name, item_set FROM results WHERE point = ?", row):
        _, ids, hashes = _read_item_set(connection, item_set)
        result = measurement.results.get(name)
        place = slice(measurement.start, measurement.num_items)
        names = [(ids, result.ids), *([(hashes, result.hashes)] if hashes and result.hashes else [])] if result else []
        for known, new in names:
            both = min(len(known[place]), len(new))
            if known[place][:both] != new[:both]:
                raise StoreError(
                    f"The items of {name} are not those that the other points of this study were measured on, so that the "
                    "point was not stored beside them: the data have changed where no file shows it. Measure into another store."
                )


def extend_point(connection: sqlite3.Connection, key: str, had: int, measurement: Measurement) -> None:
    """Add the items that follow the first ``had``, and the seconds that they took."""
    before = read_results(connection, [key])[key]
    for name, result in measurement.results.items():
        _write_result(connection, key, name, before[name] + result.part(had - measurement.start))
    (text,) = connection.execute("SELECT timings FROM points WHERE key = ?", (key,)).fetchone()
    timings = json.loads(text)
    timings |= {stage: timings.get(stage, 0.0) + seconds for stage, seconds in measurement.timings.items()}
    connection.execute(
        "UPDATE points SET num_items = ?, elapsed_seconds = elapsed_seconds + ?, timings = ?, measured_at = ? WHERE key = ?",
        (measurement.num_items, measurement.elapsed_seconds, json.dumps(timings), measurement.measured_at or now(), key),
    )


def _write_result(connection: sqlite3.Connection, key: str, name: str, result: Result) -> None:
    ids, hashes = (zlib.compress(json.dumps(names).encode()) for names in (result.ids, result.hashes))
    connection.execute("INSERT OR IGNORE INTO item_sets VALUES (?, ?, ?)", (result.item_set, ids, hashes))
    outputs = None if result.outputs is None else zlib.compress(json.dumps(result.outputs).encode(), 9)
    items = zlib.compress(result.items.astype("<f8").tobytes(), 9)
    row = (key, name, result.aggregation, result.item_set, items, outputs)
    connection.execute(
        "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET item_set = excluded.item_set, items = excluded.items, outputs = excluded.outputs",
        row,
    )


def read_points(connection: sqlite3.Connection, scored: Mapping[str, tuple[Mapping[str, Score], Score]]) -> dict[str, Point]:
    """The points of these keys, each with the scores and the mean ability that were derived from its results."""
    read = "key, recipe, method, device, measured_at, elapsed_seconds, timings, effective_alphas"
    found = {}
    for keys in _batches([*scored]):
        asked = f"SELECT {read} FROM points WHERE key IN ({','.join('?' * len(keys))})"
        for key, recipe, method, device, measured_at, seconds, timings, effective in connection.execute(asked, keys):
            found[key] = Point(
                key,
                Recipe.from_dict(json.loads(recipe)),
                *scored[key],
                method=method,
                measured_at=measured_at,
                elapsed_seconds=seconds,
                device=device,
                timings=json.loads(timings),
                effective_alphas=tuple(json.loads(effective)) if effective else (),
            )
    return found


def _batches(keys: list[str]) -> Iterator[list[str]]:
    """The keys, as many at a time as one question may name."""
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def read_results(
    connection: sqlite3.Connection, points: list[str], num_items: int | None = None, outputs: bool = True
) -> dict[str, dict[str, Result]]:
    """The first ``num_items`` per-item results by point and name; for an unknown point none.

    Without ``outputs`` the texts are left where they are.
    """
    found: dict[str, dict[str, Result]] = {point: {} for point in points}
    item_sets: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {}
    texts = "outputs" if outputs else "NULL"
    for keys in _batches(points):
        rows = connection.execute(
            f"SELECT point, name, aggregation, item_set, items, {texts} FROM results "
            f"WHERE point IN ({','.join('?' * len(keys))}) ORDER BY rowid",
            keys,
        )
        for point, name, aggregation, item_set, items, said in rows:
            if item_set not in item_sets:
                count, *names = _read_item_set(connection, item_set)
                item_sets[item_set] = count, *(some[:num_items] for some in names)
            count, ids, hashes = item_sets[item_set]
            values = np.frombuffer(zlib.decompress(items), dtype="<f8").reshape(count, -1)[:num_items]
            written = None if said is None else tuple(json.loads(zlib.decompress(said))[:num_items])
            found[point][name] = Result(aggregation, values, ids, written, hashes)
    return found


def _read_item_set(connection: sqlite3.Connection, key: str) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """How many items a set has, their ids, and their hashes; none where they were not recorded."""
    row = connection.execute("SELECT ids, hashes FROM item_sets WHERE key = ?", (key,)).fetchone()
    ids, hashes = (() if packed is None else tuple(json.loads(zlib.decompress(packed))) for packed in row)
    return len(ids), ids, hashes
