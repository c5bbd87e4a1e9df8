"""The tax: ability lost against the reference, with intervals paired by item, since the same items were put to both models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hma.core import statistics
from hma.core.point import REWARD, Point
from hma.core.statistics import Result

MEAN = "mean ability"
"""The name of the mean over groups among the taxes."""


@dataclass(frozen=True)
class Difference:
    """A difference with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def tax(reference: Point, point: Point) -> dict[str, float]:
    """Ability lost against the reference by task, and as ``MEAN`` over the groups: positive is a loss."""
    lost = {n: reference.scores[n].value - s.value for n, s in point.scores.items() if n != REWARD}
    return {**lost, MEAN: reference.ability.value - point.ability.value}


def taxes(
    reference: Mapping[str, Result], point: Mapping[str, Result], groups: Mapping[str, Sequence[str]]
) -> dict[str, Difference]:
    """What ``tax`` says, with 95 % intervals, from the per-item results of both.

    Both sides draw the same items in every resample, as ``hma.core.point.mean_ability`` does.
    """
    tasks = [task for members in groups.values() for task in members]
    values = {t: statistics.value(reference[t]) - statistics.value(point[t]) for t in tasks}
    samples = {t: statistics.resampled(reference[t], seed) - statistics.resampled(point[t], seed) for seed, t in enumerate(tasks)}
    found = {t: Difference(values[t], *statistics.interval(samples[t])) for t in tasks}
    mean = np.mean([np.mean([samples[t] for t in members], axis=0) for members in groups.values()], axis=0)
    value = float(np.mean([np.mean([values[t] for t in members]) for members in groups.values()]))
    return {**found, MEAN: Difference(value, *statistics.interval(mean))}


def reward_gain(reference: Mapping[str, Result], point: Mapping[str, Result]) -> Difference:
    """Reward won over the reference on the same prompts."""
    samples = statistics.resampled(point[REWARD]) - statistics.resampled(reference[REWARD])
    value = statistics.value(point[REWARD]) - statistics.value(reference[REWARD])
    return Difference(value, *statistics.interval(samples))
