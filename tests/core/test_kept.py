"""Shares of what RLHF gained and lost: exact at both ends, silent where there is nothing, and right often enough."""

import numpy as np
import pytest

from hma.core.kept import kept
from hma.core.statistics import resample_counts
from tests.core.made import mean, points

GROUPS = {"one": ["a"]}
ENDS = [(1.0,) * 3, (0.0,) * 3, (0.5,) * 3]


def three(generator, share=0.7, back=0.4, gain=1.0, loss=1.0, count=100):
    """Reference, policy, and a point on the way, on the same items, with noise of their own."""
    common = {name: generator.normal(0, 1, count) for name in ("reward", "a")}
    places = [(0.0, 0.0), (gain, -loss), (share * gain, -loss * (1 - back))]
    results = [
        {name: mean(common[name] + shift + generator.normal(0, 0.5, count)) for name, shift in zip(common, place, strict=True)}
        for place in places
    ]
    return points(results, GROUPS, ENDS)


def test_the_ends_keep_all_and_nothing_for_certain():
    reference, policy, _ = three(np.random.default_rng(0))
    of_policy, of_reference = kept(reference, policy, policy), kept(reference, policy, reference)
    for found, reward, ability in ((of_policy, 1, 0), (of_reference, 0, 1)):
        assert (found.reward.value, found.reward.low, found.reward.high) == pytest.approx((reward,) * 3)
        assert (found.ability.value, found.ability.low, found.ability.high) == pytest.approx((ability,) * 3)


def test_a_share_is_of_the_means_and_of_no_unit():
    reference, policy, point = three(np.random.default_rng(1))
    found = kept(reference, policy, point)
    gain = policy.reward.value - reference.reward.value
    assert found.reward.value == pytest.approx((point.reward.value - reference.reward.value) / gain)
    assert found.reward.low < found.reward.value < found.reward.high
    scaled = three(np.random.default_rng(1))
    for p in scaled:
        object.__setattr__(p.reward, "value", 10 * p.reward.value + 3)
        object.__setattr__(p.reward, "samples", 10 * p.reward.samples + 3)
    assert kept(*scaled).reward.value == pytest.approx(found.reward.value)
    assert kept(*scaled).reward.low == pytest.approx(found.reward.low)


def test_where_the_ends_are_not_shown_to_differ_that_way_nothing_is_said():
    generator = np.random.default_rng(2)
    reference, policy, point = three(generator, gain=0.0, loss=1.0)
    assert kept(reference, policy, point).reward is None
    assert kept(reference, policy, point).ability is not None
    turned = three(generator, gain=-1.0, loss=-1.0)
    assert kept(*turned).reward is None and kept(*turned).ability is None


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    generator, held, tries = np.random.default_rng(3), 0, 300
    resample_counts(60)
    for _ in range(tries):
        found = kept(*three(generator, count=60))
        held += found.reward.low <= 0.7 <= found.reward.high
        held += found.ability.low <= 0.4 <= found.ability.high
    assert 0.91 < held / (2 * tries) < 0.98
