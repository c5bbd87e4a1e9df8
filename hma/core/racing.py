"""Racing: few items for every point, more only where the front is not decided, and what stopping early costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hma.core import statistics
from hma.core.difference import Difference
from hma.core.front import ends, front
from hma.core.point import MEAN, REWARD, Point, over_groups, resampled_scores
from hma.core.statistics import Result

SURE = 0.99
"""The share of resamples in which a point must be beaten on each axis to be out of the race."""


@dataclass(frozen=True)
class Heat:
    """Who goes on from one size to the next: the keys that do, and of each that does not the key that beats it."""

    kept: tuple[str, ...]
    dropped: Mapping[str, str]


def heat(points: Sequence[Point]) -> Heat:
    """Of points on the same items, those that no other one surely beats; the two ends always go on.

    Beaten is who has both less reward and less mean ability than one and the same member of the front, each in ``SURE`` of
    the paired resamples. That a point leaves the front in most resamples is no reason to drop it: where it answered every
    prompt as its neighbour did, items that tell them apart are yet to come.
    """
    always = {end.key for end in ends(points) if end is not None}
    best = front(points)
    planes = [[(p.reward.samples, p.ability.samples) for p in some] for some in (best, points)]
    rivals = np.array(planes[0])  # (front, 2, resamples)
    dropped = {}
    for point, plane in zip(points, planes[1], strict=True):
        beaten = (rivals > np.array(plane)).mean(axis=2).min(axis=1)
        if point.key not in always and beaten.max() >= SURE:
            dropped[point.key] = best[int(beaten.argmax())].key
    return Heat(tuple(p.key for p in points if p.key not in dropped), dropped)


def flattery(
    kept: Sequence[Mapping[str, Result]], ends: Sequence[Mapping[str, Result]], groups: Mapping[str, Sequence[str]], first: int
) -> dict[str, Difference]:
    """By how much the first items, which the race was decided on, flatter the points that were kept.

    Of reward and mean ability: the mean of the kept points on their first items less that on the further ones, less the
    same of the two ends, which nothing was chosen by and which tell how much easier those items are. With 95 % intervals
    over items, the same for all points. Positive: a front drawn on all the items is that much too good in its first part.
    """
    seen = [*kept, *ends]
    first_part, further = (
        [{n: r.part(*span) for n, r in point.items()} for point in seen] for span in ((0, first), (first, None))
    )
    values = _advantage(_values(first_part, groups), _values(further, groups), len(kept))
    samples = _advantage(resampled_scores(first_part, groups), resampled_scores(further, groups), len(kept))
    counts = {REWARD: len(seen[0][REWARD].ids), MEAN: sum(len(seen[0][t].ids) for tasks in groups.values() for t in tasks)}
    return {n: Difference(float(values[n]), *statistics.interval(samples[n]), counts[n]) for n in (REWARD, MEAN)}


def _values(points: Sequence[Mapping[str, Result]], groups: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    values = {name: np.array([statistics.value(point[name]) for point in points]) for name in points[0]}
    return {**values, MEAN: over_groups(values, groups)}


def _advantage(first: Mapping[str, np.ndarray], further: Mapping[str, np.ndarray], num_kept: int) -> dict[str, np.ndarray]:
    """First less further: the mean of the first ``num_kept`` points, less that of the rest."""
    less = {name: first[name] - further[name] for name in (REWARD, MEAN)}
    return {name: both[:num_kept].mean(axis=0) - both[num_kept:].mean(axis=0) for name, both in less.items()}
