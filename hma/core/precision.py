"""In which numbers a merge is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NAMES = ("bfloat16", "float16", "float32")
ROUNDINGS = ("nearest", "stochastic")


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
