"""Fits: what is asked for when alphas are to be chosen by an objective; without torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hma.core.descent import MAX_STEPS, Space
from hma.core.omega import Omega, PaperForm
from hma.core.partition import Partition
from hma.errors import AlphasError, FitError

PROXY, TWO_SIDED, TWO_SIDED_FREE, ADAMERGING = "proxy", "two-sided", "two-sided-free", "adamerging"

OBJECTIVES = {
    PROXY: "HMA by proxy distillation: the policy's own answers to training prompts become likely, at a fixed mean alpha",
    TWO_SIDED: "the policy's answers to training prompts, and the reference's own to the tasks' prompts; no labels, no mean. "
    "It uses task prompts, which the paper's HMA does not",
    TWO_SIDED_FREE: "the policy's answers to training prompts, and what the reference writes from nothing; no mean",
    ADAMERGING: "the right answers to labelled validation items of one ability group, at a fixed mean alpha",
}
"""What a fit makes likely; each is the mean negative log-likelihood of texts, in nats a token."""

OMEGA, PAPER = "omega", "paper"

_THERE = 1e-9
"""Alphas so near to the mean are there."""

_HALVINGS = 60
"""Of a bisection."""


@dataclass(frozen=True)
class Draw:
    """How D_theta is made [HMA App. D.5]: ``answers`` of the policy to each of ``prompts``, of which those with the highest
    rewards, a share ``kept``, stay, and ``drawn`` of these are taken at random.

    As many of the reference's texts are taken where an objective has both.
    """

    prompts: int = 256
    answers: int = 4
    kept: float = 0.5
    drawn: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        for name, what in (("prompts", "prompts"), ("answers", "answers to a prompt"), ("drawn", "texts to fit on")):
            if getattr(self, name) < 1:
                raise FitError(f"{getattr(self, name)} {what} were asked for. Ask for at least 1 (--{name}).")
        if not 0 < self.kept <= 1:
            raise FitError(f"A share of {self.kept:g} of the answers was to be kept. Keep a share above 0, up to 1.")
        if self.seed < 0:
            raise FitError(f"The seed is {self.seed}. Give a whole number from 0 up.")


@dataclass(frozen=True)
class Fit:
    """Alphas of a partition chosen by an objective.

    ``mean`` is the mean alpha that the paper's objectives keep, None for the two-sided ones, whose ``balance`` in (0, 1) is the
    weight of the policy's side: towards 1 alphas move to the policy, towards 0 to the reference. ``form`` "paper" is
    its own parametrisation with ``epsilon``; ``l1`` weighs its regulariser, the weighted distance of alphas from
    their mean. ``whole`` scores prompts too, as the code does; the equation scores answers alone.
    """

    partition: Partition
    objective: str = PROXY
    mean: float | None = None
    balance: float | None = None
    group: str = ""
    form: str = OMEGA
    epsilon: float = 0.2
    l1: float = 0.0
    whole: bool = False
    low: float = 0.0
    high: float = 1.0
    max_steps: int = MAX_STEPS
    draw: Draw = field(default_factory=Draw)

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise FitError(f"The objective '{self.objective}' is unknown. Choose one of: {', '.join(OBJECTIVES)}.")
        if self.is_two_sided:
            self._check_two_sided()
        elif self.balance is not None:
            raise FitError(f"The objective '{self.objective}' has no balance. Give --mean instead, such as 0.4.")
        elif self.mean is None:
            raise FitError(f"The objective '{self.objective}' keeps a mean alpha, and none was given. Give --mean, such as 0.4.")
        if bool(self.group) != (self.objective == ADAMERGING):
            raise FitError("An ability group is for the objective 'adamerging', which needs one: --group, such as reading.")
        if self.form not in (OMEGA, PAPER):
            raise FitError(f"The form '{self.form}' is unknown. Choose {OMEGA} or {PAPER}.")
        if self.l1 < 0 or not math.isfinite(self.l1):
            raise FitError(f"The regulariser weighs {self.l1:g}. Give a number from 0 up; the original code has 0.0001.")
        if self.max_steps < 1:
            raise FitError(f"{self.max_steps} steps were asked for. Ask for at least 1.")
        if self.partition.linear_only:
            raise FitError("Fits choose alphas of merges that average every tensor. Leave out --linear-only.")
        _ = self.space

    def _check_two_sided(self) -> None:
        if self.mean is not None:
            raise FitError(f"The objective '{self.objective}' keeps no mean alpha. Give --balance instead, between 0 and 1.")
        if self.balance is None or not 0 <= self.balance <= 1:
            given = "none was given" if self.balance is None else f"it is {self.balance:g}"
            raise FitError(
                f"The objective '{self.objective}' weighs its two sides by a balance, and {given}. Give --balance, from 0 (the "
                "reference's side alone) to 1 (the policy's side alone)."
            )
        if self.form == PAPER or self.l1:
            raise FitError("The paper's form and regulariser keep a mean alpha, and the two-sided objectives keep none.")

    @property
    def is_two_sided(self) -> bool:
        return self.objective in (TWO_SIDED, TWO_SIDED_FREE)

    @property
    def space(self) -> Space:
        """Where the descent runs. Raises AlphasError for a mean or bounds that no alphas have."""
        omega = Omega(self.partition.num_blocks, self.mean, self.low, self.high)
        if self.form == OMEGA:
            return omega
        if (self.low, self.high) != (0.0, 1.0):
            raise AlphasError("The paper's form has no bounds of its own. Leave out --low and --high, or --form paper.")
        assert self.mean is not None
        return PaperForm(self.partition.num_blocks, self.mean, self.epsilon)

    @property
    def sources(self) -> dict[str, float]:
        """The kinds of texts that are made likely, each with its weight; those of no weight are left out."""
        if self.objective == ADAMERGING:
            return {f"labels of {self.group}": 1.0}
        if not self.is_two_sided:
            return {POLICY_ANSWERS: 1.0}
        assert self.balance is not None
        other = REFERENCE_ANSWERS if self.objective == TWO_SIDED else REFERENCE_FREE
        return {name: weight for name, weight in ((POLICY_ANSWERS, self.balance), (other, 1 - self.balance)) if weight}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


POLICY_ANSWERS = "the policy's answers to training prompts"
REFERENCE_ANSWERS = "the reference's answers to task prompts"
REFERENCE_FREE = "what the reference writes from nothing"


def l1_weights(partition: Partition) -> tuple[float, ...]:
    """How much each block's distance from the mean weighs in the code's regulariser, which keeps the middle in place.

    A layer n weighs 25 / (\\|n - middle\\| + 1), with the middle of this model in place of the code's 13 (of 26 layers).
    """
    middle = partition.num_layers // 2
    weights = [25 / (abs(layer - middle) + 1) for layer in range(partition.num_layers)]
    return tuple(sum(weights[layer] for layer in partition.layers(block)) for block in range(partition.num_blocks))


def l1_slopes(slopes: np.ndarray, weights: np.ndarray, away: np.ndarray) -> np.ndarray:
    """The slopes ``(num_blocks,)`` of the regulariser ``weights @ |away|``, to be added to ``slopes``, those of the rest.

    ``away`` is how far each alpha is from the mean. One that is there has no single slope but all from -weight to weight;
    of these it gets the one that leaves the least slope at a kept mean: none at all where this is the minimum.
    """
    there = np.abs(away) <= _THERE
    sides = np.where(there, 0.0, weights * np.sign(away))
    spread = np.where(there, weights, 0.0)

    def left(level: float) -> np.ndarray:
        """What is left of the slopes above a level, which a kept mean takes away."""
        above = slopes + sides - level
        return np.sign(above) * np.maximum(np.abs(above) - spread, 0)

    low, high = float((slopes + sides - spread).min()), float((slopes + sides + spread).max())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if left(middle).sum() > 0:
            low = middle
        else:
            high = middle
    return sides + np.clip(high - slopes - sides, -spread, spread)
