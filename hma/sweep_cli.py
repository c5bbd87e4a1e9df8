"""``python -m hma sweep``: many merges, all of them or in a race."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from hma import options, race, report
from hma.board import Board
from hma.core import alphas as alphas_of
from hma.core.partition import Partition
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import Engine
from hma.errors import HmaError
from hma.measuring import measured
from hma.methods import sweeps
from hma.verb import verb


@dataclass(frozen=True)
class SweepOptions:
    """The options that say which merges a sweep has."""

    steps: Annotated[int, typer.Option(help="Evenly spaced alphas, both ends included.", min=2)] = 11
    low: Annotated[float, typer.Option("--from", help="The first alpha.")] = 0.0
    high: Annotated[float, typer.Option("--to", help="The last alpha.")] = 1.0
    beyond: options.Beyond = False
    grid: Annotated[
        bool, typer.Option("--grid", help="Every combination over the blocks (steps ** blocks), not one alpha for all.")
    ] = False
    partwise: Annotated[bool, typer.Option("--partwise", help="One block at a time, while the others stay at --base.")] = False
    part: Annotated[
        int | None,
        typer.Option(help="With --partwise: only this block, from 1 (the input).", min=1, show_default="each in turn"),
    ] = None
    base: Annotated[
        str | None, typer.Option(help="With --partwise: the alphas to stay at, 0.2,0.2,0.2 or one for all.", show_default="0")
    ] = None

    def __post_init__(self) -> None:
        if self.grid and self.partwise:
            raise HmaError("--grid and --partwise were both given. Give one of them.")
        for option, value in (("--part", self.part), ("--base", self.base)):
            if value is not None and not self.partwise:
                raise HmaError(f"{option} belongs to --partwise, which was not given. Give both, or neither.")
        for option, alpha in (("--from", self.low), ("--to", self.high)):
            alphas_of.refuse_outside(option, alpha, self.beyond)
        if self.low >= self.high:
            raise HmaError(f"--from is {self.low:g} and --to is {self.high:g}. Give a smaller one to start from.")

    @property
    def method(self) -> str:
        """What the store says of the points."""
        return sweeps.GRID if self.grid else sweeps.PARTWISE if self.partwise else sweeps.SWEEP

    def recipes(self, partition: Partition, precision: Precision) -> list[Recipe]:
        """The merges. Raises AlphasError or HmaError for what the partition's blocks do not allow."""
        if self.grid:
            return sweeps.grid(partition, self.steps, self.low, self.high, precision)
        shares = alphas_of.ladder(self.steps, self.low, self.high)
        if not self.partwise:
            return sweeps.ladder(partition, shares, precision)
        count = sweeps.num_chosen(partition)
        if self.part is not None and self.part > count:
            names = ", ".join(f"{place} {name}" for place, name in enumerate(partition.block_names()[:count], start=1))
            raise HmaError(f"--part is {self.part}, and the blocks are {names}. Give one of these numbers.")
        base = alphas_of.checked(alphas_of.parsed(self.base or "0"), count, self.beyond)
        return sweeps.partwise(partition, shares, base, self.part, precision)


@verb
def sweep(
    *,
    wanted: SweepOptions,
    racing: Annotated[
        bool,
        typer.Option(
            "--race", help="Measure all on the suite's smaller sizes first, and on more items only what may be on the front."
        ),
    ] = False,
    merge: options.MergeOptions,
    chosen: options.StudyOptions,
    as_json: options.AsJson = False,
) -> None:
    """Measure the MA sweep (one alpha for all blocks), a grid of block alphas, or one block after the other.

    Interrupted, it resumes when run again.
    """
    study = chosen.study()
    recipes = wanted.recipes(merge.partition(study.num_layers), merge.precision())
    opened = chosen.open_store()
    started, new = time.perf_counter(), 0
    with Engine(opened) as engine:

        def measure(study: Study, recipes: Sequence[Recipe]) -> None:
            nonlocal new
            new += measured(engine, study, recipes, wanted.method, as_json)

        ran = race.run(study, opened, recipes, measure) if racing else None
        if ran is None:
            measure(study, recipes)
    finalists = recipes if ran is None else ran.finalists
    points = [p for recipe in finalists if (p := opened.point(study.point_key(recipe), study.num_items))]
    if as_json:
        found = {
            "items": report.items_dict(study),
            "points": [p.to_dict() for p in points],
            "measured": new,
            "elapsed_seconds": time.perf_counter() - started,
        }
        report.print_json(found | ({} if ran is None else {"race": ran.to_dict(study)}))
        return
    report.print_points(study, points, Board.read(opened, study).reference)
    for told in race.words(ran, study) if ran else []:
        Console().print(told, highlight=False)
