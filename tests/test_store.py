"""Points are whole or not there, survive anything, and only ever gain items."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.core.statistics import Result
from hma.core.study import Axis, Study
from hma.errors import StoreError
from hma.schema import VERSION
from hma.store import Measurement, Store

ABILITIES = (Axis("choice", "Choice", "%", "choice"), Axis("translate", "Translate", "BLEU", "translate"))
STUDY = Study("t", "a", "b", "p", "s.json", "s", "validation", "quick", 5, 6, Axis("reward", "Reward", "points"), ABILITIES)


def measurement(alpha=0.2, seed=0, num_items=5):
    draw = np.random.default_rng(seed)
    ids = tuple(f"item-{i}" for i in range(num_items))
    texts = tuple(f"answer {i} é <b>" for i in range(num_items))
    bleu = np.concatenate([draw.integers(1, 4, (num_items, 4)), np.full((num_items, 4), 5), np.full((num_items, 2), 6)], axis=1)
    results = {
        "reward": Result("mean", draw.normal(size=(num_items, 1)), ids, texts),
        "choice": Result("mean", 100.0 * draw.integers(0, 2, (num_items, 1)), ids),
        "translate": Result("bleu", bleu, ids, texts),
    }
    return Measurement(Recipe(Partition.equal(6), (alpha,) * 3), results, "sweep", "CPU", 1.5, {"merge": 0.1})


def test_a_point_comes_back_with_every_item(tmp_path):
    store, taken = Store(tmp_path / "points.sqlite"), measurement()
    point = store.add(STUDY, taken)
    again = Store(tmp_path / "points.sqlite")
    assert again.point(point.key) == point
    assert again.points(STUDY) == [point]
    assert again.studies() == [STUDY]
    for name, result in again.results(point.key).items():
        np.testing.assert_array_equal(result.items, taken.results[name].items)
        assert (result.ids, result.outputs, result.aggregation) == (
            taken.results[name].ids,
            taken.results[name].outputs,
            taken.results[name].aggregation,
        )


def test_a_win_rate_of_ten_out_of_ten_is_not_certain(tmp_path):
    taken = measurement(num_items=10)
    results = {**taken.results, "reward": replace(taken.results["reward"], items=np.full((10, 1), 100.0))}
    for unit, low in (("% wins", 72.2), ("points", 100.0)):
        study = replace(STUDY, suite=unit, num_items=10, reward=Axis("reward", "Reward", unit))
        reward = Store(tmp_path / "points.sqlite").add(study, replace(taken, results=results)).reward
        assert (reward.value, reward.low, reward.high) == (100, pytest.approx(low, abs=0.1), 100)


def test_a_point_is_never_changed_by_a_second_measurement(tmp_path):
    store = Store(tmp_path / "points.sqlite")
    first = store.add(STUDY, measurement(seed=0))
    assert store.add(STUDY, measurement(seed=1)) == first
    assert store.revision(STUDY) == 1


def part(taken, start, end=None):
    results = {name: result.part(start, end) for name, result in taken.results.items()}
    return replace(taken, results=results, start=start)


LARGE = replace(STUDY, size="full", num_items=12)


def test_a_point_is_extended_and_no_item_measured_twice(tmp_path):
    store, whole = Store(tmp_path / "points.sqlite"), measurement(num_items=12)
    quick = store.add(STUDY, part(whole, 0, 5))
    assert store.points(LARGE) == [] and store.num_shorter(LARGE) == 1
    assert store.begun(quick.key) == {n: (5, r.part(0, 5).item_set) for n, r in whole.results.items()}
    store.add(LARGE, part(whole, 5))
    (full,) = store.points(LARGE)
    assert full.key == quick.key
    assert full.elapsed_seconds == 2 * quick.elapsed_seconds and full.timings == {"merge": 0.2}
    assert store.num_shorter(LARGE) == 0
    at_once = Store(tmp_path / "other.sqlite").add(LARGE, whole)
    assert full.scores == at_once.scores and full.ability == at_once.ability
    for reader in (store, Store(store.path)):
        (seen,) = reader.points(STUDY)  # What quick shows has not moved.
        assert (seen.scores, seen.ability) == (quick.scores, quick.ability)
        assert reader.point(quick.key).scores == full.scores
        assert reader.point(quick.key, 13) is None
        for name, result in reader.results(quick.key).items():
            np.testing.assert_array_equal(result.items, whole.results[name].items)
            assert (result.ids, result.outputs) == (whole.results[name].ids, whole.results[name].outputs)


def test_of_two_that_extend_one_point_the_second_adds_what_is_missing(tmp_path):
    store, whole = Store(tmp_path / "points.sqlite"), measurement(num_items=12)
    store.add(STUDY, part(whole, 0, 5))
    store.add(STUDY, part(whole, 5, 8))
    key = store.add(LARGE, part(whole, 5)).key
    assert store.results(key)["reward"].ids == whole.results["reward"].ids
    with pytest.raises(ValueError, match="does not follow"):
        Store(tmp_path / "new.sqlite").add(STUDY, part(whole, 5))


def test_the_larger_point_is_taken_in(tmp_path):
    whole = measurement(num_items=12)
    mine, theirs = Store(tmp_path / "mine.sqlite"), Store(tmp_path / "theirs.sqlite")
    mine.add(STUDY, part(whole, 0, 5))
    theirs.add(LARGE, whole)
    theirs.compact()
    assert mine.take_in(theirs.path) == 1 and len(mine.points(LARGE)) == 1
    assert mine.take_in(theirs.path) == 0
    other = Store(tmp_path / "other.sqlite")
    other.add(STUDY, part(whole, 0, 5))
    other.compact()
    assert mine.take_in(other.path) == 0 and len(mine.points(LARGE)) == 1


def test_a_point_on_other_items_is_not_stored_beside_the_studys(tmp_path):
    store, taken = Store(tmp_path / "points.sqlite"), measurement(num_items=12)

    def hashed(of, change=""):
        results = {
            name: replace(r, hashes=tuple(f"{change if name == 'choice' else ''}{i}" for i in r.ids))
            for name, r in of.results.items()
        }
        return replace(of, results=results)

    store.add(STUDY, part(hashed(taken), 0, 5))
    store.add(LARGE, replace(hashed(measurement(0.3, num_items=12))))
    for other in (hashed(measurement(0.4), "new "), hashed(measurement(0.4, num_items=12), "new ")):
        with pytest.raises(StoreError, match="items of choice are not those"):
            store.add(STUDY, other)
    with pytest.raises(StoreError, match="items of choice are not those"):
        store.add(LARGE, part(hashed(taken, "new "), 5))
    assert len(store.points(STUDY)) == 2 and len(store.points(LARGE)) == 1
    store.add(LARGE, part(hashed(taken), 5))
    assert len(store.points(LARGE)) == 2


def test_item_hashes_are_kept(tmp_path):
    store, taken = Store(tmp_path / "points.sqlite"), measurement()
    hashed = {name: replace(r, hashes=tuple(f"{name}{i}" for i in r.ids)) for name, r in taken.results.items()}
    point = store.add(STUDY, replace(taken, results=hashed))
    assert {n: r.hashes for n, r in store.results(point.key).items()} == {n: r.hashes for n, r in hashed.items()}


def test_studies_do_not_mix(tmp_path):
    store = Store(tmp_path / "points.sqlite")
    other = replace(STUDY, suite="another")
    store.add(STUDY, measurement())
    store.add(other, measurement(seed=1))
    assert len(store.points(STUDY)) == len(store.points(other)) == 1
    assert store.points(STUDY)[0].key != store.points(other)[0].key


def test_another_stores_points_are_taken_in_once(tmp_path):
    shipped, mine = Store(tmp_path / "shipped.sqlite"), Store(tmp_path / "mine.sqlite")
    shipped.add(STUDY, measurement(0.1))
    shipped.add(STUDY, measurement(0.2))
    shipped.compact()
    mine.add(STUDY, measurement(0.2, seed=9))
    kept = mine.points(STUDY)[0]
    (tmp_path / "shipped.sqlite").chmod(0o444)
    assert mine.take_in(tmp_path / "shipped.sqlite") == 1
    assert mine.take_in(tmp_path / "shipped.sqlite") == 0
    assert kept in mine.points(STUDY)
    assert len(mine.points(STUDY)) == 2
    assert len(mine.results(mine.points(STUDY)[1].key)) == 3


def test_a_store_to_be_shipped_names_no_folder_of_this_machine(tmp_path):
    store = Store(tmp_path / "points.sqlite")
    here = replace(STUDY, reference="/home/me/models/before", policy="organisation/after", suite_path="/home/me/suite.json")
    point = store.add(here, measurement())
    store.compact()
    assert b"/home/me" not in (tmp_path / "points.sqlite").read_bytes()
    shipped = Store(tmp_path / "points.sqlite")
    assert shipped.points(STUDY) == [point]
    assert [(s.reference, s.policy) for s in shipped.studies()] == [("before", "organisation/after")]


def test_a_store_from_a_newer_version_is_refused_and_untouched(tmp_path):
    path = tmp_path / "points.sqlite"
    Store(path).add(STUDY, measurement())
    Store(path).compact()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer version"):
        Store(path)
    with pytest.raises(StoreError, match="newer version"):
        Store(tmp_path / "mine.sqlite").take_in(path)
    assert path.read_bytes() == before


def test_files_that_are_no_store_are_refused(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("these are notes, not points, " * 100)
    with pytest.raises(StoreError, match="not a store"):
        Store(text)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    with pytest.raises(StoreError, match="another program"):
        Store(foreign)
    with pytest.raises(StoreError, match="cannot be"):
        Store(text / "below" / "points.sqlite")
    with pytest.raises(StoreError, match=r"notes\.txt is not a store of points, so none"):
        Store(tmp_path / "mine.sqlite").take_in(text)


def test_a_full_disk_loses_nothing_and_says_so(tmp_path, monkeypatch):
    """The limit is sqlite's own: with no page left it raises the very error of a full disk."""
    store = Store(tmp_path / "points.sqlite")
    kept = store.add(STUDY, measurement(0.1))
    real = sqlite3.connect

    def nearly_full(*arguments, **keywords):
        connection = real(*arguments, **keywords)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(sqlite3, "connect", nearly_full)
    with pytest.raises(StoreError, match="full"):
        store.add(STUDY, measurement(0.5, num_items=5000))
    monkeypatch.undo()
    assert Store(tmp_path / "points.sqlite").points(STUDY) == [kept]


