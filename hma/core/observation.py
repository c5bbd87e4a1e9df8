"""Observations: what a measured point says of its alphas, as a surrogate sees it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hma.core.alphas import DIGITS, Alphas
from hma.core.point import Point


@dataclass(frozen=True)
class Observation:
    """A measured point as a search sees it: alphas in [0, 1], and both axes with the variance that their items leave."""

    alphas: Alphas
    reward: float
    reward_variance: float
    ability: float
    ability_variance: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphas", tuple(round(float(alpha), DIGITS) + 0.0 for alpha in self.alphas))
        numbers = (*self.alphas, self.reward, self.reward_variance, self.ability, self.ability_variance)
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"an observation must be finite, and this is not: {numbers}")
        if not all(0 <= alpha <= 1 for alpha in self.alphas) or min(self.reward_variance, self.ability_variance) < 0:
            raise ValueError(f"alphas must be in [0, 1] and variances not negative, and these are not: {numbers}")

    @classmethod
    def of(cls, point: Point, alphas: Sequence[float] | None = None) -> Observation:
        """What a point says; ``alphas`` where the search's blocks are not those of the point's own recipe."""
        reward, ability = point.reward, point.ability
        return cls(
            tuple(point.recipe.alphas if alphas is None else alphas),
            reward.value,
            reward.standard_error**2,
            ability.value,
            ability.standard_error**2,
        )
