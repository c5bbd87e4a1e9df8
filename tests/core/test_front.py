"""Fronts and hypervolumes against brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.core import front as fronts
from hma.core.partition import Partition
from hma.core.point import MEAN, Point, Score
from hma.core.recipe import Recipe
from hma.core.tax import tax


def score(value):
    return Score(value, 0.1, 10, value - 0.2, value + 0.2)


def point(reward, ability, alphas=(0.3, 0.2, 0.1)):
    scores = {"reward": score(reward), "reading": score(ability)}
    return Point(f"{reward}/{ability}/{alphas}", Recipe(Partition.equal(6), alphas), scores, score(ability))


planes = st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 9)), max_size=20)


@given(planes)
def test_the_front_is_what_no_other_point_beats(plane):
    points = [point(*p) for p in plane]

    def beaten(p):
        return any(q[0] >= p[0] and q[1] >= p[1] and q != p for q in plane)

    expected = sorted(p for p in plane if not beaten(p))
    assert [(p.reward.value, p.ability.value) for p in fronts.front(points)] == expected


corners = st.builds(fronts.Corner, st.integers(-6, 6), st.integers(-1, 10))
"""Wherever the corner lies, even beyond every point."""


@given(planes, corners)
def test_hypervolume_counts_unit_squares_above_the_corner(plane, corner):
    cells = itertools.product(range(corner.reward, 6), range(corner.ability, 10))
    squares = sum(any(x > i and y > j for x, y in plane) for i, j in cells)
    assert fronts.hypervolume([point(*p) for p in plane], corner) == pytest.approx(squares)


@given(planes, st.tuples(st.integers(-5, 5), st.integers(0, 9)), corners)
def test_hypervolume_never_falls_when_a_point_is_added(plane, extra, corner):
    before = fronts.hypervolume([point(*p) for p in plane], corner)
    assert fronts.hypervolume([point(*p) for p in [*plane, extra]], corner) >= before - 1e-12


def test_the_corner_is_the_worse_of_the_two_ends():
    reference, policy = point(-1, 90, (1, 1, 1)), point(4, 60, (0, 0, 0))
    assert fronts.corner_of([reference, policy, point(2, 50)]) == fronts.Corner(-1, 60)
    assert fronts.ends([policy, reference]) == (reference, policy)
    assert fronts.corner_of([reference]) is None
    assert fronts.Corner.below([(4, 60), (-1, 90)]) == fronts.Corner(-1, 60)


def test_what_is_no_worse_and_better_on_one_axis_beats():
    assert fronts.unbeaten(np.array([(1.0, 5.0), (1.0, 4.0), (2.0, 3.0), (2.0, 3.0), (1.5, 3.0)])).tolist() == [1, 0, 1, 1, 0]


def test_tax_is_what_the_reference_could_do_more():
    reference, policy = point(-1, 90, (1, 1, 1)), point(4, 60, (0, 0, 0))
    assert tax(reference, policy) == {"reading": 30, MEAN: 30}
    assert tax(reference, reference)[MEAN] == 0
