"""Recipes: what makes two of them one model, and there and back again as JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hma.core.partition import OWN, Partition
from hma.core.precision import NAMES, ROUNDINGS, Precision
from hma.core.recipe import Recipe


@st.composite
def recipes(draw):
    num_layers = draw(st.integers(1, 12))
    own = tuple(part for part in OWN if draw(st.booleans()))
    partition = Partition.equal(num_layers, draw(st.integers(1, num_layers)))
    partition = Partition(num_layers, partition.starts, own)
    alphas = tuple(draw(st.sampled_from([0.0, 0.2, 0.5, 1.0])) for _ in range(partition.num_blocks))
    precision = Precision(draw(st.sampled_from([None, *NAMES])), draw(st.sampled_from(ROUNDINGS)), draw(st.integers(0, 9)))
    return Recipe(partition, alphas, precision)


@given(recipes())
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@given(recipes(), recipes())
def test_two_recipes_are_one_exactly_when_they_make_one_model(one, other):
    same = one.shares == other.shares and one.precision == other.precision
    assert (one.identity == other.identity) == same


def test_an_end_in_other_numbers_is_a_merge_like_any_other():
    partition = Partition.equal(6)
    assert Recipe(partition, (1.0, 1.0, 1.0)).is_end
    assert not Recipe(partition, (1.0, 1.0, 1.0), Precision("float16")).is_end
    assert not Recipe(partition, (1.0, 1.0, 0.0)).is_end


def test_recipes_from_before_there_was_a_choice_of_numbers_keep_their_name():
    recipe = Recipe(Partition.equal(6), (0.1, 0.2, 0.3))
    assert recipe.identity == {"kind": "merge", "layer_alphas": (0.1, 0.1, 0.2, 0.2, 0.3, 0.3)}
    assert recipe.to_dict() == {"kind": "merge", "num_layers": 6, "starts": [0, 2, 4], "alphas": [0.1, 0.2, 0.3]}
