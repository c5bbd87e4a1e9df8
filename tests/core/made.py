"""Points and results made up for tests of what is said of them."""

from hma.core.partition import Partition
from hma.core.point import Point, scores_of
from hma.core.recipe import Recipe
from hma.core.statistics import Result


def mean(values, name="i"):
    """A result whose items are these values."""
    return Result("mean", values.reshape(-1, 1), tuple(f"{name}{i}" for i in range(len(values))))


def points(results, groups, alphas=None):
    """Points as a store gives them, from the results of each; ``alphas`` of each, else none is an end."""
    alphas = alphas or [(0.5, i / len(results), 0.1) for i in range(len(results))]
    scored = zip(alphas, scores_of(results, groups), strict=True)
    return [Point(f"{i}", Recipe(Partition.equal(6), a), *scores) for i, (a, scores) in enumerate(scored)]
