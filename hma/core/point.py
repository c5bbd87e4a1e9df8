"""Points: recipes with their scores, and what is derived from them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from hma.core import statistics
from hma.core.recipe import Recipe
from hma.core.statistics import Result

REWARD = "reward"
"""The name of the alignment axis among a point's scores."""

MEAN = "mean ability"
"""The name of the mean over the groups, where it stands beside the scores."""

_NORMAL = NormalDist().inv_cdf(0.975)
"""Standard errors of a normal distribution that half of a 95 % interval spans."""


@dataclass(frozen=True)
class Score:
    """A metric's value, larger is better, with its standard error, item count and 95 % interval.

    ``samples`` is its value in each resample of the items, ``(NUM_RESAMPLES,)``, alike for every point of a study:
    kept for the two axes of the chart, whose points are compared with one another; None for the rest. ``fewest_items`` is,
    of a mean over tasks, whose ``num_items`` adds up over them, the count of the task with the fewest.
    """

    value: float
    standard_error: float
    num_items: int
    low: float
    high: float
    samples: np.ndarray | None = field(default=None, repr=False, compare=False)
    fewest_items: int | None = None

    def to_dict(self) -> dict[str, Any]:
        counted = {"standard_error": self.standard_error, "num_items": self.num_items}
        return {"value": self.value, "low": self.low, "high": self.high, **counted}


@dataclass(frozen=True)
class Point:
    """A finished measurement. ``scores`` holds ``reward``, further scores of the chat answers where the
    study has any, and one score per ability.

    ``ability`` is the plain mean of the groups (each the plain mean of its tasks): our own aggregate,
    not the paper's, which draws one panel per group. ``effective_alphas`` are the shares of the reference
    that rounding left of the asked ones, block by block; empty where they were not recorded.
    """

    key: str
    recipe: Recipe
    scores: Mapping[str, Score]
    ability: Score
    method: str = ""
    measured_at: str = ""
    elapsed_seconds: float = 0.0
    device: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    effective_alphas: tuple[float, ...] = ()

    @property
    def reward(self) -> Score:
        return self.scores[REWARD]

    def to_dict(self) -> dict[str, Any]:
        """What the command line prints with ``--json``."""
        return {
            "key": self.key,
            "recipe": self.recipe.to_dict(),
            "extrapolation": self.recipe.is_extrapolation,
            "effective_alphas": list(self.effective_alphas),
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
            "ability": self.ability.to_dict(),
            "elapsed_seconds": self.elapsed_seconds,
            "device": self.device,
            "measured_at": self.measured_at,
        }


def scores_of(
    points: Sequence[Mapping[str, Result]], groups: Mapping[str, Sequence[str]], shares: Collection[str] = ()
) -> list[tuple[dict[str, Score], Score]]:
    """Of each point, its scores by name and its mean ability, from per-item results by name.

    The mean ability is the mean over ``groups`` (a group's name to its tasks' names) of the mean over their
    tasks, in points (0..100). Its error and interval are by bootstrap; tasks are resampled independently
    of one another, and every point on the same drawings. All ``points`` hold results of the same names.

    Of a task, or a score among ``shares`` (those in per cent), whose items are all 0 or all 100, interval and error are
    Wilson's, and the mean ability's are widened by them (MOVER; Zou and Donner 2008). Resamples, and with them every paired
    difference, are left alone: where two points answer alike, no item tells them apart.
    """
    if not groups:
        raise ValueError("a suite needs at least one ability group")
    if not points:
        return []
    tasks = [task for members in groups.values() for task in members]
    samples = resampled_scores(points, groups)
    intervals = {name: statistics.intervals(drawn) for name, drawn in samples.items()}
    spreads = samples[MEAN].std(axis=1, ddof=1)
    columns = {name: _scores([results[name] for results in points], samples[name], intervals[name]) for name in points[0]}
    values = over_groups({task: np.array([score.value for score in columns[task]]) for task in tasks}, groups).tolist()
    found = []
    for place, results in enumerate(points):
        scores = {name: columns[name][place] for name in results}
        certain = {n: width for n in {*tasks, *shares} & scores.keys() if (width := statistics.unseen(results[n]))}
        scores |= {name: _at_end(scores[name], width) for name, width in certain.items()}
        if REWARD in scores:
            scores[REWARD] = replace(scores[REWARD], samples=samples[REWARD][place])
        low, high = map(float, intervals[MEAN][place])
        mean = samples[MEAN][place]
        num_items = sum(scores[task].num_items for task in tasks)
        fewest = min(scores[task].num_items for task in tasks)
        ability = Score(values[place], float(spreads[place]), num_items, low, high, mean, fewest)
        found.append((scores, _widened(ability, {n: scores[n] for n in tasks if n in certain}, groups)))
    return found


def resampled_scores(points: Sequence[Mapping[str, Result]], groups: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Each score's value in each resample of its items, by name and as ``MEAN`` over the groups.

    Shaped ``(len(points), NUM_RESAMPLES)``. Every point on the same drawings, so that differences are paired by item; each
    task, and the reward, on drawings of its own, since they have other items. Further chat scores are drawn as the reward
    is, being of the same items.
    """
    tasks = [task for members in groups.values() for task in members]
    seeds = {name: seed for seed, name in enumerate((*tasks, REWARD))}
    samples = {n: statistics.resampled_together([p[n] for p in points], seeds.get(n, seeds[REWARD])) for n in points[0]}
    return {**samples, MEAN: over_groups(samples, groups)}


def _scores(results: Sequence[Result], samples: np.ndarray, intervals: np.ndarray) -> list[Score]:
    """One metric's scores, a point each."""
    values, errors = statistics.summaries(results, samples)
    rows = zip(results, values.tolist(), errors.tolist(), intervals.tolist(), strict=True)
    return [Score(value, error, len(result.items), *bounds) for result, value, error, bounds in rows]


def _at_end(score: Score, width: float) -> Score:
    """A score at 0 or 100 with an interval of this width inwards."""
    low, high = (0.0, width) if score.value == 0 else (100.0 - width, 100.0)
    return replace(score, standard_error=width / (2 * _NORMAL), low=low, high=high)


def _widened(mean: Score, ends: Mapping[str, Score], groups: Mapping[str, Sequence[str]]) -> Score:
    """The mean ability with what the resamples of tasks at their ends do not show; itself without such tasks."""
    if not ends:
        return mean
    weights = {n: sum(tasks.count(n) / len(tasks) for tasks in map(list, groups.values())) / len(groups) for n in ends}
    down, up, error = (
        math.hypot(own, *(weights[n] * of(score) for n, score in ends.items()))
        for own, of in (
            (mean.value - mean.low, lambda score: score.value - score.low),
            (mean.high - mean.value, lambda score: score.high - score.value),
            (mean.standard_error, lambda score: score.standard_error),
        )
    )
    return replace(mean, standard_error=error, low=mean.value - down, high=mean.value + up)


def over_groups(values: Mapping[str, np.ndarray], groups: Mapping[str, Sequence[str]]) -> np.ndarray:
    """The mean over groups of the mean over their tasks, from values by task."""
    return np.mean([np.mean([values[task] for task in tasks], axis=0) for tasks in groups.values()], axis=0)
