"""From per-item results to values, standard errors and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from hma.core.recipe import digest

NUM_RESAMPLES = 1000
"""Bootstrap resamples behind every standard error and interval."""

BLEU_WIDTH = 10
"""Columns of a BLEU item: matches of 1..4-grams, candidates of 1..4-grams, answer length, reference length."""


_TOGETHER = 200
"""Points resampled by one product of matrices, which bounds the memory it takes."""


@dataclass(frozen=True)
class Result:
    """One metric's per-item results, larger is always better.

    ``items`` is float64 ``(num_items, width)``: width 1 for a mean, ``BLEU_WIDTH`` for BLEU.
    ``ids`` name the items in the same order, ``hashes`` what was asked in each (empty where it was not recorded);
    ``outputs`` are the model's texts, where it wrote any.
    """

    aggregation: str
    items: np.ndarray
    ids: tuple[str, ...]
    outputs: tuple[str, ...] | None = None
    hashes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        width = {"mean": 1, "bleu": BLEU_WIDTH}.get(self.aggregation)
        if width is None:
            raise ValueError(f"unknown aggregation {self.aggregation!r}: mean or bleu")
        items = np.ascontiguousarray(self.items, dtype=np.float64)
        if items.ndim != 2 or items.shape[1] != width or not len(items):
            raise ValueError(f"items of shape {items.shape} for {self.aggregation}: need (num_items >= 1, {width})")
        if not np.isfinite(items).all():
            raise ValueError("items must be finite")
        if len(self.ids) != len(items) or (self.outputs is not None and len(self.outputs) != len(items)):
            raise ValueError("ids and outputs must name each item once")
        if self.hashes and len(self.hashes) != len(items):
            raise ValueError("hashes must be as many as items")
        items.setflags(write=False)
        object.__setattr__(self, "items", items)

    @property
    def item_set(self) -> str:
        """A name for which items these are, in this order."""
        return item_set(self.ids, self.hashes)

    def part(self, start: int, end: int | None = None) -> Result:
        """The items from ``start`` to ``end``, which must be one at least."""
        outputs = None if self.outputs is None else self.outputs[start:end]
        return Result(self.aggregation, self.items[start:end], self.ids[start:end], outputs, self.hashes[start:end])

    def __add__(self, more: Result) -> Result:
        """These items, then more of the same metric. Raises ValueError for an item that both hold, and for another metric."""
        if self.aggregation != more.aggregation or (self.outputs is None) != (more.outputs is None):
            raise ValueError("only results of one metric can be joined")
        if twice := sorted({*self.ids} & {*more.ids}):
            raise ValueError(f"item {twice[0]!r} is in both")
        outputs = None if self.outputs is None or more.outputs is None else self.outputs + more.outputs
        items = np.concatenate([self.items, more.items])
        return Result(self.aggregation, items, self.ids + more.ids, outputs, self.hashes + more.hashes)


def item_set(ids: Sequence[str], hashes: Sequence[str] = ()) -> str:
    """A name for items by their ids and the hashes of what they ask, in this order."""
    return digest([list(ids), list(hashes)]) if hashes else digest(list(ids))


def bleu(totals: np.ndarray) -> np.ndarray:
    """Corpus BLEU in 0..100 from summed statistics ``(..., BLEU_WIDTH)``.

    The same number as sacrebleu's ``corpus_bleu`` at its defaults (4-grams, exponential smoothing);
    a test holds it.
    """
    totals = np.asarray(totals, dtype=np.float64)
    matches, candidates = totals[..., :4], totals[..., 4:8]
    answer, reference = totals[..., 8], totals[..., 9]
    zero = (matches == 0) & (candidates > 0)
    smoothing = 2.0 ** -np.cumsum(zero, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(zero, smoothing / candidates, matches / candidates)
        mean_log = np.log(precision).mean(axis=-1)
        penalty = np.minimum(0.0, 1.0 - reference / answer)
        value = 100.0 * np.exp(mean_log + penalty)
    possible = (candidates > 0).all(axis=-1) & (answer > 0) & (matches > 0).any(axis=-1)
    return np.where(possible, value, 0.0)


def value(result: Result) -> float:
    """The metric's value: the plain mean of the items, or corpus BLEU."""
    return float(_aggregate(result.aggregation, result.items.sum(axis=0), len(result.items)))


def _aggregate(aggregation: str, totals: np.ndarray, num_items: int) -> np.ndarray:
    """Totals ``(..., width)`` over ``num_items`` items to values ``(...)``."""
    return bleu(totals) if aggregation == "bleu" else totals[..., 0] / num_items