_WRITER = """
import sys
from tests.test_store import STUDY, measurement
from hma.store import Store
store = Store(sys.argv[1])
for i in range(100000):
    store.add(STUDY, measurement(i / 100000, seed=i, num_items=200))
    print(i, flush=True)
"""


@pytest.mark.parametrize("attempt", range(3))
def test_kill_at_any_moment_leaves_only_whole_points(tmp_path, attempt):
    path = tmp_path / "points.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    for _ in range(3):
        reported = int(writer.stdout.readline())
    time.sleep(0.03 * attempt + 0.005)
    os.kill(writer.pid, signal.SIGKILL)
    reported = max([reported, *map(int, writer.stdout.read().split())])
    writer.wait()
    points = Store(path).points(STUDY)
    assert len(points) >= reported + 1  # nothing that was reported is lost
    assert all(set(Store(path).results(p.key)) == {"reward", "choice", "translate"} for p in points)


def test_two_processes_write_into_one_store(tmp_path):
    path = tmp_path / "points.sqlite"
    code = _WRITER.replace("100000", "40").replace("i / 40", "(i + int(sys.argv[2])) / 100")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(40 * n)], stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1]
        )
        for n in range(2)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert len(Store(path).points(STUDY)) == 80


def test_processes_that_make_one_store_at_the_same_moment_all_have_it(tmp_path):
    code = "import sys; from hma.store import Store; sys.stdin.read(1); [Store(path) for path in sys.argv[1:]]"
    paths = [str(tmp_path / f"{n}.sqlite") for n in range(40)]
    openers = [
        subprocess.Popen([sys.executable, "-c", code, *paths], stdin=subprocess.PIPE, cwd=Path(__file__).parents[1])
        for _ in range(3)
    ]
    time.sleep(1)
    for opener in openers:
        opener.stdin.close()
    assert [opener.wait(timeout=60) for opener in openers] == [0, 0, 0]


