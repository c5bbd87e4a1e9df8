"""Power: what difference between two points so many items can show, told from the items of points already measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from hma.core.difference import FEWEST_ITEMS, check_paired
from hma.core.point import MEAN
from hma.core.robust import mean_weights
from hma.core.statistics import Result, resampled_together

POWER, LEVEL = 0.8, 0.05
"""A detectable difference is shown in this share of runs; one that is none, in this share (two-sided)."""

ERRORS = NormalDist().inv_cdf(1 - LEVEL / 2) + NormalDist().inv_cdf(POWER)
"""How many standard errors a difference must measure to be detectable: 2.80."""

_DIGITS = 9
"""Resamples of equal items are equal to this many decimals."""


@dataclass(frozen=True)
class Spread:
    """How one score's items vary, and how much of it two points share: what decides which differences can be shown.

    ``variance`` is that of one point's items, ``difference_variance`` that of the differences on the same items; both of
    one item, or, for the mean ability, of one item of each task. ``standard_error`` is that of the difference of two
    points over the items that were measured.
    """

    variance: float
    difference_variance: float
    standard_error: float

    @property
    def correlation(self) -> float | None:
        """How alike two points are from item to item, -1 to 1; None where the items of both do not vary."""
        return 1 - self.difference_variance / (2 * self.variance) if self.variance > 0 else None

    def detectable(self, num_items: int | None = None) -> float | None:
        """The minimum detectable effect: the difference that is shown with ``POWER``, in the score's unit.

        Over the items that were measured, or over ``num_items`` of each task. None where nothing can be said: the points
        are equal on every item, or the items are fewer than any difference needs.
        """
        if self.difference_variance == 0:
            return None
        error = self.standard_error if num_items is None else math.sqrt(self.difference_variance / num_items)
        count = round((math.sqrt(self.difference_variance) / error) ** 2, 6)
        return None if count < FEWEST_ITEMS else ERRORS * error

    def items_for(self, effect: float) -> int | None:
        """Items, of each task, from which a difference of ``effect`` is detectable; None where nothing can be said."""
        if not effect > 0:
            raise ValueError(f"effect is {effect}, must be above 0")
        if self.difference_variance == 0:
            return None
        exact = self.difference_variance * (ERRORS / effect) ** 2
        return max(FEWEST_ITEMS, math.ceil(round(exact, 6)))


def power(
    pairs: Sequence[tuple[Mapping[str, Result], Mapping[str, Result]]], groups: Mapping[str, Sequence[str]]
) -> dict[str, Spread]:
    """The spread of each score, by name and as ``MEAN`` over ``groups``, with the variances of ``pairs`` averaged.

    Scores of fewer than two items are left out, and ``MEAN`` with them. Raises ValueError for a pair of other items.
    """
    found = [_spreads(one, other, groups) for one, other in pairs]
    names = [name for name in found[0] if all(name in spreads for spreads in found)] if found else []
    return {name: _pooled([spreads[name] for spreads in found]) for name in names}


def _spreads(one: Mapping[str, Result], other: Mapping[str, Result], groups: Mapping[str, Sequence[str]]) -> dict[str, Spread]:
    """The spread of each score from one pair of points."""
    check_paired(one, other)
    found = {}
    for name, result in one.items():
        count = len(result.items)
        if count < 2:
            continue
        if result.aggregation == "bleu":  # No item has a BLEU of its own: that of all varies as a mean of as many items would.
            both = resampled_together([result, other[name]]).round(_DIGITS) * math.sqrt(count)
        else:
            both = np.stack([result.items[:, 0], other[name].items[:, 0]])
        variance, difference = float(both.var(axis=1, ddof=1).mean()), float((both[0] - both[1]).var(ddof=1))
        found[name] = Spread(variance, difference, math.sqrt(difference / count))
    return found | ({MEAN: _mean(found, mean_weights(groups))} if all(t in found for t in mean_weights(groups)) else {})


def _mean(tasks: Mapping[str, Spread], weights: Mapping[str, float]) -> Spread:
    """The spread of a weighted mean of tasks, whose items are drawn independently."""
    variance = sum(w**2 * tasks[t].variance for t, w in weights.items())
    difference = sum(w**2 * tasks[t].difference_variance for t, w in weights.items())
    return Spread(variance, difference, math.sqrt(sum((w * tasks[t].standard_error) ** 2 for t, w in weights.items())))


def _pooled(spreads: Sequence[Spread]) -> Spread:
    """One spread from several of as many items: variances are averaged, of the pairs that differ on any item at all."""
    spreads = [s for s in spreads if s.difference_variance > 0] or spreads
    variance = float(np.mean([s.variance for s in spreads]))
    difference = float(np.mean([s.difference_variance for s in spreads]))
    return Spread(variance, difference, math.sqrt(np.mean([s.standard_error**2 for s in spreads])))