@lru_cache(maxsize=16)
def resample_counts(num_items: int, seed: int = 0) -> np.ndarray:
    """How often each item is drawn in each bootstrap resample: ``(NUM_RESAMPLES, num_items)``.

    The same counts for every metric and point of one size, so that differences are paired by item.
    """
    generator = np.random.default_rng([seed, num_items])
    counts = generator.multinomial(num_items, np.full(num_items, 1 / num_items), size=NUM_RESAMPLES)
    return counts.astype(np.float64)


def resampled(result: Result, seed: int = 0) -> np.ndarray:
    """The metric's value in each bootstrap resample: ``(NUM_RESAMPLES,)``; one seed, one drawing of items."""
    return resampled_together([result], seed)[0]


def resampled_together(results: Sequence[Result], seed: int = 0) -> np.ndarray:
    """``resampled`` of one metric of many points at once: ``(len(results), NUM_RESAMPLES)``.

    One product of matrices for all that have the same number of items, which is much faster than one for each.
    """
    samples = np.empty((len(results), NUM_RESAMPLES))
    alike: dict[tuple[str, int], list[int]] = {}
    for place, result in enumerate(results):
        alike.setdefault((result.aggregation, len(result.items)), []).append(place)
    for (aggregation, num_items), places in alike.items():
        for start in range(0, len(places), _TOGETHER):
            some = places[start : start + _TOGETHER]
            items = np.concatenate([results[place].items for place in some], axis=1)
            totals = (resample_counts(num_items, seed) @ items).reshape(NUM_RESAMPLES, len(some), -1)
            samples[some] = _aggregate(aggregation, totals, num_items).T
    return samples


def standard_error(result: Result) -> float:
    """The value's standard error: exact for a mean (ddof 1), bootstrap for BLEU; 0 for a single item."""
    if len(result.items) < 2:
        return 0.0
    if result.aggregation == "mean":
        return float(result.items[:, 0].std(ddof=1) / np.sqrt(len(result.items)))
    return float(resampled(result).std(ddof=1))


def summaries(results: Sequence[Result], samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and standard errors of one metric of many points at once, each ``(len(results),)``.

    Errors of means are exact; those of BLEU are of ``samples``, a row of resamples for each point.
    """
    values, errors = np.zeros((2, len(results)))
    alike: dict[int, list[int]] = {}
    for place, result in enumerate(results):
        if result.aggregation == "mean" and len(result.items) > 1:
            alike.setdefault(len(result.items), []).append(place)
        else:
            values[place], errors[place] = value(result), samples[place].std(ddof=1) if len(result.items) > 1 else 0.0
    for num_items, places in alike.items():
        items = np.stack([results[place].items[:, 0] for place in places])
        values[places] = items.sum(axis=1) / num_items
        errors[places] = items.std(axis=1, ddof=1) / np.sqrt(num_items)
    return values, errors


def interval(samples: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The central share ``level`` of bootstrap samples, low and high."""
    low, high = intervals(samples[None], level)[0]
    return float(low), float(high)


def intervals(samples: np.ndarray, level: float = 0.95) -> np.ndarray:
    """``interval`` of each row of ``(num_points, NUM_RESAMPLES)``: ``(num_points, 2)``."""
    return np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=1).T


def mirrored_interval(value: float, samples: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """The interval of a value that picks the best or worst of many, such as a maximum: the resamples' quantiles, mirrored at it.

    Such a value lies too far out on the items that it was computed from, and its resamples lie as far out again. Mirrored
    (the basic bootstrap interval), they take that back, and the value itself may lie outside.
    """
    low, high = interval(samples, level)
    return 2 * value - high, 2 * value - low


def unseen(result: Result, level: float = 0.95) -> float:
    """How far inwards the true value may lie where every item is at the same end of 0..100; 0 for all other results.

    No resample of such items differs, so that the bootstrap says ±0. This is Wilson's interval of 0 or all of ``num_items``,
    which holds for graded items in 0..100 too: of all that have one mean, those of 0 and 100 alone are all alike most often.
    """
    first = result.items[0, 0]
    if result.aggregation != "mean" or first not in (0.0, 100.0) or (result.items != first).any():
        return 0.0
    squared = NormalDist().inv_cdf((1 + level) / 2) ** 2
    return 100.0 * squared / (len(result.items) + squared)


def wilson(share: float, count: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share of ``count`` >= 1 votes or items, low and high in 0..1.

    It holds for graded items in 0..1 too, such as ties that count half: of all that have one mean, those of 0 and 1 alone vary
    most.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre, spread = share + z * z / (2 * count), z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low, high = ((centre + side * spread) / (1 + z * z / count) for side in (-1, 1))
    return max(0.0, float(low)), min(1.0, float(high))
