"""The difference of two points, with intervals paired by item, since the same items were put to both models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hma.core import statistics
from hma.core.point import MEAN, Point, Score, over_groups, resampled_scores
from hma.core.statistics import Result

FEWEST_ITEMS = 6
"""Items below which no difference is shown: even where five all agree in sign, chance has them agree in one of 16 tries."""

_MOST_TIES = 0.004
"""Resamples without a difference above which too few items differ: of six, e^-6 = 0.25 % draw none; of five, 0.67 %."""


@dataclass(frozen=True)
class Difference:
    """A difference with its 95 % interval, over so many items: of a mean over tasks, those of the task with the fewest.

    ``ties`` is the share of resamples in which there is none: those that drew no item that differs.
    """

    value: float
    low: float
    high: float
    num_items: int
    ties: float = 0.0

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves zero out, and enough items differ.

        Each interval stands by itself: of many differences that are none, one in twenty is shown by chance, and a pair
        that was picked for its difference is shown more often than that.
        """
        return self.is_enough and not self.low <= 0 <= self.high

    @property
    def is_enough(self) -> bool:
        """Whether so many items differ that any difference could be shown."""
        return is_enough(self.num_items, self.ties)


def is_enough(num_items: int, ties: float) -> bool:
    """Whether a difference can be shown on so many items, with this share of resamples in which there is none."""
    return num_items >= FEWEST_ITEMS and ties <= _MOST_TIES


def difference(one: Score, other: Score) -> Difference:
    """One score minus the other of the same name, for two points of a study, from the resamples that both keep.

    Raises ValueError for scores that keep none, or of other numbers of items.
    """
    if one.samples is None or other.samples is None:
        raise ValueError("only the reward and the mean ability of a stored point keep their resamples")
    if one.num_items != other.num_items:
        raise ValueError(f"{one.num_items} items cannot be paired with {other.num_items}")
    return _difference(one.value - other.value, one.samples - other.samples, one.fewest_items or one.num_items)


def differences(
    one: Mapping[str, Result], other: Mapping[str, Result], groups: Mapping[str, Sequence[str]]
) -> dict[str, Difference]:
    """Each score of one point minus the other's, by name and as ``MEAN`` over ``groups``, from the per-item results of both.

    Raises ValueError where these are of other items.
    """
    samples = difference_samples(one, other, groups)
    values = {n: np.float64(statistics.value(one[n]) - statistics.value(other[n])) for n in one}
    values[MEAN] = over_groups(values, groups)
    counts = {n: len(result.items) for n, result in one.items()}
    counts[MEAN] = min(counts[task] for tasks in groups.values() for task in tasks)
    return {n: _difference(float(values[n]), samples[n], counts[n]) for n in samples}


def _difference(value: float, samples: np.ndarray, num_items: int) -> Difference:
    return Difference(value, *statistics.interval(samples), num_items, share_of_ties(samples))


def share_of_ties(samples: np.ndarray) -> float:
    """The share of resamples ``(NUM_RESAMPLES,)`` of a difference in which there is none."""
    return float((np.abs(samples) < 1e-9).mean())


def difference_samples(
    one: Mapping[str, Result], other: Mapping[str, Result], groups: Mapping[str, Sequence[str]]
) -> dict[str, np.ndarray]:
    """What ``differences`` are in each resample of the items, ``(NUM_RESAMPLES,)`` by name."""
    check_paired(one, other)
    return {name: both[0] - both[1] for name, both in resampled_scores([one, other], groups).items()}


def are_indistinguishable(one: Point, other: Point) -> bool:
    """Whether neither the reward nor the mean ability of two points of a study is shown to differ."""
    return not (difference(one.reward, other.reward).is_shown or difference(one.ability, other.ability).is_shown)


def check_paired(one: Mapping[str, Result], other: Mapping[str, Result]) -> None:
    """Raises ValueError, with the score's name, unless both hold the same metrics of the same items in the same order."""
    if set(one) != set(other):
        raise ValueError(f"scores {sorted(one)} cannot be paired with {sorted(other)}")
    for name in one:
        hashes = one[name].hashes and other[name].hashes  # Old results have none.
        same = one[name].hashes == other[name].hashes if hashes else one[name].ids == other[name].ids
        if one[name].aggregation != other[name].aggregation or not same:
            raise ValueError(f"the results of {name} are of other items, so that they cannot be paired")
