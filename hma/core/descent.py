"""Projected quasi-Newton descent over a few numbers; it can go on from any step that was kept.

Every step costs a backward pass through the merge, and the numbers are few: so how the objective bends is learned from
the gradients (BFGS), and each step goes towards the minimum, over the space, of what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
"""Alphas ``(num_blocks,)`` to the value that is to fall, and its gradient."""

MAX_STEPS = 50

SETTLED = 1e-3
"""The descent ends where no move within the space's reach promises to lower the objective by this share of it."""

_LEAST = 1e-3
"""Objectives below it count as it."""

_ENOUGH = 1e-4
"""The share of the promised fall that a step must bring (Armijo)."""

_FIRST = 0.25
"""How far the first step goes at most, before anything is known of how the objective bends."""

_NOWHERE = 1e-200
"""A move that is none, and that no number makes one."""

_HALVINGS = 10
_SCALINGS = 8
_INNER = 300
"""Rounds of the small problem that says where a step goes; each costs no more than a projection."""


class Space(Protocol):
    """Where the variables of a descent may lie, and which alphas they stand for."""

    @property
    def start(self) -> np.ndarray: ...

    @property
    def reach(self) -> float: ...

    def project(self, values: np.ndarray) -> np.ndarray: ...

    def alphas(self, variables: np.ndarray) -> np.ndarray: ...

    def pulled(self, variables: np.ndarray, gradient: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Step:
    """Where a descent stands: its alphas, the objective there, and what the next step needs.

    ``gradient`` is with respect to the variables, ``curvature`` the Hessian as learned so far, row by row; ``measured`` is
    how often the objective was computed. ``settled``: there is no more to gain. ``stuck``: the gradient promises more,
    and yet no move lowers the objective, so that nobody knows whether this is its minimum.
    """

    alphas: tuple[float, ...]
    objective: float
    variables: tuple[float, ...]
    gradient: tuple[float, ...]
    curvature: tuple[float, ...]
    measured: int
    settled: bool = False
    stuck: bool = False

    @property
    def is_last(self) -> bool:
        """Whether the descent ended here by itself."""
        return self.settled or self.stuck

    @property
    def ending(self) -> str:
        """How the descent ended here, in a word; empty where it did not."""
        return "settled" if self.settled else "stuck" if self.stuck else ""

    def to_dict(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.__dict__.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Step:
        """The inverse of ``to_dict``."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})


def descend(objective: Objective, space: Space, max_steps: int = MAX_STEPS, begun: Step | None = None) -> Iterator[Step]:
    """The steps of a descent, each with a lower objective than the one before; the last says whether it settled or is stuck.

    The first is the space's start, or what follows ``begun``. ``max_steps`` counts from ``begun``.
    """
    now = begun
    if now is None:
        variables = space.project(space.start)
        value, gradient = _at(objective, space, variables)
        bend = max(float(np.abs(gradient).max()), 1e-12) / _FIRST
        now = _step(space, variables, value, gradient, bend * np.eye(len(variables)), 1)
        yield now
    for _ in range(max_steps):
        if now.is_last:
            return
        now = _next(objective, space, now)
        yield now


def _next(objective: Objective, space: Space, now: Step) -> Step:
    """The step after ``now``; ``now`` itself, settled where none promises a fall, stuck where none brings what it promises."""
    here, slope = np.array(now.variables), np.array(now.gradient)
    if _within_reach(space, here, slope) < SETTLED * max(abs(now.objective), _LEAST):
        return replace(now, settled=True)
    curvature, measured = np.array(now.curvature).reshape(len(here), -1), now.measured
    way = _towards(space, here, slope, curvature) - here
    promised, share = -float(slope @ way), 1.0
    for _ in range(_HALVINGS):
        there = space.project(here + share * way)
        value, gradient = _at(objective, space, there)
        measured += 1
        if value <= now.objective - _ENOUGH * share * promised:
            return _step(space, there, value, gradient, _bent(curvature, there - here, gradient - slope), measured)
        share /= 2
    return replace(now, measured=measured, stuck=True)


def _within_reach(space: Space, here: np.ndarray, slope: np.ndarray) -> float:
    """The fall that the slope promises of a move down it by the space's reach at most, however the objective may bend."""
    length, moved = 1.0, np.zeros_like(here)
    for _ in range(_SCALINGS):  # What lies at a bound cannot move, however steep it is there.
        moved = here - space.project(here - length * slope)
        farthest = float(np.abs(moved).max())
        if farthest < _NOWHERE or abs(farthest - space.reach) < 0.1 * space.reach:
            break
        length *= space.reach / farthest
    return float(slope @ moved)


def _towards(space: Space, here: np.ndarray, slope: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """The variables in the space that minimise slope and curvature alone: projected gradient with momentum."""
    length = 1 / float(np.linalg.eigvalsh(curvature)[-1])
    at = ahead = here
    for i in range(_INNER):
        further = space.project(ahead - length * (slope + curvature @ (ahead - here)))
        if np.abs(further - at).max() < 1e-9 and i:
            break
        ahead, at = further + i / (i + 3) * (further - at), further
    return at


def _bent(curvature: np.ndarray, moved: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The curvature after a move changed the gradient so: BFGS, damped (Powell) so that it stays positive."""
    before = curvature @ moved
    bend, own = float(moved @ before), float(moved @ change)
    if bend <= 0:
        return curvature
    damp = 1.0 if own >= 0.2 * bend else 0.8 * bend / (bend - own)
    change = damp * change + (1 - damp) * before
    return curvature - np.outer(before, before) / bend + np.outer(change, change) / float(moved @ change)


def _at(objective: Objective, space: Space, variables: np.ndarray) -> tuple[float, np.ndarray]:
    value, gradient = objective(space.alphas(variables))
    return value, space.pulled(variables, gradient)


def _step(space: Space, variables: np.ndarray, value: float, gradient: np.ndarray, curvature: np.ndarray, measured: int) -> Step:
    arrays = (space.alphas(variables), variables, gradient, curvature.ravel())
    alphas, *rest = (tuple(map(float, numbers)) for numbers in arrays)
    return Step(alphas, float(value), *rest, measured=measured)
