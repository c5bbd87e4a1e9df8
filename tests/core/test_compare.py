"""Comparisons: hypervolumes by hand, paired differences that cover the truth, and words that say what is not shown."""

import numpy as np
import pytest

from hma.core.compare import SHARES_OF_GAIN, Estimate, compare, in_words
from tests.core import made

GROUPS = {"task": ["task"]}
NUM = 400


def points(values, noise=0.0, seed=0):
    """Points whose items lie around these rewards and abilities, the same luck for all; reference first, policy last."""
    draw = np.random.default_rng(seed)
    luck = draw.normal(size=(2, NUM)) * noise
    luck -= luck.mean(axis=1, keepdims=True)
    results = [{"reward": made.mean(reward + luck[0]), "task": made.mean(ability + luck[1], "t")} for reward, ability in values]
    alphas = [(1.0,) * 3, *[(0.5, i / 50, 0.1) for i in range(len(values) - 2)], (0.0,) * 3]
    return made.points(results, GROUPS, alphas)


def test_hypervolume_is_a_share_of_the_box_of_the_two_ends():
    reference, *between, policy = points([(0, 80), (3, 70), (2, 75), (4, 40)])
    found = compare({"ma": [between[1]], "hma": [between[0]], "both": between}, reference, policy)
    box = 4 * 40
    assert found.hypervolumes["ma"].value == pytest.approx(100 * 2 * 35 / box)
    assert found.hypervolumes["hma"].value == pytest.approx(100 * 3 * 30 / box)
    assert found.hypervolumes["both"].value == pytest.approx(100 * (3 * 30 + 2 * 5) / box)
    assert found.against["hma"].hypervolume.value == pytest.approx(100 * (90 - 70) / box)
    assert list(found.against) == ["hma", "both"]


def test_ability_at_matched_reward_is_read_off_between_neighbours_on_the_front():
    reference, *between, policy = points([(0, 80), (3.85, 50), (3.3, 60), (4, 40)])
    found = compare({"ma": between, "none": []}, reference, policy)
    expected = {
        0.98: 50 - 10 * (3.92 - 3.85) / 0.15,
        0.95: 60 - 10 * (3.8 - 3.3) / 0.55,
        0.90: 60 - 10 * (3.6 - 3.3) / 0.55,
        0.80: 80 - 20 * 3.2 / 3.3,
    }
    assert {s: e.value for s, e in found.abilities["ma"].items()} == pytest.approx(expected)
    assert {s: e.value for s, e in found.abilities["none"].items()} == pytest.approx({s: 80 - 40 * s for s in SHARES_OF_GAIN})
    assert set(found.abilities["ma"]) == set(SHARES_OF_GAIN)


def test_luck_that_all_points_share_makes_no_difference_uncertain():
    """Items differ a lot among themselves, and not between points: paired, the difference is exact."""
    reference, *between, policy = points([(0, 80), (2, 75), (3, 70), (4, 40)], noise=5.0)
    found = compare({"ma": [between[0]], "hma": [between[1]]}, reference, policy)
    difference, alone = found.against["hma"].hypervolume, found.hypervolumes["ma"]
    assert difference.high - difference.low < 1e-6
    assert alone.low <= alone.value <= alone.high


def test_intervals_of_a_difference_hold_the_truth():
    """Simulated: items of two merges with noise of their own; the true difference of areas is known."""
    held, trials = 0, 60
    truth = 100 * (3 * 30 - 2 * 35) / (4 * 40)
    for seed in range(trials):
        draw = np.random.default_rng(seed)
        values = [(0, 80), (2, 75), (3, 70), (4, 40)]
        results = [
            {"reward": made.mean(r + draw.normal(size=NUM)), "task": made.mean(a + 10 * draw.normal(size=NUM), "t")}
            for r, a in values
        ]
        reference, one, other, policy = made.points(results, GROUPS, [(1.0,) * 3, (0.5, 0, 0), (0.4, 0, 0), (0.0,) * 3])
        found = compare({"ma": [one], "hma": [other]}, reference, policy).against["hma"].hypervolume
        held += found.low <= truth <= found.high
    assert 0.85 * trials <= held


def test_a_policy_that_gained_nothing_still_has_a_point_at_its_reward():
    reference, policy = points([(4, 80), (3, 40)])
    found = compare({"ma": []}, reference, policy)
    assert found.abilities["ma"][0.98].value == 80
    assert found.hypervolumes["ma"].value == 100


def test_what_a_few_items_say_is_not_shown():
    """All of five items agree that one merge is better, in each of their resamples: chance has them do so once in 16 tries."""
    values = [(0, 80), (2, 70), (3, 75), (4, 40)]
    for num, is_shown in ((5, False), (6, True)):
        results = [
            {"reward": made.mean(np.full(num, float(reward))), "task": made.mean(np.full(num, float(ability)), "t")}
            for reward, ability in values
        ]
        reference, one, other, policy = made.points(results, GROUPS, [(1.0,) * 3, (0.5, 0, 0), (0.4, 0, 0), (0.0,) * 3])
        found = compare({"ma": [one], "hma": [other]}, reference, policy).against["hma"]
        assert found.hypervolume.low > 0
        assert found.hypervolume.is_shown == is_shown
        assert "No difference" in in_words("hma", "ma", found.hypervolume, "%") or is_shown


def test_nothing_is_not_compared():
    reference, policy = points([(0, 80), (4, 40)])
    with pytest.raises(ValueError, match="nothing to compare"):
        compare({}, reference, policy)


def test_words_say_what_is_not_shown():
    assert in_words("hma", "ma", Estimate(1.0, -0.5, 2.5), "% of the box") == (
        "No difference between hma and ma is shown: +1.0 % of the box (-0.5 to +2.5)."
    )
    assert in_words("hma", "ma", Estimate(-2.0, -3.0, -1.0), "points") == "hma has 2.0 points less than ma (-3.0 to -1.0)."