def test_every_old_version_still_opens(tmp_path):
    """``tests/stores/version-N.sqlite`` is a file that version N wrote."""
    folder = Path(__file__).parent / "stores"
    for version in range(1, VERSION + 1):
        copy = shutil.copy(folder / f"version-{version}.sqlite", tmp_path)
        points = Store(copy).points(STUDY)
        assert [p.recipe.alphas for p in points] == [(0.2, 0.2, 0.2)]
        assert points[0].scores["reward"].value == pytest.approx(measurement().results["reward"].items.mean())
        assert points[0].effective_alphas == (() if version == 1 else (0.19, 0.2, 0.25))


def test_points_of_an_older_version_are_taken_in(tmp_path):
    mine = Store(tmp_path / "mine.sqlite")
    assert mine.take_in(Path(__file__).parent / "stores" / "version-1.sqlite") == 1
    assert [p.effective_alphas for p in mine.points(STUDY)] == [()]


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_file_that_is_only_read_stays_byte_for_byte(tmp_path, version):
    file = Path(shutil.copy(Path(__file__).parent / "stores" / f"version-{version}.sqlite", tmp_path / "points.sqlite"))
    before = file.read_bytes()
    store = Store.to_read(file)
    assert [p.recipe.alphas for p in store.points(STUDY)] == [(0.2, 0.2, 0.2)]
    copy = store.path
    del store
    assert file.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["points.sqlite"]
    assert copy == file or not copy.exists()


