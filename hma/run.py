"""A run as a value: what it is to do, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

from hma.comparing import SEARCHES, Budget
from hma.core.fit import Fit
from hma.core.question import Reply
from hma.core.recipe import Recipe
from hma.core.study import Study

AGAIN = "again"
"""The method of a plan that extends points to more items; what the store says of a point stays as it was."""


@dataclass(frozen=True)
class Plan:
    """What a run does, and what the store says of its points (``method``).

    It measures ``recipes``, or does ``fits`` and measures the merge of each, or spends a ``budget`` as the method does that
    ``method`` names among ``comparing.METHODS`` (a search, or points along a path): one of the three.
    """

    method: str
    recipes: tuple[Recipe, ...] = ()
    fits: tuple[Fit, ...] = ()
    budget: Budget | None = None

    def __post_init__(self) -> None:
        if bool(self.recipes) + bool(self.fits) + bool(self.budget) != 1:
            raise ValueError("a plan has recipes, fits, or a budget, and only one of them")

    @classmethod
    def search(cls, budget: Budget) -> Plan:
        return cls(budget.search, budget=budget)

    @property
    def is_search(self) -> bool:
        return self.method in SEARCHES

    @property
    def num_points(self) -> int:
        """How many points it measures, those that the store has already among them; a search at most."""
        return self.budget.points if self.budget else len(self.recipes) or len(self.fits)


@dataclass(frozen=True)
class Run:
    """A run as it stands. ``state``: queued, running, paused, finished, failed or cancelled; ``message`` says why.

    ``done`` counts its points that are in the store by now, ``job`` is the engine's that it waits for, and ``fits`` are the keys
    under which the store keeps the steps of the fits that it has begun, in their order. ``replies`` are what a search was told,
    without predictors. ``askers`` are those who started it.
    """

    id: int
    study: Study
    plan: Plan
    state: str = "queued"
    message: str = ""
    done: int = 0
    job: int | None = None
    fits: tuple[str, ...] = ()
    replies: tuple[Reply, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    askers: frozenset[str] = frozenset()

    @property
    def is_over(self) -> bool:
        return self.state in ("finished", "failed", "cancelled")

    @property
    def is_busy(self) -> bool:
        """Whether it waits or goes on by itself."""
        return self.state in ("queued", "running")
