"""Alphas: the share of the reference in each block, input to output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from hma.errors import AlphasError

DIGITS = 6
"""Alphas that agree to this many decimals are the same alphas."""

MOST_OF_A_GRID = 100_000
"""More than anybody could wait for."""


_HALVINGS = 60
"""After so many a bisection is as exact as floats are."""


def checked(alphas: tuple[float, ...] | list[float], num_blocks: int) -> tuple[float, ...]:
    """The alphas as a tuple, rounded to ``DIGITS``; one a block, each in [0, 1].

    One alpha alone means the same alpha in every block: model averaging (MA).
    Raises AlphasError naming the value and its place.
    """
    values = [float(a) for a in alphas]
    if len(values) == 1:
        values *= num_blocks
    if len(values) != num_blocks:
        given = ", ".join(f"{a:g}" for a in values)
        raise AlphasError(
            f"{len(values)} alphas were given ({given}) and the model is divided into {num_blocks} blocks. "
            f"Give {num_blocks} shares, input to output, or one share for all blocks."
        )
    for place, alpha in enumerate(values, start=1):
        if not math.isfinite(alpha) or not 0 <= alpha <= 1:
            raise AlphasError(
                f"Alpha {place} of {len(values)} is {alpha:g}. An alpha is the share of the reference in a block, "
                "from 0 (the policy) to 1 (the reference). Give a number in that range."
            )
    return tuple(round(a, DIGITS) + 0.0 for a in values)


def parsed(text: str) -> tuple[float, ...]:
    """Numbers from text such as ``0.2,0.2,0.2``, not checked yet. Raises AlphasError for what is no list of numbers."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise AlphasError(
            f"'{text}' is not a list of numbers. Write one share per block with commas between, "
            "input to output, for example 0.2,0.2,0.2."
        ) from None


def mean_alpha(alphas: tuple[float, ...]) -> float:
    """The plain mean over blocks, in [0, 1]."""
    return sum(alphas) / len(alphas)


def projected(values: Sequence[float], mean: float) -> tuple[float, ...]:
    """The alphas in [0, 1] with this mean that are nearest to ``values``: the box Omega of the HMA problem [HMA §6].

    All are shifted alike and clipped; the shift is found by bisection.
    """
    if not 0 <= mean <= 1:
        raise ValueError(f"mean is {mean}, must be in [0, 1]")

    def shifted(shift: float) -> tuple[float, ...]:
        return tuple(min(1.0, max(0.0, value + shift)) for value in values)

    low, high = -max(values), 1 - min(values)  # At the one all are 0, at the other all are 1.
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if mean_alpha(shifted(middle)) < mean:
            low = middle
        else:
            high = middle
    return shifted(high)


def ladder(steps: int) -> tuple[float, ...]:
    """``steps`` evenly spaced alphas from 0 to 1, both ends included."""
    if steps < 2:
        raise AlphasError(f"{steps} steps were asked for. A sweep runs from 0 to 1: ask for at least 2.")
    return tuple(round(i / (steps - 1), DIGITS) for i in range(steps))


def grid(steps: int, num_blocks: int) -> list[tuple[float, ...]]:
    """Every combination of ``ladder(steps)`` over the blocks: ``steps ** num_blocks`` alphas.

    Raises AlphasError for more than ``MOST_OF_A_GRID``.
    """
    if steps**num_blocks > MOST_OF_A_GRID:
        raise AlphasError(
            f"A grid of {steps} steps over {num_blocks} blocks has {steps**num_blocks:,} points, and at most "
            f"{MOST_OF_A_GRID:,} are measured at once. Ask for fewer steps or blocks."
        )
    return list(product(ladder(steps), repeat=num_blocks))
