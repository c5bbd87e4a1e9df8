"""Races drop only what is surely off the front, and tell how much luck they kept."""

from dataclasses import replace

import numpy as np
import pytest

from hma.core.front import front
from hma.core.point import MEAN, REWARD, scores_of
from hma.core.racing import flattery, heat
from hma.core.statistics import Result
from hma.core.sure import sureness
from hma.store import Store
from hma.study import SHIPPED, open_study
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


def test_who_is_surely_beaten_is_dropped_and_the_ends_never():
    draw = np.random.default_rng(0)
    reward, ability = np.array([0.0, 3.0, 2.0, 1.98, -2.0]), np.array([3.0, 0.0, 2.0, 1.98, -2.0])
    alphas = [*ENDS, (0.5, 0.5, 0.5), (0.5, 0.5, 0.6), (0.5, 0.4, 0.5)]
    found = heat(points(results(draw, reward, ability, 100), GROUPS, alphas))
    assert found.kept == ("0", "1", "2", "3") and set(found.dropped) == {"4"} and found.dropped["4"] in found.kept
    alphas = [*alphas[2:], ENDS[0], ENDS[1]]
    worst = heat(points(results(draw, reward, ability, 100), GROUPS, alphas))
    assert set(worst.kept) == {"0", "1", "2", "3", "4"}  # an end stays, far below the front


def test_a_point_that_answered_as_another_did_is_not_dropped_for_it():
    """Equal rewards so far and less ability: off the front in every resample, and back on it with the next items."""
    draw = np.random.default_rng(2)
    first, second = draw.normal(size=(2, 30))
    same = [{REWARD: mean(first), "a": mean(second + 2)}, {REWARD: mean(first), "a": mean(second + 1)}]
    seen = points([*results(draw, [0, 3], [3, 0], 30), *same], GROUPS, [*ENDS, (0.5, 0.5, 0.5), (0.5, 0.5, 0.6)])
    assert sureness(seen).shares["3"] == 0
    assert "3" in heat(seen).kept


def test_of_the_shipped_grid_few_are_dropped_that_more_items_put_on_the_front():
    """Races from 33 to 100 items in several orders of the items: at most one of fifty dropped merges is on the last front."""
    study = open_study()
    store = Store(SHIPPED / "points.sqlite")
    measured = store.points(study)
    items = [store.results(p.key, study.num_items) for p in measured]
    dropped = lost = 0
    for seed in range(4):
        order = {n: np.random.default_rng([seed, i]).permutation(study.num_items) for i, n in enumerate(items[0])}
        shuffled = [{n: _ordered(r, order[n]) for n, r in item.items()} for item in items]
        first, whole = ([{n: r.part(0, end) for n, r in item.items()} for item in shuffled] for end in (33, None))
        seen, last = (
            [replace(p, scores=s, ability=a) for p, (s, a) in zip(measured, scores_of(some, study.groups), strict=True)]
            for some in (first, whole)
        )
        out = heat(seen).dropped
        dropped, lost = dropped + len(out), lost + len(out.keys() & {p.key for p in front(last)})
    assert dropped > 4 * 10  # it is worth while
    assert lost <= dropped / 50


def _ordered(result, order):
    return Result(result.aggregation, result.items[order], tuple(result.ids[i] for i in order))


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
