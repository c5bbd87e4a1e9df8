"""Points come back whole, do not mix with another study's, and only ever gain items."""

from dataclasses import replace

import numpy as np
import pytest

from hma.core.study import Axis
from hma.errors import StoreError
from hma.store import Store
from tests.stored import STUDY, measurement


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


def test_what_was_computed_on_the_way_to_points_is_kept_and_taken_in(tmp_path):
    store, other = Store(tmp_path / "points.sqlite"), Store(tmp_path / "other.sqlite")
    store.keep("steps", "ab", [1])
    store.keep("steps", "ab", [1, 2])
    store.keep("texts", "cd", {"a": "é"})
    assert store.kept(["ab", "cd", "ef"]) == {"ab": [1, 2], "cd": {"a": "é"}}
    other.keep("steps", "ab", [1, 2, 3])
    other.take_in(store.path)
    assert other.kept(["ab", "cd"]) == {"ab": [1, 2, 3], "cd": {"a": "é"}}
