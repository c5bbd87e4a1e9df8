"""Contenders: whose a point is, and subsets that are picked without a look at scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.contenders import contenders, evenly
from hma.core.alphas import mean_alpha
from hma.core.partition import Partition
from hma.core.point import Point, Score
from hma.core.recipe import Recipe, digest

PARTITION = Partition.equal(6)


def point(alphas, method="grid", reward=0.0):
    recipe = Recipe(PARTITION, alphas)
    score = Score(reward, 0.1, 10, reward - 0.2, reward + 0.2)
    return Point(digest(recipe.identity), recipe, {"reward": score}, score, method)


ENDS = (point((1, 1, 1), "sweep"), point((0, 0, 0), "sweep"))


def names(points):
    return {contender.name: [p.recipe.alphas for p in contender.points] for contender in contenders(points)}


def test_ends_alone_are_no_contender_and_count_among_everyones():
    assert names(ENDS) == {}
    found = names([*ENDS, point((0.5,) * 3, "sweep"), point((0.1, 0, 0))])
    assert list(found) == ["ma", "hma"]
    assert found["ma"] == [(1, 1, 1), (0, 0, 0), (0.5,) * 3]
    assert found["hma"] == [(1, 1, 1), (0, 0, 0), (0.1, 0, 0)]


def test_methods_stand_by_themselves_where_more_than_one_is_behind_hma():
    grid = [point((0.1, 0, 0)), point((0.5,) * 3)]
    assert set(names(grid)) == {"ma", "hma"}
    found = names([*grid, point((0.2, 0, 0), "search"), point((0.3, 0, 0), "proxy"), point((0.4, 0, 0), "hma")])
    assert list(found) == ["ma", "hma", "grid", "search", "proxy"]
    assert found["hma"] == [(0.1, 0, 0), (0.2, 0, 0), (0.3, 0, 0), (0.4, 0, 0)]
    assert found["grid"] == [(0.1, 0, 0), (0.5,) * 3]  # What it measured, one alpha for all or not.
    assert found["proxy"] == [(0.3, 0, 0), (0.4, 0, 0)]  # One method under two names.


def test_a_sweep_is_no_method_beside_ma():
    found = names([point((0.5,) * 3, "sweep"), point((0.1, 0, 0)), point((0.2, 0, 0), "search")])
    assert "sweep" not in found


@pytest.mark.parametrize("by", ["slider", "single"])
def test_own_points_and_what_lies_beyond_the_ends_stand_apart(by):
    found = names([*ENDS, point((0.2, 0, 0), by), point((0.3,) * 3, by), point((1.2, 0, 0), by), point((-0.1,) * 3, "sweep")])
    assert list(found) == ["ma", "hma", "own", "beyond"]
    assert found["own"][2:] == [(0.2, 0, 0), (0.3,) * 3]
    assert found["beyond"][2:] == [(1.2, 0, 0), (-0.1,) * 3]
    assert found["ma"][2:] == [(0.3,) * 3] and found["hma"][2:] == [(0.2, 0, 0)]


shares = st.integers(0, 10).map(lambda i: i / 10)
clouds = st.lists(st.tuples(shares, shares, shares), max_size=25, unique=True)


@given(clouds, st.integers(1, 12), st.randoms(use_true_random=False))
def test_a_subset_hangs_on_recipes_alone(alphas, count, random):
    points = [*ENDS, *(point(a) for a in alphas if len(set(a)) > 1)]
    picked = evenly(points, count)
    assert len({p.key for p in picked}) == len(picked) == max(2, min(count, len(points)))
    assert {p.key for p in ENDS} <= {p.key for p in picked}
    other = [point(p.recipe.alphas, reward=random.random()) for p in points]
    random.shuffle(other)
    assert {p.key for p in evenly(other, count)} == {p.key for p in picked}


def test_a_subset_is_spread_evenly_over_the_mean_alpha():
    points = [
        *ENDS,
        *(point((a, 0, 0)) for a in np.linspace(0.01, 1, 100)),
        *(point((1, 1, a)) for a in np.linspace(0, 0.99, 100)),
    ]
    means = sorted(mean_alpha(p.recipe.alphas) for p in evenly(points, 6))
    # Between a third and two thirds there is no point: the nearest stand for these.
    assert means == pytest.approx([0, 0.2, 1 / 3, 2 / 3, 0.8, 1], abs=0.01)


def test_where_there_are_no_more_all_are_kept():
    points = [*ENDS, point((0.1, 0, 0))]
    assert evenly(points, 3) == tuple(points)
