"""Points: recipes with their scores, and what is derived from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hma.core import statistics
from hma.core.recipe import Recipe
from hma.core.statistics import Result

REWARD = "reward"
"""The name of the alignment axis among a point's scores."""


@dataclass(frozen=True)
class Score:
    """A metric's value, larger is better, with its standard error, item count and 95 % interval."""

    value: float
    standard_error: float
    num_items: int
    low: float
    high: float

    @classmethod
    def of(cls, result: Result) -> Score:
        """The score of per-item results."""
        low, high = statistics.interval(statistics.resampled(result))
        return cls(statistics.value(result), statistics.standard_error(result), len(result.items), low, high)

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "standard_error": self.standard_error, "num_items": self.num_items}


@dataclass(frozen=True)
class Point:
    """A finished measurement. ``scores`` holds ``reward`` and one score per ability.

    ``ability`` is the plain mean of the groups (each the plain mean of its tasks): our own aggregate,
    not the paper's, which draws one panel per group.
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

    @property
    def reward(self) -> Score:
        return self.scores[REWARD]

    def to_dict(self) -> dict[str, Any]:
        """What the command line prints with ``--json``."""
        return {
            "key": self.key,
            "recipe": self.recipe.to_dict(),
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
            "ability": self.ability.to_dict(),
            "elapsed_seconds": self.elapsed_seconds,
            "device": self.device,
            "measured_at": self.measured_at,
        }


def mean_ability(results: Mapping[str, Result], groups: Mapping[str, Sequence[str]]) -> Score:
    """The mean over groups of the mean over their tasks, in points (0..100), with a bootstrap interval.

    ``groups`` maps a group's name to its tasks' names. Tasks are resampled independently of one another.
    """
    if not groups:
        raise ValueError("a suite needs at least one ability group")

    def over_groups(values: Mapping[str, Any]) -> Any:
        return np.mean([np.mean([values[t] for t in tasks], axis=0) for tasks in groups.values()], axis=0)

    tasks = [t for members in groups.values() for t in members]
    # A seed for each task's place: tasks are drawn independently, points of one study alike.
    samples = over_groups({t: statistics.resampled(results[t], seed=i) for i, t in enumerate(tasks)})
    low, high = statistics.interval(samples)
    return Score(
        value=float(over_groups({t: statistics.value(results[t]) for t in tasks})),
        standard_error=float(samples.std(ddof=1)),
        num_items=sum(len(results[t].items) for t in tasks),
        low=low,
        high=high,
    )
