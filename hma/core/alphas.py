"""Alphas: the share of the reference in each block, input to output."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from hma.errors import AlphasError

Alphas = tuple[float, ...]
"""One alpha a block, input to output."""

DIGITS = 6
"""Alphas that agree to this many decimals are the same alphas."""

FARTHEST = (-1.0, 2.0)
"""How far extrapolation goes past the policy and past the reference: as far as the two are apart."""

MOST_OF_A_GRID = 100_000
"""More than anybody could wait for."""


def checked(alphas: Sequence[float], num_blocks: int, beyond: bool = False) -> tuple[float, ...]:
    """The alphas as a tuple, rounded to ``DIGITS``; one a block, each in [0, 1], or in ``FARTHEST`` where ``beyond`` is set.

    One alpha alone means the same alpha in every block: model averaging (MA).
    Raises AlphasError naming the value and its place.
    """
    values = [float(a) for a in alphas]
    if len(values) == 1:
        refuse_outside("The alpha", values[0], beyond)
        values *= num_blocks
    if len(values) != num_blocks:
        given = ", ".join(f"{a:g}" for a in values)
        raise AlphasError(
            f"{len(values)} alphas were given ({given}) and the model is divided into {num_blocks} blocks. "
            f"Give {num_blocks} shares, input to output, or one share for all blocks."
        )
    for place, alpha in enumerate(values, start=1):
        refuse_outside(f"Alpha {place} of {len(values)}", alpha, beyond)
    return tuple(round(a, DIGITS) + 0.0 for a in values)


def refuse_outside(name: str, alpha: float, beyond: bool = False) -> None:
    """Raise AlphasError, which says the alpha by this name, for one outside [0, 1], or ``FARTHEST`` where ``beyond`` is set."""
    low, high = FARTHEST if beyond else (0, 1)
    if not low <= alpha <= high:
        farthest = f"from {FARTHEST[0]:g} to {FARTHEST[1]:g}"
        spans = f"which extrapolation takes {farthest}" if beyond else "from 0 (the policy) to 1 (the reference)"
        further = "" if beyond else f"; or, to go past both ends, one {farthest} with --beyond"
        raise AlphasError(
            f"{name} is {alpha:g}. An alpha is the share of the reference in a block, {spans}. "
            f"Give a number in that range{further}."
        )


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
    """The plain mean over blocks."""
    return sum(alphas) / len(alphas)


def ladder(steps: int, low: float = 0.0, high: float = 1.0) -> tuple[float, ...]:
    """``steps`` evenly spaced alphas from ``low`` to ``high``, both included."""
    if steps < 2:
        raise AlphasError(f"{steps} steps were asked for. A sweep runs from {low:g} to {high:g}: ask for at least 2.")
    return tuple(round(low + i * (high - low) / (steps - 1), DIGITS) + 0.0 for i in range(steps))


def grid(steps: int, num_blocks: int, low: float = 0.0, high: float = 1.0) -> list[tuple[float, ...]]:
    """Every combination of a ``ladder`` over the blocks: ``steps ** num_blocks`` alphas.

    Raises AlphasError for more than ``MOST_OF_A_GRID``.
    """
    if steps**num_blocks > MOST_OF_A_GRID:
        raise AlphasError(
            f"A grid of {steps} steps over {num_blocks} blocks has {steps**num_blocks:,} points, and at most "
            f"{MOST_OF_A_GRID:,} are measured at once. Ask for fewer steps or blocks."
        )
    return list(product(ladder(steps, low, high), repeat=num_blocks))