def test_what_is_read_has_what_another_process_has_just_written(tmp_path):
    store = Store(tmp_path / "points.sqlite")
    with contextlib.closing(sqlite3.connect(store.path)) as other:  # Keeps the write-ahead log from being written back.
        other.execute("SELECT * FROM points").fetchall()
        point = store.add(STUDY, measurement())
        assert Store.to_read(store.path).points(STUDY) == [point]
        assert Store.to_read(store.path).path == store.path
    old = shutil.copy(Path(__file__).parent / "stores" / "version-2.sqlite", tmp_path / "old.sqlite")
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        before = old.read_bytes()
        other.execute("UPDATE points SET method = 'just now'")
        assert [p.method for p in Store.to_read(old).points(STUDY)] == ["just now"]
        assert old.read_bytes() == before


def test_what_is_no_store_is_refused_when_it_is_only_read(tmp_path):
    (tmp_path / "notes.txt").write_text("no store " * 99)
    with pytest.raises(StoreError, match="is not a store of points"):
        Store.to_read(tmp_path / "notes.txt")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="of another program"):
        Store.to_read(tmp_path / "other.sqlite")
    with pytest.raises(StoreError, match="is a folder"):
        Store.to_read(tmp_path)


def test_what_was_computed_on_the_way_to_points_is_kept_and_taken_in(tmp_path):
    store, other = Store(tmp_path / "points.sqlite"), Store(tmp_path / "other.sqlite")
    store.keep("steps", "ab", [1])
    store.keep("steps", "ab", [1, 2])
    store.keep("texts", "cd", {"a": "é"})
    assert store.kept(["ab", "cd", "ef"]) == {"ab": [1, 2], "cd": {"a": "é"}}
    other.keep("steps", "ab", [1, 2, 3])
    other.take_in(store.path)
    assert other.kept(["ab", "cd"]) == {"ab": [1, 2, 3], "cd": {"a": "é"}}
