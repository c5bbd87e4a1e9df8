"""Racing: few items for every point, more only where the front is not decided, and what stopping early costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hma.core import statistics
from hma.core.difference import Difference
from hma.core.front import ends
from hma.core.point import MEAN, REWARD, Point, over_groups, resampled_scores
from hma.core.statistics import Result
from hma.core.sure import sureness

SPARE = 0.05
"""A point that is on the front in at most this share of the resamples is out of the race."""


@dataclass(frozen=True)
class Heat:
    """Who goes on from one size to the next: the keys that do, and of those that do not their share of resamples on the front."""

    kept: tuple[str, ...]
    dropped: Mapping[str, float]

    @property
    def expected_losses(self) -> float:
        """How many of the dropped points the front of all the items would have, going by their shares."""
        return sum(self.dropped.values())


def heat(points: Sequence[Point], spare: float = SPARE) -> Heat:
    """Of points on the same items, those whose place off the front is not decided; the two ends always go on."""
    shares = sureness(points).shares
    always = {end.key for end in ends(points) if end is not None}
    kept = tuple(p.key for p in points if shares[p.key] > spare or p.key in always)
    return Heat(kept, {key: share for key, share in shares.items() if key not in kept})


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
