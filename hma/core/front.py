"""Fronts and hypervolumes in the plane of reward and ability, both to be maximised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np

from hma.core.point import Point

KNEE_FROM = 4
"""Front points from which a knee means something."""


@dataclass(frozen=True)
class Corner:
    """The worst corner of the hypervolume box (the literature's "reference point")."""

    reward: float
    ability: float

    @classmethod
    def below(cls, ends: Sequence[tuple[float, float]]) -> Corner:
        """The worse reward and the worse ability of these (reward, ability)."""
        return cls(min(reward for reward, _ in ends), min(ability for _, ability in ends))


def unbeaten(plane: np.ndarray) -> np.ndarray:
    """Which rows (reward, ability) no other beats, ``(n,)`` of bool: another beats one if it is better on one axis and no worse
    on the other, so that equal rows all stay."""
    return moocore.is_nondominated(plane, maximise=True, keep_weakly=True)


def _plane(points: Sequence[Point]) -> np.ndarray:
    """Reward and ability, ``(num_points, 2)``."""
    return np.array([[p.reward.value, p.ability.value] for p in points], dtype=np.float64).reshape(-1, 2)


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other point beats, by rising reward; points with equal values all stay."""
    if not points:
        return []
    members = [p for p, keep in zip(points, unbeaten(_plane(points)), strict=True) if keep]
    return sorted(members, key=lambda p: (p.reward.value, -p.ability.value, p.key))


def ends(points: Sequence[Point]) -> tuple[Point | None, Point | None]:
    """The measured reference (alpha 1 everywhere) and policy (alpha 0 everywhere), or None for each."""
    found = {p.recipe.alphas[0]: p for p in points if p.recipe.is_end}
    return found.get(1.0), found.get(0.0)


def corner_of(points: Sequence[Point]) -> Corner | None:
    """The worse reward and the worse ability of the two ends; None until both are measured."""
    reference, policy = ends(points)
    if reference is None or policy is None:
        return None
    return Corner.below([(end.reward.value, end.ability.value) for end in (reference, policy)])


def hypervolume(points: Sequence[Point], corner: Corner) -> float:
    """The area between the front and the corner, in reward units times ability points.

    Points that do not beat the corner on both axes add nothing.
    """
    if not points:
        return 0.0
    return float(moocore.hypervolume(_plane(points), ref=[corner.reward, corner.ability], maximise=True))


def knee(members: Sequence[Point]) -> Point | None:
    """The front point farthest above the line between the front's two ends, both axes scaled to the front's range.

    None with fewer than ``KNEE_FROM`` points, or where none lies above the line.
    """
    if len(members) < KNEE_FROM:
        return None
    first, last = members[0], members[-1]
    width = last.reward.value - first.reward.value
    height = first.ability.value - last.ability.value
    if width <= 0 or height <= 0:
        return None

    def above(point: Point) -> float:
        return (point.reward.value - first.reward.value) / width + (point.ability.value - last.ability.value) / height - 1

    best = max(members, key=above)
    return best if above(best) > 0 else None
