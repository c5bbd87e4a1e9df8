"""What the verbs of the command line share: options, their defaults, and what they come to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hma.core import precision as precisions
from hma.core.partition import OWN, Partition
from hma.core.precision import Precision
from hma.errors import HmaError
from hma.study import SHIPPED

REFERENCE, POLICY, SUITE = (str(SHIPPED / name) for name in ("reference", "policy", "suite.json"))

Alphas = Annotated[str, typer.Option(help="Share of the reference per block, input to output: 0.2,0.2,0.2 (or one for all).")]
Reference = Annotated[str, typer.Option(help="The checkpoint before RLHF: a folder or a hub id.", show_default="shipped")]
Policy = Annotated[str, typer.Option(help="The checkpoint after RLHF: a folder or a hub id.", show_default="shipped")]
SuiteFile = Annotated[str, typer.Option("--suite", help="What to measure: a suite.json or its folder.", show_default="shipped")]
Split = Annotated[str, typer.Option(help="Items: validation (to choose alphas by) or test (to report).")]
Size = Annotated[str | None, typer.Option(help="A size of the suite, such as quick or full.", show_default="the suite's first")]
StoreFile = Annotated[
    Path | None,
    typer.Option("--store", help="The SQLite file of points.", show_default="runs/points.sqlite, with the shipped points"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")]
Blocks = Annotated[
    int | None,
    typer.Option(help="Blocks of as equal a size as possible, each with an alpha of its own.", min=1, show_default="3"),
]
Pivots = Annotated[
    str | None,
    typer.Option(help="Instead of --blocks: the last layer, from 0, of every block but the last. 10,20 makes 0-10, 11-20, rest."),
]
Own = Annotated[
    str | None,
    typer.Option(help="Parts with an alpha of their own: some of embeddings,norm,head. Embeddings come first, the others last."),
]
DType = Annotated[
    str | None, typer.Option(help="The merge's dtype: bfloat16, float16 or float32.", show_default="the checkpoints' own")
]
Rounding = Annotated[
    str, typer.Option(help="nearest, or stochastic: at random with the right mean, for deltas that rounding would lose.")
]
Seed = Annotated[int, typer.Option(help="What random rounding starts from.")]


def chosen_partition(num_layers: int, blocks: int | None, pivots: str | None = None, own: str | None = None) -> Partition:
    """The partition of three options. Raises HmaError for one that the model's layers do not allow."""
    parts = tuple(part.strip() for part in (own or "").split(",") if part.strip())
    if unknown := [part for part in parts if part not in OWN]:
        raise HmaError(f"--own names '{unknown[0]}'. Choose some of: {', '.join(OWN)}.")
    parts = tuple(part for part in OWN if part in parts)
    if pivots is None:
        if blocks is not None and blocks > num_layers:
            raise HmaError(f"{blocks} blocks were asked for and the model has {num_layers} layers. Ask for fewer blocks.")
        return Partition(num_layers, Partition.equal(num_layers, blocks or min(3, num_layers)).starts, parts)
    if blocks is not None:
        raise HmaError("--blocks and --pivots were both given. Give one of them.")
    try:
        return Partition.at(num_layers, tuple(int(pivot) for pivot in pivots.split(",")), parts)
    except ValueError:
        raise HmaError(
            f"--pivots is '{pivots}'. Expected the last layers of blocks in rising order, each from 0 to {num_layers - 2}: 1,3."
        ) from None


def chosen_precision(dtype: str | None, rounding: str, seed: int) -> Precision:
    """The precision of three options. Raises HmaError for one that is unknown."""
    for option, value, known in (("dtype", dtype, precisions.NAMES), ("rounding", rounding, precisions.ROUNDINGS)):
        if value is not None and value not in known:
            raise HmaError(f"--{option} is '{value}'. Choose one of: {', '.join(known)}.")
    return Precision(dtype, rounding, seed)
