"""Races drop only what is surely off the front, and tell how much luck they kept."""

import numpy as np
import pytest

from hma.core.point import MEAN, REWARD
from hma.core.racing import SPARE, flattery, heat
from hma.core.sure import sureness
from tests.core.made import mean, points

GROUPS = {"g": ["a"]}
ENDS = [(1.0,) * 3, (0.0,) * 3]


def results(draw, reward, ability, num_items):
    """Items around each point's true reward and ability, with much of the noise common to all."""
    easy = draw.normal(size=(2, num_items))
    return [
        {
            REWARD: mean(r + easy[0] + draw.normal(scale=0.5, size=num_items)),
            "a": mean(a + easy[1] + draw.normal(scale=0.5, size=num_items)),
        }
        for r, a in zip(reward, ability, strict=True)
    ]


def test_who_is_off_the_front_in_nearly_every_resample_is_dropped_and_the_ends_never():
    draw = np.random.default_rng(0)
    reward, ability = np.array([0.0, 3.0, 2.0, 2.0, -2.0]), np.array([3.0, 0.0, 2.0, 1.98, -2.0])
    alphas = [*ENDS, (0.5, 0.5, 0.5), (0.5, 0.5, 0.6), (0.5, 0.4, 0.5)]
    seen = points(results(draw, reward, ability, 100), GROUPS, alphas)
    found = heat(seen)
    assert found.kept == ("0", "1", "2", "3")
    assert found.dropped == {"4": 0.0}
    shares = sureness(seen).shares
    assert found.dropped.keys() == {p.key for p in seen if shares[p.key] <= SPARE and not p.recipe.is_end}
    worst = heat(
        points(results(draw, reward[::-1], ability[::-1], 100), GROUPS, [(0.5, 0.5, 0.5), (0.2, 0.2, 0.2), *alphas[3:], ENDS[0]])
    )
    assert "4" in worst.kept  # an end, far below the front


def test_losses_are_expected_as_often_as_they_come():
    """Many races on made-up points: of those that all the items put on the front, about as many are dropped as is said."""
    expected = lost = 0.0
    for seed in range(40):
        draw = np.random.default_rng(seed)
        angle = np.linspace(0.1, np.pi / 2 - 0.1, 12)
        reward, ability = np.cos(angle) + draw.normal(scale=0.1, size=12), np.sin(angle) + draw.normal(scale=0.1, size=12)
        whole = results(draw, reward, ability, 400)
        first = heat(points([{n: r.part(0, 100) for n, r in p.items()} for p in whole], GROUPS), spare=0.3)
        expected += first.expected_losses
        front = {key for key, share in sureness(points(whole, GROUPS)).shares.items() if share > 0.5}
        lost += len(front & first.dropped.keys())
    assert 0 < lost < 2 * expected


def test_flattery_is_the_luck_of_those_that_were_chosen_by_it():
    """Points of one true worth: the best on the first items lose their lead on the further ones, and any others do not."""
    chosen, any_other = [], []
    for seed in range(30):
        draw = np.random.default_rng(seed)
        all_points = results(draw, np.zeros(40), np.zeros(40), 150)
        ends, rest = all_points[:2], all_points[2:]
        rest.sort(key=lambda p: -p[REWARD].items[:50].mean())
        chosen.append(flattery(rest[:5], ends, GROUPS, 50)[REWARD].value)
        any_other.append(flattery(rest[::7], ends, GROUPS, 50)[REWARD].value)
    assert np.mean(chosen) > 3 * abs(np.mean(any_other))
    # Of 38 normal draws the best five lie 1.6 standard deviations up on average; the noise that is a point's own is 0.5.
    assert np.mean(chosen) == pytest.approx(1.6 * 0.5 / np.sqrt(50), rel=0.35)


def test_items_that_are_easier_for_all_flatter_nobody():
    draw = np.random.default_rng(1)
    easy = np.concatenate([np.full(50, 5.0), np.zeros(100)])
    seen = [{REWARD: mean(easy + draw.normal(scale=0.1, size=150)), "a": mean(easy)} for _ in range(6)]
    found = flattery(seen[2:], seen[:2], GROUPS, 50)
    assert found[REWARD].low < 0 < found[REWARD].high and abs(found[REWARD].value) < 0.1
    assert (found[MEAN].value, found[MEAN].num_items) == (0, 150)
