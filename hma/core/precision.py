"""In which numbers a merge is written, and what they leave of the alphas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NAMES = ("bfloat16", "float16", "float32")
ROUNDINGS = ("nearest", "stochastic")

LOST = 0.02
"""How far an effective alpha may be off from the asked one before a person is warned."""


@dataclass(frozen=True)
class Precision:
    """The dtype of a merge's weights (None: the checkpoints' own) and how they are rounded to it.

    ``nearest`` rounds to the nearest number, ties to even. ``stochastic`` takes one of the two neighbours
    at random, right on average, the same for the same ``seed``.
    """

    dtype: str | None = None
    rounding: str = "nearest"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.dtype is not None and self.dtype not in NAMES:
            raise ValueError(f"dtype is {self.dtype!r}, must be one of {', '.join(NAMES)}")
        if self.rounding not in ROUNDINGS:
            raise ValueError(f"rounding is {self.rounding!r}, must be one of {', '.join(ROUNDINGS)}")

    def to_dict(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "rounding": self.rounding, "seed": self.seed}


NEAREST = Precision()
"""The checkpoints' own dtype, rounded to the nearest."""


def lost_alphas(asked: Sequence[float], effective: Sequence[float | None]) -> dict[int, float]:
    """Blocks whose effective alpha is off from the asked one by more than ``LOST``, with what it is.

    An effective alpha is None where both ends hold the same weights.
    """
    pairs = enumerate(zip(asked, effective, strict=True))
    return {k: found for k, (alpha, found) in pairs if found is not None and abs(found - alpha) > LOST}
