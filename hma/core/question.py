"""Questions to a surrogate: what points say of alphas, and where to measure next; without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hma.core.front import front
from hma.core.observation import Observation
from hma.core.partition import Partition
from hma.core.point import Point
from hma.core.recipe import digest
from hma.core.surrogate import FEWEST
from hma.core.survey import Surveyed

DIAGONAL = (0.5, 0.25, 0.75)
"""MA points of every start, the most telling first."""

LADDER = 21
"""Alphas of one block that a search tries, 0 and 1 among them: 0.05 apart, which sliders can show and points can share."""


def spread_first(num_blocks: int, is_surveyed: bool = False) -> int:
    """How many points of a search are spread before anything is suggested: both ends, MA, and one or two beside for each block.

    After a survey they are some more, as many for each block again, and lie on what it takes for the front.

    Whatever the budget is, so that a search with a larger one goes on where one with a smaller one ended. While they do not
    tell enough, it spreads on.
    """
    return 1 + len(DIAGONAL) + num_blocks * (2 if is_surveyed else 1)


PREDICTOR = "predictor"
"""The kind of what is kept of questions that only ask what points predict: a predictor as a JSON value, or None."""


_DIGITS = 9
"""Significant digits to which observations count in a question's name."""


@dataclass(frozen=True)
class Question:
    """Which alphas to measure next, after ``observed``: ``num`` of them, in a search that begins with ``start`` spread ones.

    They are on the ladder of ``steps``. With ``num`` 0 it is only asked what the points predict. What was ``surveyed`` tells
    where to begin, and helps to predict.
    """

    observed: tuple[Observation, ...]
    num_blocks: int
    start: int
    num: int = 1
    seed: int = 0
    steps: int = LADDER
    surveyed: Surveyed | None = None

    @property
    def key(self) -> str:
        """A name for it: the same for the same points, in whatever order, and whichever were scored together (the last bits)."""
        points = sorted([list(o.alphas), *map(_rounded, _numbers(o))] for o in self.observed)
        ladder = [] if self.steps == LADDER else [self.steps]
        known = [[list(map(_rounded, value)) for value in self.surveyed.values]] if self.surveyed else []
        return digest([points, self.num_blocks, self.start, self.num, self.seed, *ladder, *known])


def _numbers(observed: Observation) -> tuple[float, ...]:
    return observed.reward, observed.reward_variance, observed.ability, observed.ability_variance


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


MOST = 300
"""Points that a prediction is made from at most: it is solved in the cube of their number, and more tell little more."""


def observations(points: Sequence[Point], partition: Partition) -> tuple[Observation, ...]:
    """What the points that a partition's alphas can say tell of these.

    Of more than ``MOST``, those on the front and, of the others, as many as are left, by their names: which are no order at all.
    """
    said = {point.key: (point, alphas) for point in points if (alphas := point.recipe.over(partition))}
    if len(said) > MOST:
        members = [point.key for point in front([point for point, _ in said.values()])]
        kept = set([*members, *sorted(said.keys() - set(members))][:MOST])
        said = {key: both for key, both in said.items() if key in kept}
    return tuple(Observation.of(point, alphas) for point, alphas in said.values())


def predicting(points: Sequence[Point], partition: Partition) -> Question | None:
    """What the points that a partition's alphas can say predict; None for too few of them."""
    observed = observations(points, partition)
    return Question(observed, partition.num_blocks, start=0, num=0) if len(observed) >= FEWEST else None


@dataclass(frozen=True)
class Reply:
    """Alphas to measure next, and what the points told of them.

    ``why`` is start (the points that every search begins with), front (where it promises to gain most), or spread (the points
    do not tell yet). ``errors`` are the leave-one-out errors of reward and mean ability over the spread of their values, and
    ``inert`` the blocks whose alpha has no effect, counted from 0; both empty before anything was fitted. ``predictor`` is a
    ``hma.core.surrogate.Predictor`` as a JSON value, None while there are too few points or its errors say that it knows nothing.
    """

    alphas: tuple[tuple[float, ...], ...] = ()
    why: str = ""
    predictor: dict[str, Any] | None = None
    errors: tuple[float, ...] = ()
    inert: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """All but the predictor, as a JSON value."""
        return {"alphas": [list(a) for a in self.alphas], "why": self.why, "errors": list(self.errors), "inert": list(self.inert)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Reply:
        """The inverse of ``to_dict``."""
        alphas = tuple(tuple(a) for a in data["alphas"])
        return cls(alphas, data["why"], errors=tuple(data["errors"]), inert=tuple(data["inert"]))
