"""Questions to a surrogate: what points say of alphas, and where to measure next; without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hma.core.front import front
from hma.core.observation import Observation
from hma.core.partition import Partition
from hma.core.point import Point
from hma.core.recipe import digest
from hma.core.surrogate import FEWEST

DIAGONAL = (0.5, 0.25, 0.75)
"""MA points of every start, the most telling first."""


def spread_first(num_blocks: int, budget: int) -> int:
    """How many of a search's ``budget`` points are spread before anything is suggested.

    Both ends, MA, and two for each block; half of the budget at most, and what a surrogate needs at least.
    """
    return max(min(FEWEST, budget), min(2 + len(DIAGONAL) + 2 * num_blocks, budget // 2))


PREDICTOR = "predictor"
"""The kind of what is kept of questions that only ask what points predict: a predictor as a JSON value, or None."""


_DIGITS = 9
"""Significant digits to which observations count in a question's name."""


@dataclass(frozen=True)
class Question:
    """Which alphas to measure next, after ``observed``: ``num`` of them, in a search that begins with ``start`` spread ones.

    With ``num`` 0 it is only asked what the points predict.
    """

    observed: tuple[Observation, ...]
    num_blocks: int
    start: int
    num: int = 1
    seed: int = 0

    @property
    def key(self) -> str:
        """A name for it: the same for the same points, in whatever order, and whichever were scored together (the last bits)."""
        points = sorted([list(o.alphas), *map(_rounded, _numbers(o))] for o in self.observed)
        return digest([points, self.num_blocks, self.start, self.num, self.seed])


def _numbers(observed: Observation) -> tuple[float, ...]:
    return observed.reward, observed.reward_variance, observed.ability, observed.ability_variance


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


MOST = 300
"""Points that a prediction is made from at most: it is solved in the cube of their number, and more tell little more."""


def predicting(points: Sequence[Point], partition: Partition) -> Question | None:
    """What the points that a partition's alphas can say predict; None for too few of them.

    Of more than ``MOST``, those on the front and, of the others, as many as are left, by their names: which are no order at all.
    """
    said = {point.key: (point, alphas) for point in points if (alphas := point.recipe.over(partition))}
    if len(said) > MOST:
        members = [point.key for point in front([point for point, _ in said.values()])]
        kept = set([*members, *sorted(said.keys() - set(members))][:MOST])
        said = {key: both for key, both in said.items() if key in kept}
    observed = tuple(Observation.of(point, alphas) for point, alphas in said.values())
    return Question(observed, partition.num_blocks, start=0, num=0) if len(observed) >= FEWEST else None


@dataclass(frozen=True)
class Reply:
    """Alphas to measure next and why (see ``hma.methods.search.Asked``); ``predictor`` is a ``hma.core.surrogate.Predictor`` as a
    JSON value, None while there are too few points or its leave-one-out error says that it knows nothing."""

    alphas: tuple[tuple[float, ...], ...] = ()
    why: str = ""
    predictor: dict[str, Any] | None = None
