"""What so many items can show: against the formula, and by simulation of runs in which it is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.core.difference import differences
from hma.core.point import MEAN
from hma.core.power import POWER, Spread, power
from hma.core.statistics import Result, bleu
from tests.core.made import mean

GROUPS = {"one": ["a", "b"], "two": ["c"]}
RUNS = 300
NEAR = 3 * np.sqrt(POWER * (1 - POWER) / RUNS)
"""Three standard errors of a share of so many runs."""


def pair(generator, count=100, shift=0.0, deviation=2.0, correlation=0.8):
    """Two points' items with known variance and correlation; the first is better by ``shift``."""
    own = np.sqrt(1 - correlation)
    one, other = {}, {}
    for name in ("reward", "a", "b", "c"):
        common = np.sqrt(correlation) * generator.normal(0, deviation, count)
        one[name], other[name] = (mean(common + s + own * generator.normal(0, deviation, count)) for s in (shift, 0))
    return one, other


def test_the_detectable_difference_is_that_of_the_items_variance_and_correlation():
    generator = np.random.default_rng(0)
    found = power([pair(generator) for _ in range(60)], GROUPS)
    error = np.sqrt(2 * 4 * (1 - 0.8) / 100)
    assert list(found) == ["reward", "a", "b", "c", MEAN]
    for name, one in (("reward", error), ("a", error), (MEAN, error * np.sqrt(2 * 0.25**2 + 0.5**2))):
        assert found[name].standard_error == pytest.approx(one, rel=0.03)
        assert found[name].detectable() == pytest.approx((1.959964 + 0.841621) * one, rel=0.03)
        assert found[name].correlation == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("name", ["reward", MEAN])
def test_a_difference_of_the_detectable_size_is_shown_in_four_runs_of_five(name):
    generator = np.random.default_rng(1)
    size = power([pair(generator) for _ in range(60)], GROUPS)[name].detectable()
    shown = sum(differences(*pair(generator, shift=size), GROUPS)[name].is_shown for _ in range(RUNS)) / RUNS
    assert abs(shown - POWER) < NEAR, shown


def texts(generator, share, count, luck=None):
    """BLEU items of answers of eight words, each right with probability ``share``, and the luck that two models share."""
    luck = generator.random((count, 8)) if luck is None else luck
    right = np.where(generator.random((count, 8)) < 0.3, generator.random((count, 8)), luck) < share
    runs = [np.prod([right[:, i : 9 - n + i] for i in range(n)], axis=0).sum(axis=1) for n in range(1, 5)]
    return np.column_stack([*runs, *(np.full(count, 9 - n) for n in range(1, 5)), *[np.full(count, 8)] * 2]), luck


def bleus(generator, shares, count=100):
    items, luck = texts(generator, shares[0], count)
    ids = tuple(map(str, range(count)))
    return {"a": Result("bleu", items, ids)}, {"a": Result("bleu", texts(generator, shares[1], count, luck)[0], ids)}


def test_a_bleu_of_the_detectable_size_is_shown_in_four_runs_of_five():
    generator = np.random.default_rng(2)
    groups = {"g": ["a"]}
    size = power([bleus(generator, (0.7, 0.7)) for _ in range(60)], groups)["a"].detectable()

    def exactly(share):
        return float(bleu(texts(generator, share, 40_000)[0].sum(axis=0)))

    shares = np.linspace(0.7, 0.8, 6)
    better = np.interp(exactly(0.7) + size, [exactly(share) for share in shares], shares)
    shown = sum(differences(*bleus(generator, (better, 0.7)), groups)["a"].is_shown for _ in range(RUNS)) / RUNS
    assert abs(shown - POWER) < NEAR, shown


@given(st.floats(0.1, 100), st.floats(0.001, 0.99), st.floats(0.01, 50))
def test_more_items_show_less_as_one_over_their_root(variance, share, effect):
    spread = Spread(variance, 2 * variance * share, np.sqrt(2 * variance * share / 100))
    assert spread.detectable(100) == pytest.approx(spread.detectable())
    assert spread.detectable(400) == pytest.approx(spread.detectable() / 2)
    needed = spread.items_for(effect)
    assert spread.detectable(needed) <= effect * (1 + 1e-6)
    assert needed == 6 or spread.detectable(needed - 1) is None or spread.detectable(needed - 1) > effect


def test_nothing_is_said_where_no_item_differs_and_of_hardly_any_items():
    one, _ = pair(np.random.default_rng(3))
    same = power([(one, one)], GROUPS)
    assert all(spread.detectable() is None and spread.items_for(1.0) is None for spread in same.values())
    assert same["a"].correlation == pytest.approx(1)
    assert Spread(1.0, 1.0, 0.1).detectable(5) is None
    other = {name: mean(-result.items[:, 0]) for name, result in one.items()}
    for count, is_said in ((5, False), (6, True)):
        few = [{name: mean(r.items[:count, 0]) for name, r in point.items()} for point in (one, other)]
        assert (power([tuple(few)], GROUPS)["a"].detectable() is not None) == is_said
    single = {name: mean(result.items[:1, 0]) for name, result in one.items()}
    assert power([(single, single)], GROUPS) == {}
    assert power([], GROUPS) == {}
    with pytest.raises(ValueError, match="must be above 0"):
        same["a"].items_for(0)


def test_points_of_other_items_are_refused():
    one, other = pair(np.random.default_rng(4))
    with pytest.raises(ValueError, match="other items"):
        power([(one, {**other, "a": mean(other["a"].items[:, 0], "j")})], GROUPS)
