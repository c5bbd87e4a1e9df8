"""The original code's conventions: names of partwise merges, and partitions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hma.core.alphas import mean_alpha
from hma.core.partition import HEAD, NORM, Partition
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe
from hma.errors import AlphasError

_NAME = re.compile(
    r"pma_(?P<alpha>[\d.]+)_(?:.*_)?(?P<split>split0?)\|(?P<pivots>\d+(?:#\d+)*)\|(?P<shares>[\d.]+(?:\|[\d.]+)*)(?:_.*)?"
)
_DEEP = 30
"""Above so many layers ``block3`` cuts elsewhere."""


def is_name(text: str) -> bool:
    """Whether a text looks like the name of one of the original code's partwise merges."""
    return text.startswith("pma_")


def read_name(name: str, num_layers: int, precision: Precision = NEAREST) -> Recipe:
    """The recipe that ``pma_<alpha>_<tag>_split|10#20|0.4|0.3|0.2_<tag>`` names [HMA, code].

    Pivots are the last layers of all blocks but the last, from 0; a share of the reference for each block, the
    first for the embeddings too. Final norm and head take ``alpha``; ``split0`` gives the head 0. Raises AlphasError.
    """
    found = _NAME.fullmatch(name)
    if not found:
        raise AlphasError(f"'{name}' is no name of the original code. Expected one such as pma_0.5_a_split|10#20|0.4|0.3|0.2_b.")
    pivots = tuple(int(pivot) for pivot in found["pivots"].split("#"))
    shares = [_share(text, name) for text in found["shares"].split("|")]
    if len(shares) != len(pivots) + 1:
        raise AlphasError(f"'{name}' has {len(pivots)} pivots and {len(shares)} shares. Expected {len(pivots) + 1} shares.")
    rest = _share(found["alpha"], name)
    try:
        partition = Partition.at(num_layers, pivots, (NORM, HEAD))
    except ValueError:
        raise AlphasError(
            f"'{name}' cuts after the layers {found['pivots']}, and the model's {num_layers} are counted from 0. "
            f"Give rising pivots of at most {num_layers - 2}."
        ) from None
    return Recipe(partition, (*shares, rest, 0.0 if found["split"] == "split0" else rest), precision)


def write_name(recipe: Recipe, before: str = "merge", after: str = "alpha") -> str:
    """The inverse of ``read_name``. Raises AlphasError for a recipe that the names cannot say."""
    shares, starts = recipe.shares, recipe.partition.starts
    norm, head = shares[-2:]
    usual = len(starts) > 1 and not recipe.is_linear_only and recipe.precision == NEAREST
    if not usual or shares[0] != shares[1] or head not in (norm, 0.0):
        raise AlphasError(
            "The original code's names say only merges of all weights in two blocks or more, whose embeddings go with the "
            "first, whose head has the final norm's share or 0, and whose numbers are the checkpoints' own."
        )
    blocks = "|".join(f"{shares[1 + start]:g}" for start in starts)
    split = "split" if head == norm else "split0"
    return f"pma_{norm:g}_{before}_{split}|{'#'.join(str(start - 1) for start in starts[1:])}|{blocks}_{after}"


def with_head(alphas: Sequence[float], partition: Partition) -> tuple[float, ...]:
    """The alphas, and their mean for the head where only linear weights are averaged and one for each block of layers is given.

    The head's alpha is the mean in the original code's HMA.
    """
    given = tuple(alphas)
    if partition.linear_only and 1 < len(given) == len(partition.starts):
        given += (mean_alpha(given),)
    return given


def partition(name: str, num_layers: int) -> Partition | None:
    """The partition called ``block3``, ``blockN`` or ``layerwise`` there, or None for another name [HMA, code].

    ``block3`` cuts before the layers 8 and 16, above 30 layers before 11 and 21; ``blockN`` makes N blocks of
    the same size, the last with what remains.
    """
    if name == "layerwise":
        return Partition.equal(num_layers, num_layers)
    if name == "block3":
        cuts = (11, 21) if num_layers > _DEEP else (8, 16)
        return Partition(num_layers, (0, *(cut for cut in cuts if cut < num_layers)))
    found = re.fullmatch(r"block(\d+)", name)
    if not found or not 1 <= int(found[1]) <= num_layers:
        return None
    size = num_layers // int(found[1])
    return Partition(num_layers, tuple(k * size for k in range(int(found[1]))))


def _share(text: str, name: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise AlphasError(f"'{name}' holds the share {text}. Expected numbers from 0 to 1.")
    return share
