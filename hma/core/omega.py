"""Where alphas may lie: the box and mean of the HMA problem (Omega), and the paper's own form of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hma.errors import AlphasError

_HALVINGS = 80
"""Of a bisection: what it leaves of the mean is then given to those with room for it."""

_AT_BOUND = 1e-9
"""Alphas so near to 0 or 1 are there: of what a bisection leaves those at a bound may get a last digit."""


@dataclass(frozen=True)
class Omega:
    """Alphas of ``num_blocks`` blocks, each in [``low``, ``high``], with this plain mean, or any where it is None [HMA §6].

    Raises AlphasError for a mean outside [0, 1], for bounds outside it or the wrong way round, and where no alphas in
    the bounds have the mean.
    """

    num_blocks: int
    mean: float | None = None
    low: float = 0.0
    high: float = 1.0
    reach: ClassVar[float] = 0.02
    """A step of the variables that can be told on a chart; a descent that has no more to gain by it is done."""

    def __post_init__(self) -> None:
        if self.num_blocks < 1:
            raise ValueError(f"num_blocks is {self.num_blocks}, must be at least 1")
        if self.mean is not None and not (math.isfinite(self.mean) and 0 <= self.mean <= 1):
            raise AlphasError(
                f"The mean alpha is {self.mean:g}. It is the mean share of the reference over the blocks: give a number from "
                "0 (the policy) to 1 (the reference)."
            )
        if not 0 <= self.low <= self.high <= 1:
            raise AlphasError(f"The bounds are {self.low:g} and {self.high:g}. Give two numbers from 0 to 1, the lower first.")
        if self.mean is not None and not self.low <= self.mean <= self.high:
            raise AlphasError(
                f"No alphas from {self.low:g} to {self.high:g} have the mean {self.mean:g}. Widen the bounds, or ask for a mean "
                "between them."
            )

    @property
    def start(self) -> np.ndarray:
        """Plain averaging: the mean in every block, or the middle of the bounds where none is asked for."""
        return np.full(self.num_blocks, (self.low + self.high) / 2 if self.mean is None else self.mean)

    def project(self, values: Sequence[float] | np.ndarray) -> np.ndarray:
        """The alphas here that are nearest to ``values`` (num_blocks,), finite. The mean holds to 1e-12.

        Clipped; with a mean, shifted alike before, by an amount that bisection finds.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (self.num_blocks,) or not np.isfinite(values).all():
            raise ValueError(f"values {values} must be {self.num_blocks} finite numbers")
        if self.mean is None:
            return values.clip(self.low, self.high)
        low, high = self.low - values.max(), self.high - values.min()  # At the one all are low, at the other all high.
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if not low < middle < high:
                break
            if (values + middle).clip(self.low, self.high).mean() < self.mean:
                low = middle
            else:
                high = middle
        found = (values + high).clip(self.low, self.high)
        for _ in range(self.num_blocks):  # Among far values a shift has few digits: the rest goes to those with room for it.
            left = self.num_blocks * self.mean - found.sum()
            room = found < self.high if left > 0 else found > self.low
            if not left or not room.any():
                break
            found = np.where(room, found + left / room.sum(), found).clip(self.low, self.high)
        return found

    def alphas(self, variables: np.ndarray) -> np.ndarray:
        """The alphas that a descent's variables stand for: here themselves."""
        return variables

    def pulled(self, variables: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """A gradient with respect to the alphas as one with respect to the variables."""
        return gradient


@dataclass(frozen=True)
class PaperForm:
    """The paper's parametrisation: ``a_k = sigmoid(s_k) + epsilon``, ``alpha_k = K * mean * a_k / sum_j a_j`` [HMA Eq. 11,
    with the factor K of its code, which the printed equation lacks].

    It keeps the mean but not the box: alphas that leave [0, 1] are put back by ``Omega.project``, which keeps both.
    """

    num_blocks: int
    mean: float
    epsilon: float = 0.2
    reach: ClassVar[float] = 0.2
    """As ``Omega.reach``: about as much in alpha."""

    def __post_init__(self) -> None:
        Omega(self.num_blocks, self.mean)
        if not (math.isfinite(self.epsilon) and self.epsilon >= 0):
            raise AlphasError(f"epsilon is {self.epsilon:g}. The paper takes one of 0, 0.1, … 0.9.")
        if not 0 < self.mean < 1:
            raise AlphasError(
                f"The mean alpha is {self.mean:g}, where the paper's form starts at infinity. Ask for one in between."
            )

    @property
    def start(self) -> np.ndarray:
        """``s = logit(mean)`` everywhere: plain averaging."""
        return np.full(self.num_blocks, math.log(self.mean / (1 - self.mean)))

    def project(self, values: np.ndarray) -> np.ndarray:
        """The variables as they are: every number is allowed."""
        return values

    def free_alphas(self, variables: np.ndarray) -> np.ndarray:
        """The alphas as the equation has them; they may lie above 1."""
        shares = _sigmoid(variables) + self.epsilon
        return self.num_blocks * self.mean * shares / shares.sum()

    def alphas(self, variables: np.ndarray) -> np.ndarray:
        """The same, put back into [0, 1] where they leave it."""
        return Omega(self.num_blocks, self.mean).project(self.free_alphas(variables))

    def pulled(self, variables: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """A gradient with respect to the alphas as one with respect to s, by the chain rule.

        Alphas that were put back to 0 or 1 stay there, and the others share what that moves between them.
        """
        alphas = self.alphas(variables)
        moves = (alphas > _AT_BOUND) & (alphas < 1 - _AT_BOUND)
        gradient = np.where(moves, gradient - (gradient[moves].mean() if moves.any() else 0.0), 0.0)
        sigmoid = _sigmoid(variables)
        total = (sigmoid + self.epsilon).sum()
        along = (gradient * self.free_alphas(variables)).sum() / total
        return sigmoid * (1 - sigmoid) * (self.num_blocks * self.mean * gradient / total - along)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values.clip(-500, 500)))


def rounded(alphas: Sequence[float] | np.ndarray, digits: int) -> tuple[float, ...]:
    """The alphas at so many decimals, with the sum that the exact ones have at so many decimals.

    What is left over goes to those that rounding down cuts most.
    """
    unit = 10**digits
    scaled = np.asarray(alphas, dtype=np.float64) * unit
    floors = np.floor(scaled + 1e-9)
    left = int(round(float(scaled.sum())) - floors.sum())
    for place in np.argsort(floors - scaled, kind="stable")[:left]:
        floors[place] += 1
    return tuple(float(value) / unit for value in floors)
