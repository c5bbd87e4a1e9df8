"""Contenders: a study's points sorted by the method that measured them, for a comparison of what each found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hma import text
from hma.core import front as fronts
from hma.core.alphas import mean_alpha
from hma.core.fit import PROXY
from hma.core.point import Point

MA, HMA, OWN, BEYOND = "ma", "hma", "own", "beyond"
"""Points with one alpha for all blocks; those with a share per block, of whatever method; what a person asked for one by one;
merges beyond the two ends."""

_SAME = {HMA: PROXY}
"""Names that the store has for one method: the verb compare calls the paper's HMA otherwise than a fit does."""


@dataclass(frozen=True)
class Contender:
    """A method with its points on the items that choose: its own, and both ends, which count among everyone's."""

    name: str
    points: tuple[Point, ...]


def contenders(points: Sequence[Point]) -> list[Contender]:
    """Who has points, MA first and HMA second, then the methods behind HMA's points where these are of more than one.

    A point belongs to the method that measured it first, and every merge with one alpha for all blocks to MA as well.
    """
    ends = [end for end in fronts.ends(points) if end is not None]
    sorts: dict[str, list[Point]] = {MA: [], HMA: [], OWN: [], BEYOND: []}
    methods: dict[str, list[Point]] = {}
    for point in points:
        if point.recipe.is_end:
            continue
        if point.recipe.is_extrapolation:
            sorts[BEYOND].append(point)
            continue
        sorts[MA if point.recipe.is_average else HMA].append(point)
        if text.is_own(point):
            sorts[OWN].append(point)
        else:
            methods.setdefault(_SAME.get(point.method, point.method), []).append(point)
    behind = {name: some for name, some in methods.items() if not all(p.recipe.is_average for p in some)}
    if len(behind) + bool(sorts[OWN]) < 2:
        behind = {}
    ordered = {MA: sorts[MA], HMA: sorts[HMA], **behind, OWN: sorts[OWN], BEYOND: sorts[BEYOND]}
    return [Contender(name, (*ends, *some)) for name, some in ordered.items() if some]


def evenly(points: Sequence[Point], count: int) -> tuple[Point, ...]:
    """``count`` of the points, picked without a look at their scores: the ends, then others evenly along the mean alpha.

    At each of the evenly spaced mean alphas it is the nearest point that is left; of equally near ones that with the first
    key, which is a hash of the recipe. So the same come in whatever order they are given; all where there are no more.
    """
    if len(points) <= count:
        return tuple(points)
    picked = [p for p in points if p.recipe.is_end]
    left = {p.key: mean_alpha(p.recipe.alphas) for p in sorted(points, key=lambda p: p.key) if not p.recipe.is_end}
    wanted = max(0, count - len(picked))
    keys = []
    for place in range(1, wanted + 1):
        target = place / (wanted + 1)
        keys.append(min(left, key=lambda key: round(abs(left[key] - target), 9)))
        del left[keys[-1]]
    named = {p.key: p for p in points}
    return (*picked, *(named[key] for key in keys))
