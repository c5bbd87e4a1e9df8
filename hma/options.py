"""What the verbs of the command line share: options, their defaults, and what they come to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from hma.checkpoints.source import ALLOWABLE
from hma.core import alphas as alphas_of
from hma.core import precision as precisions
from hma.core.partition import HEAD, OWN, Partition
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.errors import HmaError
from hma.methods import mask_alphas, original
from hma.study import SHIPPED

REFERENCE, POLICY, SUITE = (str(SHIPPED / name) for name in ("reference", "policy", "suite.json"))

Alphas = Annotated[
    str,
    typer.Option(
        help="Share of the reference per block, input to output: 0.2,0.2,0.2 (or one for all). Or what the original code "
        "wrote, which says the blocks too: a name such as 'pma_0.5_a_split|1#3|0.4|0.3|0.2_b', or its mask_alphas.bin."
    ),
]
Reference = Annotated[
    str,
    typer.Option(
        help="The checkpoint before RLHF: a folder or a hub id (organisation/model, or with @revision).", show_default="shipped"
    ),
]
Policy = Annotated[
    str, typer.Option(help="The checkpoint after RLHF: likewise, or a LoRA adapter of the reference.", show_default="shipped")
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        help="What of the checkpoints may be used beside safetensors: bin (weights in PyTorch's pickles, of which no code is "
        "run), code (Python files of their own, which are run). Give it once for each.",
        show_default="neither",
    ),
]
SuiteFile = Annotated[
    str,
    typer.Option(
        "--suite",
        help="What to measure: a suite.json or its folder, or paper: the paper's tasks.",
        show_default="the miniature's",
    ),
]
Program = Annotated[
    str | None,
    typer.Option(
        "--reward",
        metavar="FILE.py:FUNCTION",
        help="A Python function of (prompt, answer) that gives a number, larger is better, in place of the suite's first "
        "reward; or module:function. It is run.",
        show_default="the suite's",
    ),
]
Split = Annotated[str, typer.Option(help="Items: validation (to choose alphas by) or test (to report).")]
Size = Annotated[str | None, typer.Option(help="A size of the suite, such as quick or full.", show_default="the suite's first")]
StoreFile = Annotated[
    Path | None,
    typer.Option("--store", help="The SQLite file of points.", show_default="runs/points.sqlite, with the shipped points"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")]
Rho = Annotated[
    float | None,
    typer.Option(
        help="Say the robust tax too: under the worst weights of the tasks that are within this Kullback-Leibler divergence of "
        "the mean's. 0 is the mean tax, the log of the number of tasks the worst task's."
    ),
]
Blocks = Annotated[
    str | None,
    typer.Option(
        help="Blocks of as equal a size as possible, each with an alpha of its own; or the original code's block3, block6 "
        "and so on, or layerwise.",
        show_default="3",
    ),
]
Pivots = Annotated[
    str | None,
    typer.Option(help="Instead of --blocks: the last layer, from 0, of every block but the last. 10,20 makes 0-10, 11-20, rest."),
]
Own = Annotated[
    str | None,
    typer.Option(help="Parts with an alpha of their own: some of embeddings,norm,head. Embeddings come first, the others last."),
]
LinearOnly = Annotated[
    bool,
    typer.Option(
        "--linear-only",
        help="Average linear weights only, as the original code's HMA does: embeddings, norms and biases stay the reference's, "
        "and the head takes the mean alpha, or one more that is given last.",
    ),
]
DType = Annotated[
    str | None, typer.Option(help="The merge's dtype: bfloat16, float16 or float32.", show_default="the checkpoints' own")
]
Rounding = Annotated[
    str, typer.Option(help="nearest, or stochastic: at random with the right mean, for deltas that rounding would lose.")
]
Seed = Annotated[int, typer.Option(help="What random rounding starts from.")]


@dataclass(frozen=True)
class Cut:
    """The options that say which parameters share an alpha."""

    blocks: str | None = None
    pivots: str | None = None
    own: str | None = None
    linear_only: bool = False

    def partition(self, num_layers: int) -> Partition:
        """The partition of a model. Raises HmaError for one that its layers do not allow."""
        if self.blocks is not None and self.pivots is not None:
            raise HmaError("--blocks and --pivots were both given. Give one of them.")
        cut = _at(num_layers, self.pivots) if self.pivots is not None else _blocks(num_layers, self.blocks)
        return Partition(num_layers, cut.starts, self._own(), self.linear_only)

    def _own(self) -> tuple[str, ...]:
        parts = [part.strip() for part in (self.own or "").split(",") if part.strip()]
        if unknown := [part for part in parts if part not in OWN]:
            raise HmaError(f"--own names '{unknown[0]}'. Choose some of: {', '.join(OWN)}.")
        if not self.linear_only:
            return tuple(part for part in OWN if part in parts)
        if outside := [part for part in parts if part != HEAD]:
            raise HmaError(
                f"--own names '{outside[0]}', and --linear-only leaves these the reference's. Leave out one of the two."
            )
        return (HEAD,)


def chosen_recipe(num_layers: int, alphas: str, cut: Cut, precision: Precision) -> Recipe:
    """The recipe of the options. Raises AlphasError or HmaError for what the model's layers do not allow."""
    is_file = mask_alphas.is_file(alphas)
    if is_file or original.is_name(alphas):
        if cut != Cut():
            raise HmaError(f"'{alphas}' says its blocks itself. Leave out --blocks, --pivots, --own and --linear-only.")
        return (mask_alphas.read_file if is_file else original.read_name)(alphas, num_layers, precision)
    partition = cut.partition(num_layers)
    return Recipe(partition, original.with_head(alphas_of.parsed(alphas), partition), precision)


