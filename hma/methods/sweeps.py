"""Sweeps: merges with one alpha for all blocks, with every combination, or with one block on its way [HMA §5]."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hma.core import alphas as alphas_of
from hma.core.partition import Partition
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe
from hma.methods.original import with_head

SWEEP, GRID, PARTWISE = "sweep", "grid", "partwise"
"""What the store says of points made by ``ladder``, ``grid`` and ``partwise``."""

METHODS = (SWEEP, GRID, PARTWISE)


def ladder(partition: Partition, shares: Sequence[float], precision: Precision = NEAREST) -> list[Recipe]:
    """One merge for each share, which all blocks take: model averaging."""
    return [Recipe(partition, (share,), precision) for share in shares]


def grid(partition: Partition, steps: int, low: float = 0.0, high: float = 1.0, precision: Precision = NEAREST) -> list[Recipe]:
    """Every combination over the blocks of ``steps`` shares; a head's at the mean goes with the others."""
    return _recipes(partition, alphas_of.grid(steps, num_chosen(partition), low, high), precision)


def partwise(
    partition: Partition,
    shares: Sequence[float],
    base: Sequence[float] = (0.0,),
    part: int | None = None,
    precision: Precision = NEAREST,
) -> list[Recipe]:
    """Each block in turn, or only the ``part``-th (from 1), takes each share while the others stay at ``base`` [HMA §5].

    Merges that two of these ways share stand there once. Raises AlphasError for a base with another number of alphas.
    """
    count = num_chosen(partition)
    start = alphas_of.checked(base, count, beyond=True)
    parts = range(count) if part is None else (part - 1,)
    wanted = [(*start[:place], share, *start[place + 1 :]) for place in parts for share in shares]
    return _recipes(partition, dict.fromkeys(wanted), precision)


def num_chosen(partition: Partition) -> int:
    """How many alphas a sweep chooses: one a block, but for the head that takes the mean of the others."""
    return len(partition.starts) if partition.linear_only else partition.num_blocks


def _recipes(partition: Partition, alphas: Iterable[tuple[float, ...]], precision: Precision) -> list[Recipe]:
    return [Recipe(partition, with_head(one, partition), precision) for one in alphas]
