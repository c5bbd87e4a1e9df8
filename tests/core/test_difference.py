"""Paired differences: what they are of, what they refuse, and how often they are right."""

import numpy as np
import pytest

from hma.core.difference import are_indistinguishable, difference, differences
from hma.core.point import MEAN
from hma.core.statistics import Result, value
from tests.core.made import mean, points

GROUPS = {"one": ["a", "b"], "two": ["c"]}


def drawn(generator, count=100, shift=0.0, common=None):
    common = common or {name: generator.normal(0, 1, count) for name in ("reward", "a", "b", "c")}
    return {name: mean(item + shift + generator.normal(0, 0.5, count)) for name, item in common.items()}, common


def test_a_difference_is_of_each_score_and_of_the_mean_of_groups():
    generator = np.random.default_rng(0)
    one, common = drawn(generator)
    other, _ = drawn(generator, shift=-1.0, common=common)
    found = differences(one, other, GROUPS)
    exact = {name: value(one[name]) - value(other[name]) for name in one}
    assert {name: found[name].value for name in exact} == pytest.approx(exact)
    assert found[MEAN].value == pytest.approx(((exact["a"] + exact["b"]) / 2 + exact["c"]) / 2)
    assert found[MEAN].num_items == 100
    assert all(d.is_shown and d.low < d.value < d.high for d in found.values())
    back = differences(other, one, GROUPS)
    for name, there in found.items():
        assert (back[name].value, back[name].low, back[name].high) == pytest.approx((-there.value, -there.high, -there.low))


def test_what_points_keep_gives_the_same_differences_as_their_items():
    generator = np.random.default_rng(1)
    one, common = drawn(generator)
    other, _ = drawn(generator, shift=0.1, common=common)
    first, second = points([one, other], GROUPS)
    found = differences(one, other, GROUPS)
    for kept, name in ((difference(first.reward, second.reward), "reward"), (difference(first.ability, second.ability), MEAN)):
        assert kept.num_items == found[name].num_items
        for part in ("value", "low", "high"):
            assert getattr(kept, part) == pytest.approx(getattr(found[name], part))
    with pytest.raises(ValueError, match="keep"):
        difference(first.scores["a"], second.scores["a"])


def test_results_of_other_items_are_not_paired():
    generator = np.random.default_rng(2)
    one, _ = drawn(generator)
    others = {**one, "b": mean(one["b"].items[:, 0], "j")}, {**one, "b": mean(one["b"].items[:99, 0])}
    for other in others:
        with pytest.raises(ValueError, match="results of b are of other items"):
            differences(one, other, GROUPS)
    with pytest.raises(ValueError, match="cannot be paired"):
        differences(one, {name: one[name] for name in ("a", "b", "c")}, GROUPS)
    whole, part = points([one], GROUPS)[0], points([{n: mean(r.items[:40, 0]) for n, r in one.items()}], GROUPS)[0]
    with pytest.raises(ValueError, match="100 items cannot be paired with 40"):
        difference(whole.reward, part.reward)


def test_a_point_is_indistinguishable_from_itself_and_not_from_one_far_off():
    generator = np.random.default_rng(3)
    one, common = drawn(generator)
    first, same, off = points([one, one, drawn(generator, shift=2.0, common=common)[0]], GROUPS)
    assert are_indistinguishable(first, same)
    assert not are_indistinguishable(first, off)
    better = {**one, "reward": mean(one["reward"].items[:, 0] + 1)}
    assert not are_indistinguishable(first, points([better], GROUPS)[0])  # one axis is enough


@pytest.mark.parametrize(("count", "shown"), [(1, False), (5, False), (6, True)])
def test_so_few_items_that_chance_may_have_them_agree_show_nothing(count, shown):
    one = {"a": mean(np.arange(count) + 1.0)}
    other = {"a": mean(np.arange(count) * 1.0)}
    assert differences(one, other, {"g": ["a"]})["a"].is_shown == shown


def test_paired_intervals_hold_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(4)
    held = dict.fromkeys(("reward", "a", "b", "c", MEAN), 0)
    for _ in range(300):
        one, common = drawn(generator, shift=0.3)
        found = differences(one, drawn(generator, common=common)[0], GROUPS)
        for name in held:
            held[name] += found[name].low <= 0.3 <= found[name].high
    assert all(0.91 <= count / 300 <= 0.98 for count in held.values()), held
    assert 0.93 <= sum(held.values()) / 1500 <= 0.965, held


def test_a_bleu_is_paired_too():
    items = np.tile([5.0, 3, 2, 1, 6, 5, 4, 3, 6, 6], (20, 1))
    worse = items - np.eye(1, 10) * np.arange(20).reshape(-1, 1) % 3
    one, other = (Result("bleu", these, tuple(map(str, range(20)))) for these in (items, worse))
    found = differences({"a": one}, {"a": other}, {"g": ["a"]})["a"]
    assert found.is_shown and found.low > 0
    assert found.value == pytest.approx(value(one) - value(other))


@pytest.mark.parametrize(("changed", "is_shown"), [(3, False), (8, True)])
def test_what_few_items_differ_in_is_not_shown(changed, is_shown):
    """Three of ten that changed the same way: chance has it so in one of four tries, whatever a bootstrap says."""
    before = np.zeros(10)
    after = np.where(np.arange(10) < changed, 100.0, 0.0)
    one, other = ({"reward": mean(items), "a": mean(items)} for items in (after, before))
    for found in differences(one, other, {"g": ["a"]}).values():
        assert found.is_shown == is_shown
    first, second = points([one, other], {"g": ["a"]})
    assert are_indistinguishable(first, second) != is_shown