def swept_recipes(partition: Partition, steps: int, grid: bool, precision: Precision) -> list[Recipe]:
    """One alpha for all blocks from 0 to 1, or every combination over the blocks; a head's at the mean goes with the others."""
    count = len(partition.starts) if partition.linear_only else partition.num_blocks
    wanted = alphas_of.grid(steps, count) if grid else [(alpha,) for alpha in alphas_of.ladder(steps)]
    return [Recipe(partition, original.with_head(alphas, partition), precision) for alphas in wanted]


def _at(num_layers: int, pivots: str) -> Partition:
    try:
        return Partition.at(num_layers, tuple(int(pivot) for pivot in pivots.split(",")))
    except ValueError:
        raise HmaError(
            f"--pivots is '{pivots}'. Expected the last layers of blocks in rising order, each from 0 to {num_layers - 2}: 1,3."
        ) from None


def _blocks(num_layers: int, blocks: str | None) -> Partition:
    if blocks is None:
        return Partition.equal(num_layers, min(3, num_layers))
    named = original.partition(blocks, num_layers)
    if named is not None:
        return named
    if not blocks.isdecimal() or int(blocks) < 1:
        raise HmaError(f"--blocks is '{blocks}'. Expected a number from 1 to {num_layers}, block3 or block6, or layerwise.")
    if int(blocks) > num_layers:
        raise HmaError(f"{blocks} blocks were asked for and the model has {num_layers} layers. Ask for fewer blocks.")
    return Partition.equal(num_layers, int(blocks))


def chosen_precision(dtype: str | None, rounding: str, seed: int) -> Precision:
    """The precision of three options. Raises HmaError for one that is unknown."""
    for option, value, known in (("dtype", dtype, precisions.NAMES), ("rounding", rounding, precisions.ROUNDINGS)):
        if value is not None and value not in known:
            raise HmaError(f"--{option} is '{value}'. Choose one of: {', '.join(known)}.")
    return Precision(dtype, rounding, seed)


def chosen_program(reward: str | None) -> str:
    """What ``--reward`` was given, a file by its whole path, since a worker runs elsewhere; empty for nothing."""
    place, colon, function = (reward or "").rpartition(":")
    return f"{Path(place).expanduser().resolve()}{colon}{function}" if place.endswith(".py") else reward or ""


def chosen_allow(allow: list[str] | None) -> tuple[str, ...]:
    """What ``--allow`` was given. Raises HmaError for what is unknown."""
    if unknown := [kind for kind in allow or () if kind not in ALLOWABLE]:
        raise HmaError(f"--allow is '{unknown[0]}'. Choose one of: {', '.join(ALLOWABLE)}.")
    return tuple(kind for kind in ALLOWABLE if kind in (allow or ()))


def chosen_rho(rho: float | None) -> float | None:
    """What ``--rho`` was given. Raises HmaError for what is no number from 0 up."""
    if rho is not None and not 0 <= rho < math.inf:
        raise HmaError(
            f"--rho is {rho:g}. Expected a number from 0 (the mean tax) up; from the log of the number of tasks on it "
            "is the worst task's."
        )
    return rho
