"""Comparing methods: fronts chosen on validation items and drawn on test items, with one corner, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import moocore
import numpy as np

from hma.core import front as fronts
from hma.core import statistics
from hma.core.difference import is_enough, share_of_ties
from hma.core.point import Point
from hma.core.sure import resampled_planes

SHARES_OF_GAIN = (0.98, 0.95, 0.90, 0.80)
"""Shares of the policy's gain in reward at which abilities are compared."""


@dataclass(frozen=True)
class Estimate:
    """A number on test items with its 95 % interval over them. ``is_enough``: of a difference, whether enough items differ."""

    value: float
    low: float
    high: float
    is_enough: bool = True

    @property
    def is_shown(self) -> bool:
        """Of a difference: whether its interval leaves zero out, and enough items differ."""
        return self.is_enough and not self.low <= 0 <= self.high

    def to_dict(self) -> dict[str, float | bool]:
        return {"value": self.value, "low": self.low, "high": self.high, "is_shown": self.is_shown}


@dataclass(frozen=True)
class Against:
    """One method less another: hypervolume, and ability at each of ``SHARES_OF_GAIN``."""

    hypervolume: Estimate
    abilities: Mapping[float, Estimate]


@dataclass(frozen=True)
class Comparison:
    """Methods on one corner, by their names. ``hypervolumes`` are a share of the box between the corner and the ends' better
    sides, in per cent; ``abilities`` the mean ability at each share of the policy's gain in reward, read off the straight
    lines between neighbours on the method's front: merges between them were not measured.

    ``against`` has the methods but the first, each less the first.
    """

    hypervolumes: Mapping[str, Estimate]
    abilities: Mapping[str, Mapping[float, Estimate]]
    against: Mapping[str, Against]


def compare(methods: Mapping[str, Sequence[Point]], reference: Point, policy: Point) -> Comparison:
    """The methods' points on the same test items, which did not choose them; both ends count among every method's.

    Of the resamples of items all are the same for every point, so that differences are paired. Intervals are mirrored, since
    a front takes the best of its points by luck too. Raises ValueError for no method, or for points of other items.
    """
    if not methods:
        raise ValueError("there is nothing to compare")
    every = list({p.key: p for p in (reference, policy, *(p for points in methods.values() for p in points))}.values())
    place = {point.key: i for i, point in enumerate(every)}
    planes = np.concatenate([_values(every)[None], resampled_planes(every)])  # (1 + resamples, points, 2); the first is exact.
    both = [place[reference.key], place[policy.key]]
    samples = {
        name: _Samples.of(planes, sorted({*both, *(place[p.key] for p in points)}), both) for name, points in methods.items()
    }
    first, *others = samples.values()
    num_items = min(min(p.reward.num_items, p.ability.fewest_items or p.ability.num_items) for p in every)
    return Comparison(
        {name: _estimate(found.hypervolumes) for name, found in samples.items()},
        {name: {share: _estimate(a) for share, a in found.abilities.items()} for name, found in samples.items()},
        {
            name: Against(
                _less(found.hypervolumes - first.hypervolumes, num_items),
                {share: _less(found.abilities[share] - first.abilities[share], num_items) for share in SHARES_OF_GAIN},
            )
            for name, found in zip(list(samples)[1:], others, strict=True)
        },
    )


@dataclass(frozen=True)
class _Samples:
    """A method's numbers, first on the items as they are, then in each resample: ``(1 + NUM_RESAMPLES,)`` each."""

    hypervolumes: np.ndarray
    abilities: Mapping[float, np.ndarray]

    @classmethod
    def of(cls, planes: np.ndarray, places: Sequence[int], ends: Sequence[int]) -> _Samples:
        """Of the points at ``places`` in ``planes``; corner and gain are each resample's own."""
        points, two = planes[:, places], planes[:, ends]
        worst, best = two.min(axis=1), two.max(axis=1)
        boxes = (best - worst).prod(axis=1)
        areas = np.array([moocore.hypervolume(p, ref=corner, maximise=True) for p, corner in zip(points, worst, strict=True)])
        shares = np.divide(100 * areas, boxes, out=np.zeros_like(areas), where=boxes > 0)
        start, gain = two[:, 0, 0], two[:, 1, 0] - two[:, 0, 0]
        # A policy that gained nothing is its own bar, so that there is always a point that reaches it.
        bars = {share: np.minimum(start + share * gain, two[:, 1, 0]) for share in SHARES_OF_GAIN}
        found = np.array([_read_off(p, [bar[i] for bar in bars.values()]) for i, p in enumerate(points)])
        return cls(shares, dict(zip(bars, found.T, strict=True)))


def _read_off(points: np.ndarray, rewards: Sequence[float]) -> np.ndarray:
    """The abilities at ``rewards`` on the lines between the points that no other beats; beyond the last ones, theirs."""
    front = points[moocore.is_nondominated(points, maximise=True)]
    front = front[np.argsort(front[:, 0])]
    return np.interp(rewards, front[:, 0], front[:, 1])


def _values(points: Sequence[Point]) -> np.ndarray:
    return np.array([[p.reward.value, p.ability.value] for p in points]).round(9)


def _estimate(samples: np.ndarray) -> Estimate:
    value = float(samples[0])
    return Estimate(value, *statistics.mirrored_interval(value, samples[1:]))


def _less(samples: np.ndarray, num_items: int) -> Estimate:
    """A difference over so many items."""
    return replace(_estimate(samples), is_enough=is_enough(num_items, share_of_ties(samples[1:])))


def chosen(points: Sequence[Point]) -> list[Point]:
    """Of a method's points on validation items, those that no other of its points beats: what it would offer."""
    return fronts.front(points)


def in_words(name: str, against: str, difference: Estimate, unit: str) -> str:
    """A difference in a sentence, "no difference shown" where its interval holds zero."""
    interval = f"{difference.low:+.1f} to {difference.high:+.1f}"
    if not difference.is_shown:
        return f"No difference between {name} and {against} is shown: {difference.value:+.1f} {unit} ({interval})."
    better = "more" if difference.value > 0 else "less"
    return f"{name} has {abs(difference.value):.1f} {unit} {better} than {against} ({interval})."
