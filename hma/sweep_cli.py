"""``python -m hma sweep``: many merges, all of them or in a race."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from hma import options, race, report
from hma.board import Board
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import Engine
from hma.measuring import measured
from hma.study import open_store, open_study


def sweep(
    steps: Annotated[int, typer.Option(help="Evenly spaced alphas from 0 to 1, both ends included.", min=2)] = 11,
    grid: Annotated[
        bool, typer.Option("--grid", help="Every combination over the blocks (steps ** blocks), not one alpha for all.")
    ] = False,
    racing: Annotated[
        bool,
        typer.Option(
            "--race", help="Measure all on the suite's smaller sizes first, and on more items only what may be on the front."
        ),
    ] = False,
    blocks: options.Blocks = None,
    pivots: options.Pivots = None,
    own: options.Own = None,
    linear_only: options.LinearOnly = False,
    dtype: options.DType = None,
    rounding: options.Rounding = "nearest",
    seed: options.Seed = 0,
    reference: options.Reference = options.REFERENCE,
    policy: options.Policy = options.POLICY,
    allow: options.Allow = None,
    suite: options.SuiteFile = options.SUITE,
    reward: options.Program = None,
    split: options.Split = "validation",
    size: options.Size = None,
    store: options.StoreFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure the MA sweep (one alpha for all blocks), or a grid of block alphas. Interrupted, it resumes when run again."""
    study = open_study(reference, policy, suite, split, size, options.chosen_allow(allow), options.chosen_program(reward))
    partition = options.Cut(blocks, pivots, own, linear_only).partition(study.num_layers)
    recipes = options.swept_recipes(partition, steps, grid, options.chosen_precision(dtype, rounding, seed))
    opened = open_store(store)
    method = "grid" if grid else "sweep"
    started, new = time.perf_counter(), 0
    with Engine(opened) as engine:

        def measure(study: Study, recipes: Sequence[Recipe]) -> None:
            nonlocal new
            new += measured(engine, study, recipes, method, as_json)

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
        print(json.dumps(found | ({} if ran is None else {"race": ran.to_dict(study)}), allow_nan=False))
        return
    report.print_points(study, points, Board.read(opened, study).reference)
    for told in race.words(ran, study) if ran else []:
        Console().print(told, highlight=False)
