"""The tax: ability lost against the reference, with intervals paired by item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hma.core.difference import Difference, differences
from hma.core.point import MEAN, REWARD, Point
from hma.core.statistics import Result


def tax(reference: Point, point: Point) -> dict[str, float]:
    """Ability lost against the reference by task, and as ``MEAN`` over the groups: positive is a loss.

    What further chat scores lost stands among the tasks: a point does not know which of its scores are abilities.
    """
    lost = {n: reference.scores[n].value - s.value for n, s in point.scores.items() if n != REWARD}
    return {**lost, MEAN: reference.ability.value - point.ability.value}


def taxes(
    reference: Mapping[str, Result], point: Mapping[str, Result], groups: Mapping[str, Sequence[str]]
) -> dict[str, Difference]:
    """What ``tax`` says, with 95 % intervals, from the per-item results of both.

    Raises ValueError where these are of other items.
    """
    abilities = {MEAN, *(task for tasks in groups.values() for task in tasks)}
    return {name: found for name, found in differences(reference, point, groups).items() if name in abilities}
