"""Recipes: what makes two of them one model, and there and back again as JSON."""

import json

from hypothesis import given
from hypothesis import strategies as st

from hma.core.partition import HEAD, OWN, Partition, Place
from hma.core.precision import NAMES, NEAREST, ROUNDINGS, Precision
from hma.core.recipe import Recipe


@st.composite
def recipes(draw):
    num_layers = draw(st.integers(1, 12))
    linear_only = draw(st.booleans())
    own = (HEAD,) if linear_only else tuple(part for part in OWN if draw(st.booleans()))
    partition = Partition.equal(num_layers, draw(st.integers(1, num_layers)))
    partition = Partition(num_layers, partition.starts, own, linear_only)
    alphas = tuple(draw(st.sampled_from([-0.5, 0.0, 0.2, 0.5, 1.0, 1.2])) for _ in range(partition.num_blocks))
    precision = Precision(draw(st.sampled_from([None, *NAMES])), draw(st.sampled_from(ROUNDINGS)), draw(st.integers(0, 9)))
    return Recipe(partition, alphas, precision)


def made(recipe):
    """All that the model hangs on: the alpha of every place, and the numbers."""
    parts = (*range(recipe.partition.num_layers), *OWN)
    return {
        Place(part, linear): recipe.alpha_at(Place(part, linear)) for part in parts for linear in (True, False)
    }, recipe.precision


@given(recipes())
def test_a_recipe_survives_json(recipe):
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@given(recipes(), recipes())
def test_two_recipes_are_one_exactly_when_they_make_one_model(one, other):
    assert (one.identity == other.identity) == (made(one) == made(other))


@given(recipes())
def test_an_average_has_one_alpha_everywhere_and_an_end_is_one_at_0_or_1(recipe):
    shares = set(made(recipe)[0].values())
    assert recipe.is_average == (len(shares) == 1)
    assert recipe.is_end == (shares in ({0.0}, {1.0}) and recipe.precision == NEAREST)


def test_linear_weights_alone_at_equal_alphas_are_no_average_and_at_0_no_policy():
    partition = Partition(6, (0, 2, 4), (HEAD,), linear_only=True)
    plain = Partition(6, (0, 2, 4), (HEAD,))
    assert not Recipe(partition, (0.2,)).is_average
    assert not Recipe(partition, (0.0,)).is_end
    assert Recipe(partition, (0.0,)).identity != Recipe(plain, (0.0,)).identity
    assert Recipe(partition, (0.0,)).to_dict()["linear_only"] is True
    reference = Recipe(partition, (1.0,))
    assert reference.is_end
    assert reference.identity == Recipe(plain, (1.0,)).identity


def test_an_end_in_other_numbers_is_a_merge_like_any_other():
    partition = Partition.equal(6)
    assert Recipe(partition, (1.0, 1.0, 1.0)).is_end
    assert not Recipe(partition, (1.0, 1.0, 1.0), Precision("float16")).is_end
    assert not Recipe(partition, (1.0, 1.0, 0.0)).is_end


def test_recipes_from_before_there_was_a_choice_of_numbers_keep_their_name():
    recipe = Recipe(Partition.equal(6), (0.1, 0.2, 0.3))
    assert recipe.identity == {"kind": "merge", "layer_alphas": (0.1, 0.1, 0.2, 0.2, 0.3, 0.3)}
    assert recipe.to_dict() == {"kind": "merge", "num_layers": 6, "starts": [0, 2, 4], "alphas": [0.1, 0.2, 0.3]}


@given(recipes())
def test_a_recipe_extrapolates_where_one_alpha_lies_beyond_an_end(recipe):
    assert recipe.is_extrapolation == (min(recipe.alphas) < 0 or max(recipe.alphas) > 1)
    assert not (recipe.is_extrapolation and recipe.is_end)
