"""Shares of resamples on the front and the hypervolume's interval, against brute force and by how often they are right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hma.core import front as fronts
from hma.core.statistics import resampled_together
from hma.core.sure import sureness
from tests.core.made import mean, points

GROUPS = {"g": ["a"]}
ENDS = [(1.0,) * 3, (0.0,) * 3]


def some(reward, ability, with_ends=True):
    """Points from items ``(num_points, num_items)``; the first two are the reference and the policy."""
    alphas = [*ENDS, *((0.5, 0.1, i / len(reward)) for i in range(len(reward) - 2))] if with_ends else None
    return points([{"reward": mean(r), "a": mean(a)} for r, a in zip(reward, ability, strict=True)], GROUPS, alphas)


def resamples(reward, ability):
    return (
        resampled_together([mean(r) for r in reward], 1).round(9),
        resampled_together([mean(a) for a in ability], 0).round(9),
    )


def area(rewards, abilities, corner):
    """The area by a walk down the front."""
    total, up = 0.0, corner[1]
    for x, y in sorted(zip(rewards, abilities, strict=True), reverse=True):
        if x > corner[0] and y > up:
            total, up = total + (x - corner[0]) * (y - up), y
    return total


few = st.integers(2, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2**32 - 1)))


@settings(max_examples=12, deadline=None)
@given(few)
def test_shares_and_hypervolume_are_those_of_each_resample_by_itself(drawn):
    count, seed = drawn
    generator = np.random.default_rng(seed)
    reward, ability = generator.integers(0, 3, (2, count, 7)).astype(float)  # so that many are equal
    found = sureness(made := some(reward, ability))
    r, a = resamples(reward, ability)
    beats = (r[:, None] >= r) & (a[:, None] >= a) & ((r[:, None] > r) | (a[:, None] > a))
    assert [found.shares[p.key] for p in made] == pytest.approx(1 - beats.any(axis=0).mean(axis=1))
    areas = [area(r[:, b], a[:, b], (r[:2, b].min(), a[:2, b].min())) for b in range(r.shape[1])]
    value = fronts.hypervolume(made, fronts.corner_of(made))
    low, high = np.quantile(areas, [0.025, 0.975])
    assert found.hypervolume == pytest.approx((max(0, 2 * value - high), max(0, 2 * value - low)))


def test_points_with_the_same_items_are_on_the_front_together():
    generator = np.random.default_rng(0)
    reward, ability = generator.normal(0, 1, (2, 40, 30))
    reward[1:], ability[1:] = reward[0], ability[0]
    assert set(sureness(some(reward, ability)).shares.values()) == {1.0}


def test_what_all_points_share_does_not_widen_the_hypervolume():
    generator = np.random.default_rng(1)
    level = np.array([[0.0], [4.0], [3.0]]), np.array([[80.0], [30.0], [70.0]])
    reward, ability = (part + generator.normal(0, 5, 50) for part in level)
    low, high = sureness(some(reward, ability)).hypervolume
    assert (low, high) == pytest.approx((3 * 40 + 0, 3 * 40 + 0))


def test_without_both_ends_there_are_shares_and_no_hypervolume():
    reward, ability = np.random.default_rng(2).normal(0, 1, (2, 3, 20))
    found = sureness(some(reward, ability, with_ends=False))
    assert found.hypervolume is None
    assert len(found.shares) == 3
    assert sureness([]).shares == {}


def test_points_of_other_items_are_refused():
    one, other = (some(*np.random.default_rng(3).normal(0, 1, (2, 2, count))) for count in (20, 30))
    with pytest.raises(ValueError, match="other numbers of items"):
        sureness([*one, *other])


def test_the_hypervolumes_interval_holds_the_truth_although_the_front_is_picked_by_luck():
    """120 points on a true front, each with noise of its own: plain quantiles of the resamples count the luck twice."""
    generator = np.random.default_rng(4)
    share = np.linspace(0, 1, 120)
    reward, ability = 4 * share, 80 - 50 * share**2
    truth, ends_first = area(reward, ability, (0, 30)), [0, -1, *range(1, 119)]
    held = plain = 0
    for _ in range(30):
        common = generator.normal(0, 1, (2, 1, 80))
        noise = common + generator.normal(0, 1.5, (2, 120, 80))
        drawn = some((reward[:, None] + noise[0])[ends_first], (ability[:, None] + 30 * noise[1])[ends_first])
        low, high = sureness(drawn).hypervolume
        value = fronts.hypervolume(drawn, fronts.corner_of(drawn))
        held += low <= truth <= high
        plain += 2 * value - high <= truth <= 2 * value - low
    assert held / 30 >= 0.85
    assert plain / 30 < 0.8
