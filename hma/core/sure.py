"""How sure a front is: who is on it, and its hypervolume, in resamples of the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import moocore
import numpy as np

from hma.core import front as fronts
from hma.core import statistics
from hma.core.point import Point

_DIGITS = 9
"""Points of equal items are equal in every resample to this many decimals, in whatever order their sums were taken."""


@dataclass(frozen=True)
class Sureness:
    """What resamples of a study's items, the same for all its points, say of its front.

    ``shares`` is, by key, the share of resamples in which a point is on the front. It is no probability that it belongs
    there: points that are nearly alike take the place from one another. ``hypervolume`` is a 95 % interval, or None
    until both ends are measured.
    """

    shares: Mapping[str, float]
    hypervolume: tuple[float, float] | None


def sureness(points: Sequence[Point]) -> Sureness:
    """How sure the front of all these points of one study is. Raises ValueError for points of other numbers of items."""
    if not points:
        return Sureness({}, None)
    planes = resampled_planes(points)
    members = np.stack([moocore.is_nondominated(plane, maximise=True, keep_weakly=True) for plane in planes])
    shares = {p.key: float(share) for p, share in zip(points, members.mean(axis=0), strict=True)}
    return Sureness(shares, _hypervolume(points, planes, members))


def resampled_planes(points: Sequence[Point]) -> np.ndarray:
    """Reward and ability of every point in each resample: ``(NUM_RESAMPLES, num_points, 2)``."""
    if len({(p.reward.num_items, p.ability.num_items) for p in points}) > 1:
        raise ValueError("points of other numbers of items are of other studies, and cannot be paired")
    if any(score.samples is None for p in points for score in (p.reward, p.ability)):
        raise ValueError("only points of a store keep their resamples")
    planes = np.array([[p.reward.samples for p in points], [p.ability.samples for p in points]])
    return np.ascontiguousarray(planes.transpose(2, 1, 0)).round(_DIGITS)


def _hypervolume(points: Sequence[Point], planes: np.ndarray, members: np.ndarray) -> tuple[float, float] | None:
    """The interval of the area between front and corner, mirrored, since a front picks the best of many.

    The corner is computed in each resample anew: it is the ends' own, and what an easy or a hard draw of items gives to
    all points alike then does not count as more or less area.
    """
    corner = fronts.corner_of(points)
    if corner is None:
        return None
    ends = [points.index(end) for end in fronts.ends(points)]
    corners = planes[:, ends].min(axis=1)
    areas = [
        moocore.hypervolume(plane[kept], ref=worst, maximise=True)
        for plane, kept, worst in zip(planes, members, corners, strict=True)
    ]
    low, high = statistics.mirrored_interval(fronts.hypervolume(points, corner), np.array(areas))
    return max(0.0, low), max(0.0, high)
