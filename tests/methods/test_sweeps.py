"""Sweeps: which merges they have, each once."""

import pytest

from hma.core.alphas import ladder
from hma.core.partition import Partition
from hma.core.precision import Precision
from hma.errors import AlphasError
from hma.methods import sweeps

THIRDS = Partition.equal(6, 3)
LINEAR = Partition(6, (0, 3), ("head",), linear_only=True)


def alphas(recipes):
    return [recipe.alphas for recipe in recipes]


def test_a_ladder_is_model_averaging_from_end_to_end():
    recipes = sweeps.ladder(THIRDS, ladder(3), Precision("float32"))
    assert alphas(recipes) == [(0,) * 3, (0.5,) * 3, (1,) * 3]
    assert all(recipe.is_average and recipe.precision.dtype == "float32" for recipe in recipes)


def test_a_grid_is_every_combination_and_gives_the_head_the_mean():
    assert len(set(alphas(sweeps.grid(THIRDS, 4)))) == 64
    assert alphas(sweeps.grid(LINEAR, 2)) == [(0, 0, 0), (0, 1, 0.5), (1, 0, 0.5), (1, 1, 1)]
    assert {a for one in alphas(sweeps.grid(THIRDS, 2, -0.5, 1.5)) for a in one} == {-0.5, 1.5}


def test_partwise_moves_one_block_and_leaves_the_others_at_the_policy():
    found = alphas(sweeps.partwise(THIRDS, ladder(3)))
    assert found == [(0, 0, 0), (0.5, 0, 0), (1, 0, 0), (0, 0.5, 0), (0, 1, 0), (0, 0, 0.5), (0, 0, 1)]
    for one in found:
        assert sum(alpha != 0 for alpha in one) <= 1


@pytest.mark.parametrize("part", [1, 2, 3])
def test_one_part_moves_alone_from_a_base_of_ones_own(part):
    found = alphas(sweeps.partwise(THIRDS, ladder(5), (0.2, 0.3, 0.4), part))
    assert [one[part - 1] for one in found] == list(ladder(5))
    for one in found:
        assert [a for k, a in enumerate(one, 1) if k != part] == [a for k, a in enumerate((0.2, 0.3, 0.4), 1) if k != part]


def test_the_base_itself_stands_once_and_one_share_is_that_of_all_blocks():
    found = alphas(sweeps.partwise(THIRDS, (0, 0.5), (0.5,)))
    assert found == [(0, 0.5, 0.5), (0.5, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]


def test_a_head_at_the_mean_follows_the_part_that_moves():
    assert alphas(sweeps.partwise(LINEAR, (0, 1), part=2)) == [(0, 0, 0), (0, 1, 0.5)]


def test_a_base_for_other_blocks_is_refused():
    with pytest.raises(AlphasError, match="2 alphas were given"):
        sweeps.partwise(THIRDS, (0, 1), (0.2, 0.3))
