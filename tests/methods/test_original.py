"""The original code's names and partitions, with the worked example of its rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.core.partition import Partition
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.errors import AlphasError
from hma.methods.original import partition, read_name, with_head, write_name


def test_the_worked_example():
    """``split|10#20|0.4|0.3|0.2`` with alpha 0.5: embeddings 0.4, layers 0-10 0.4, 11-20 0.3, 21+ 0.2, norm and head 0.5."""
    shares = read_name("pma_0.5_x_split|10#20|0.4|0.3|0.2_y", 26).shares
    assert shares == (0.4, *[0.4] * 11, *[0.3] * 10, *[0.2] * 5, 0.5, 0.5)
    assert read_name("pma_0.5_x_split0|10#20|0.4|0.3|0.2_y", 26).shares[-2:] == (0.5, 0.0)


@given(st.integers(2, 40), st.data())
def test_names_are_read_as_they_were_written(num_layers, data):
    pivots = tuple(sorted(data.draw(st.sets(st.integers(0, num_layers - 2), min_size=1, max_size=4))))
    tenths = st.integers(0, 10).map(lambda n: n / 10)
    shares = tuple(data.draw(tenths) for _ in range(len(pivots) + 1))
    rest = data.draw(tenths)
    head = data.draw(st.sampled_from([rest, 0.0]))
    recipe = Recipe(Partition.at(num_layers, pivots, ("norm", "head")), (*shares, rest, head))
    assert read_name(write_name(recipe, "a_b", "c"), num_layers).shares == recipe.shares


WRONG = {
    "pma_0.5": "is no name",
    "pma_0.5_a_split|10#20|0.4|0.3_b": "2 pivots and 2 shares",
    "pma_0.5_a_split|10#30|0.4|0.3|0.2_b": "counted from 0",
    "pma_0.5_a_split|20#10|0.4|0.3|0.2_b": "rising",
    "pma_0.5_a_split|10#20|0.4|1.3|0.2_b": "from 0 to 1",
    "pma_5_a_split|10#20|0.4|0.3|0.2_b": "the share 5",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_name_that_means_nothing_is_refused(name):
    with pytest.raises(AlphasError, match=WRONG[name]):
        read_name(name, 26)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(Partition.equal(6, 1), (0.2,)),
        Recipe(Partition.equal(6, 3), (0.2, 0.3, 0.4), Precision("float16")),
        Recipe(Partition(6, (0, 2), ("embeddings",)), (0.1, 0.2, 0.3)),
        Recipe(Partition(6, (0, 2), ("head",), linear_only=True), (1.0, 0.3, 1.0)),
    ],
)
def test_a_recipe_that_the_names_cannot_say_is_refused(recipe):
    with pytest.raises(AlphasError, match="say only"):
        write_name(recipe)


@given(st.integers(1, 9), st.data())
def test_the_heads_alpha_is_the_mean_unless_it_is_given(num_blocks, data):
    partition = Partition(12, tuple(range(num_blocks)), ("head",), linear_only=True)
    alphas = tuple(data.draw(st.floats(0, 1)) for _ in range(num_blocks))
    recipe = Recipe(partition, with_head(alphas, partition))
    assert recipe.alphas[-1] == pytest.approx(sum(alphas) / num_blocks, abs=1e-6)
    assert with_head((*alphas, 0.5), partition) == (*alphas, 0.5)
    assert with_head(alphas, Partition(12, partition.starts, ("head",))) == alphas


@pytest.mark.parametrize(
    ("name", "num_layers", "sizes"),
    [
        ("block3", 26, [8, 8, 10]),
        ("block3", 32, [11, 10, 11]),
        ("block3", 12, [8, 4]),
        ("block6", 26, [4, 4, 4, 4, 4, 6]),
        ("block9", 26, [2] * 8 + [10]),
        ("layerwise", 3, [1, 1, 1]),
    ],
)
def test_its_partitions_have_its_sizes(name, num_layers, sizes):
    found = partition(name, num_layers)
    assert [len(found.layers(k)) for k in range(found.num_blocks)] == sizes


@pytest.mark.parametrize("name", ["block0", "block27", "thirds", "3"])
def test_another_name_is_no_partition(name):
    assert partition(name, 26) is None
