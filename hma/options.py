"""What the verbs of the command line share: options, what names a pair, a study or a merge, and what they come to.

A verb takes a whole group of options as one parameter; ``hma.verb.verb`` makes options of its fields.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from hma.checkpoints.pair import Pair, open_pair
from hma.checkpoints.source import ALLOWABLE
from hma.core import alphas as alphas_of
from hma.core import precision as precisions
from hma.core.partition import HEAD, OWN, Partition
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import HmaError
from hma.methods import mask_alphas, original
from hma.store import Store
from hma.study import SHIPPED, open_store, open_study

REFERENCE, POLICY, SUITE = (str(SHIPPED / name) for name in ("reference", "policy", "suite.json"))

Alphas = Annotated[
    str,
    typer.Option(
        help="Share of the reference per block, input to output: --alphas 0.2,0.2,0.2 (or one for all). Or what the original "
        "code wrote, which says the blocks too: a name such as 'pma_0.5_a_split|1#3|0.4|0.3|0.2_b', or its mask_alphas.bin."
    ),
]
Beyond = Annotated[
    bool, typer.Option("--beyond", help="Let alphas go beyond the two ends, from -1 to 2: extrapolation, and marked as such.")
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
Seed = Annotated[int, typer.Option(help="What random rounding starts from.", min=0)]


@dataclass(frozen=True)
class PairOptions:
    """The options that name a pair."""

    reference: Reference = REFERENCE
    policy: Policy = POLICY
    allow: Allow = None

    def __post_init__(self) -> None:
        if unknown := [kind for kind in self.allow or () if kind not in ALLOWABLE]:
            raise HmaError(f"--allow is '{unknown[0]}'. Choose one of: {', '.join(ALLOWABLE)}.")

    @property
    def allowed(self) -> tuple[str, ...]:
        """What of the checkpoints may be used beside safetensors, each once."""
        return tuple(kind for kind in ALLOWABLE if kind in (self.allow or ()))

    def pair(self) -> Pair:
        """The pair, opened and checked. Raises CheckpointError."""
        return open_pair(self.reference, self.policy, self.allowed)


@dataclass(frozen=True)
class SuiteOptions(PairOptions):
    """The options that name a pair and a suite."""

    suite: SuiteFile = SUITE
    reward: Program = None

    @property
    def program(self) -> str:
        """What ``--reward`` was given, a file by its whole path, since a worker runs elsewhere; empty for nothing."""
        place, colon, function = (self.reward or "").rpartition(":")
        return f"{Path(place).expanduser().resolve()}{colon}{function}" if place.endswith(".py") else self.reward or ""

    def study(self) -> Study:
        """The study of the two, on the validation items of the suite's first size. Raises CheckpointError or SuiteError."""
        return open_study(self.reference, self.policy, self.suite, allow=self.allowed, program=self.program)


@dataclass(frozen=True)
class StudyOptions(SuiteOptions):
    """The options that name a study and where its points are."""

    split: Split = "validation"
    size: Size = None
    store: StoreFile = None

    def study(self) -> Study:
        """The study. Raises CheckpointError or SuiteError."""
        chosen = (self.reference, self.policy, self.suite, self.split, self.size)
        return open_study(*chosen, self.allowed, self.program)

    def open_store(self) -> Store:
        """The store in the file that was named, made if it is not there, or the default one."""
        return open_store(self.store)


@dataclass(frozen=True)
class BlockOptions:
    """The options that say which parameters share an alpha."""

    blocks: Blocks = None
    pivots: Pivots = None
    own: Own = None

    def partition(self, num_layers: int) -> Partition:
        """The partition of a model. Raises HmaError for one that its layers do not allow."""
        if self.blocks is not None and self.pivots is not None:
            raise HmaError("--blocks and --pivots were both given. Give one of them.")
        parts = [part.strip() for part in (self.own or "").split(",") if part.strip()]
        if unknown := [part for part in parts if part not in OWN]:
            raise HmaError(f"--own names '{unknown[0]}'. Choose some of: {', '.join(OWN)}.")
        cut = _at(num_layers, self.pivots) if self.pivots is not None else _blocks(num_layers, self.blocks)
        return replace(cut, own=tuple(part for part in OWN if part in parts))


@dataclass(frozen=True)
class MergeOptions(BlockOptions):
    """The options that, with alphas, say how a merge is made."""

    linear_only: LinearOnly = False
    dtype: DType = None
    rounding: Rounding = "nearest"
    seed: Seed = 0

    def __post_init__(self) -> None:
        known = {"dtype": (self.dtype, (None, *precisions.NAMES)), "rounding": (self.rounding, precisions.ROUNDINGS)}
        for option, (value, names) in known.items():
            if value not in names:
                raise HmaError(f"--{option} is '{value}'. Choose one of: {', '.join(filter(None, names))}.")

    def partition(self, num_layers: int) -> Partition:
        cut = super().partition(num_layers)
        if not self.linear_only:
            return cut
        if outside := [part for part in cut.own if part != HEAD]:
            raise HmaError(
                f"--own names '{outside[0]}', and --linear-only leaves these the reference's. Leave out one of the two."
            )
        return replace(cut, own=(HEAD,), linear_only=True)

    def precision(self) -> Precision:
        """What the merge is written in."""
        return Precision(self.dtype, self.rounding, self.seed)

    def recipe(self, num_layers: int, alphas: str, beyond: bool = False) -> Recipe:
        """The recipe with these alphas, in [0, 1] unless they may go ``beyond``.

        Raises AlphasError or HmaError for what is not, and for what the model's layers do not allow.
        """
        is_file = mask_alphas.is_file(alphas)
        if is_file or original.is_name(alphas):
            if (self.blocks, self.pivots, self.own, self.linear_only) != (None, None, None, False):
                raise HmaError(f"'{alphas}' says its blocks itself. Leave out --blocks, --pivots, --own and --linear-only.")
            if is_file:
                return mask_alphas.read_file(alphas, num_layers, self.precision(), beyond)
            return original.read_name(alphas, num_layers, self.precision())
        partition = self.partition(num_layers)
        values = original.with_head(alphas_of.parsed(alphas), partition)
        return Recipe(partition, alphas_of.checked(values, partition.num_blocks, beyond), self.precision())


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


def chosen_rho(rho: float | None) -> float | None:
    """What ``--rho`` was given. Raises HmaError for what is below 0 or no finite number."""
    if rho is not None and not 0 <= rho < math.inf:
        raise HmaError(
            f"--rho is {rho:g}. It is how far the weights of the tasks may go from equal ones, and no distance is below 0. Give "
            "0 for the mean tax, or more, such as 0.3, for one in which the worst tasks count for more."
        )
    return rho
