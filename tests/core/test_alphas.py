import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.core import alphas as alphas_of
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.core.study import Axis, Study
from hma.errors import AlphasError


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_alphas_survive_being_written_and_read(values):
    once = alphas_of.checked(values, len(values))
    assert alphas_of.parsed(",".join(repr(a) for a in once)) == once
    assert all(0 <= a <= 1 for a in once)


def test_one_alpha_is_the_same_for_all_blocks():
    assert alphas_of.checked(alphas_of.parsed("0.2"), 3) == (0.2, 0.2, 0.2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.2,0.3", "2 alphas were given"),
        ("0.2,0.3,1.5", "Alpha 3 of 3 is 1.5"),
        ("1.5,0,0", "in that range; or, to go past both ends, one from -1 to 2 with --beyond"),
        ("1.5", "^The alpha is 1.5"),
        ("0.2,-0.1,0", "Alpha 2 of 3 is -0.1"),
        ("nan,0,0", "Alpha 1 of 3 is nan"),
        ("a,b,c", "not a list of numbers"),
        ("", "not a list of numbers"),
    ],
)
def test_wrong_alphas_are_named(text, said):
    with pytest.raises(AlphasError, match=said):
        alphas_of.checked(alphas_of.parsed(text), 3)


def test_extrapolation_goes_as_far_as_the_ends_are_apart_and_only_where_it_is_asked_for():
    assert alphas_of.checked((-1, 2, 0.5), 3, beyond=True) == (-1, 2, 0.5)
    for alpha in (-1.001, 2.001, float("nan"), float("inf")):
        with pytest.raises(AlphasError, match=r"takes from -1 to 2. Give a number in that range\.$"):
            alphas_of.checked((alpha,), 1, beyond=True)


def test_ladder_and_grid_hold_both_ends():
    assert alphas_of.ladder(11) == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert alphas_of.ladder(8, -0.2, 1.2) == (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
    grid = alphas_of.grid(5, 3)
    assert len(set(grid)) == 125
    assert {(0.0,) * 3, (1.0,) * 3} <= set(grid)


def _study():
    axis = Axis("reward", "Reward", "points")
    return Study("t", "a", "b", "pair", "s", "suite", "validation", "quick", 8, 6, axis, (Axis("x", "X", "%"),))


def test_equal_alphas_are_one_point_under_any_partition():
    study = _study()
    thirds = Recipe(Partition.equal(6, 3), (0.3, 0.3, 0.3))
    whole = Recipe(Partition.equal(6, 1), (0.3,))
    assert study.point_key(thirds) == study.point_key(whole)
    assert study.point_key(thirds) != study.point_key(Recipe(Partition.equal(6, 3), (0.3, 0.3, 0.31)))


def test_recipes_and_studies_survive_json():
    recipe = Recipe(Partition.equal(6, 3), (0.1, 0.2, 0.3))
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Study.from_dict(_study().to_dict()) == _study()
