"""What a merge keeps of RLHF's gain in reward, and what it gives back of the ability that was lost, as shares of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hma.core import statistics
from hma.core.difference import difference
from hma.core.point import Point, Score


@dataclass(frozen=True)
class Share:
    """A share of a difference, 1 being all of it, with its 95 % interval. It may lie below 0 and above 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Kept:
    """``reward`` is the share of the gain in reward that is kept, ``ability`` that of the lost ability that is given back.

    None where the two ends are not shown to differ that way round: a share of nothing says nothing.
    """

    reward: Share | None
    ability: Share | None


def kept(reference: Point, policy: Point, point: Point) -> Kept:
    """What a point keeps and gives back, from the resamples that the three points of one study have in common."""
    return Kept(
        _share(reference.reward, point.reward, policy.reward),
        _share(policy.ability, point.ability, reference.ability),
    )


def _share(start: Score, here: Score, end: Score) -> Share | None:
    """How far ``here`` lies on the way from ``start`` to ``end``, reckoned in each resample of the same items.

    The ends' difference is shown, so that all but very few resamples have it, and none of these makes an interval's end.
    """
    whole = difference(end, start)
    if not (whole.is_shown and whole.value > 0):
        return None
    part, length = here.samples - start.samples, end.samples - start.samples
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = np.where(length > 0, part / length, np.nan)
    low, high = statistics.interval(samples[~np.isnan(samples)])
    return Share((here.value - start.value) / whole.value, low, high)
