"""The command line: the app's own verbs, headless. ``python -m hma --help``."""

from __future__ import annotations

import json
import logging
import shlex
import sys
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from hma import options, report, text
from hma.bench.cli import app as bench_app
from hma.board import Board
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import SWEEP, Engine, Job
from hma.errors import Cancelled, HmaError, MeasureError, Refused, StoreError
from hma.export_cli import export, push, verify
from hma.lab.cli import app as lab_app
from hma.launch import launch
from hma.pair_cli import delta, preflight
from hma.store import Store
from hma.study import open_store, open_study

app = typer.Typer(
    name="hma",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Merge a model from before RLHF (the reference) with the one after (the policy), and measure reward against ability.\n\n"
    "An alpha is the share of the reference in a block of layers: 0 is the policy, 1 is the reference. "
    "The shipped miniature pair and suite are used unless others are named.",
)
app.add_typer(lab_app, name="lab", help="Make the shipped miniature again, from nothing, and check what it claims.")
app.add_typer(bench_app, name="bench", help="Measure where the time goes.")

_screen = Console(stderr=True)

_HOPELESS = 3
"""When so many points fail and none succeeds, the rest of a sweep is not tried."""


@app.command()
def measure(
    alphas: options.Alphas,
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
    split: options.Split = "validation",
    size: options.Size = None,
    store: options.StoreFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure one merge: its reward and abilities. A point that the store has is not measured again."""
    study = open_study(reference, policy, suite, split, size, options.chosen_allow(allow))
    cut, precision = options.Cut(blocks, pivots, own, linear_only), options.chosen_precision(dtype, rounding, seed)
    recipe = options.chosen_recipe(study.num_layers, alphas, cut, precision)
    opened = open_store(store)
    _measured(study, opened, [recipe], "single", as_json)
    point = opened.point(study.point_key(recipe), study.num_items)
    assert point is not None
    if as_json:
        # The point may have been stored under another partition with the same alpha for every layer.
        effective = {} if recipe == point.recipe else {"effective_alphas": []}
        _print_json(point.to_dict() | {"recipe": recipe.to_dict()} | effective)
        if lost := text.lost(point.recipe, point.effective_alphas):
            _screen.print(f"[yellow]Warning:[/yellow] {escape(lost)}", highlight=False, soft_wrap=True)
    else:
        report.print_points(study, [point], Board.read(opened, study).reference)


@app.command()
def sweep(
    steps: Annotated[int, typer.Option(help="Evenly spaced alphas from 0 to 1, both ends included.", min=2)] = 11,
    grid: Annotated[
        bool, typer.Option("--grid", help="Every combination over the blocks (steps ** blocks), not one alpha for all.")
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
    split: options.Split = "validation",
    size: options.Size = None,
    store: options.StoreFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure the MA sweep (one alpha for all blocks), or a grid of block alphas. Interrupted, it resumes when run again."""
    study = open_study(reference, policy, suite, split, size, options.chosen_allow(allow))
    partition = options.Cut(blocks, pivots, own, linear_only).partition(study.num_layers)
    recipes = options.swept_recipes(partition, steps, grid, options.chosen_precision(dtype, rounding, seed))
    opened = open_store(store)
    started = time.perf_counter()
    new = _measured(study, opened, recipes, "grid" if grid else "sweep", as_json)
    points = [opened.point(study.point_key(recipe), study.num_items) for recipe in recipes]
    if as_json:
        _print_json(
            {
                "points": [p.to_dict() for p in points if p],
                "measured": new,
                "elapsed_seconds": time.perf_counter() - started,
            }
        )
    else:
        report.print_points(study, [p for p in points if p], Board.read(opened, study).reference)


@app.command()
def front(
    reference: options.Reference = options.REFERENCE,
    policy: options.Policy = options.POLICY,
    allow: options.Allow = None,
    suite: options.SuiteFile = options.SUITE,
    split: options.Split = "validation",
    size: options.Size = None,
    store: options.StoreFile = None,
    as_json: options.AsJson = False,
) -> None:
    """The points that no other point beats, and the hypervolume between them and the worst corner of the two ends."""
    study = open_study(reference, policy, suite, split, size, options.chosen_allow(allow))
    if store and not store.expanduser().exists():
        raise StoreError(f"There is no store at {store}. Name the file that has the points, or measure some: {_sweep()}")
    board = Board.read(open_store(store), study)
    if as_json:
        _print_json(report.front_dict(board))
    elif board.points:
        report.print_front(board)
    else:
        typer.echo(f"No points are measured yet in this study ({study.split} items, {study.size}). Measure some: {_sweep()}")


@app.command("app")
def start_app(
    port: Annotated[int, typer.Option(help="The port to serve on.", min=1, max=65535)] = 8501,
    address: Annotated[
        str, typer.Option(help="The address to serve. Others than 127.0.0.1 let other machines in.")
    ] = "127.0.0.1",
    reference: options.Reference = options.REFERENCE,
    policy: options.Policy = options.POLICY,
    allow: options.Allow = None,
    suite: options.SuiteFile = options.SUITE,
    store: options.StoreFile = None,
    browser: Annotated[bool, typer.Option(help="Open a browser window at the page.")] = True,
) -> None:
    """Open the app in a browser."""
    study = open_study(reference, policy, suite, allow=options.chosen_allow(allow))
    open_store(store)
    places = {"reference": study.reference, "policy": study.policy, "suite": study.suite_path}
    launch(port, address, **places, allow=study.allow, store=store, browser=browser)


for _verb in (preflight, delta, export, verify, push):
    app.command()(_verb)


def _sweep() -> str:
    """The command that measures what the command in hand looked for in vain: its options, given to ``sweep``."""
    given = [word for word in sys.argv[2:] if word != "--json"]
    return shlex.join([sys.executable, "-m", "hma", "sweep", *given])


def _measured(study: Study, store: Store, recipes: list[Recipe], method: str, quiet: bool) -> int:
    """Measure what the store lacks, with a progress bar, and say how many points are new.

    Raises MeasureError for what could not be measured, after all the rest is.
    """
    missing = [r for r in recipes if store.point(study.point_key(r), study.num_items) is None]
    if not missing:
        return 0
    try:
        jobs = _done(study, store, missing, method, quiet)
    except KeyboardInterrupt:
        raise Cancelled("Stopped. Finished points are in the store; the same command goes on where it stopped.") from None
    failed = [job for job in jobs if job.is_over and job.state != "finished"]
    if failed:
        told = next((job for job in failed if job.refused), failed[0])
        untried = sum(not job.is_over for job in jobs)
        counts = f" {len(failed)} of {len(jobs)} points failed" + (f", {untried} were not tried" if untried else "")
        rest = f"{counts}; every finished one is in the store." if len(jobs) > 1 else ""
        raise (Refused if told.refused else MeasureError)(told.message + rest)
    return len(missing)


def _done(study: Study, store: Store, recipes: list[Recipe], method: str, quiet: bool) -> list[Job]:
    """Measure recipes and return their jobs as they ended; those that were not tried, as they stood.

    The rest is not tried once one was refused, or when the first few all fail.
    """
    with Engine(store) as engine, report.progress_bar(_screen, len(recipes), hidden=quiet) as bar:
        jobs = [engine.submit(study, recipe, method, SWEEP) for recipe in recipes]
        for number, job in enumerate(jobs):
            jobs[number] = _watch(engine, job, number, bar)
            hopeless = number + 1 == _HOPELESS and all(j.state != "finished" for j in jobs[:_HOPELESS])
            if jobs[number].refused or hopeless:
                break
    return jobs


def _watch(engine: Engine, job: Job, number: int, bar: report.Bar) -> Job:
    """Wait for one job and show it."""
    while not (now := engine.wait(job.id, timeout=0.1)).is_over:
        bar.update(number + now.share, f"{now.stage} · {engine.worker().device}".rstrip(" ·"))
    bar.update(number + 1, "")
    return now


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def main() -> None:
    """Run the command line. Exit code 0 on success, 2 for a person's mistake, 1 for what failed, 130 for Ctrl-C."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("hma").setLevel(logging.INFO)
    try:
        app()
    except Cancelled as error:
        _screen.print(escape(text.printable(str(error))), highlight=False, soft_wrap=True)
        sys.exit(130)
    except Refused as error:
        _screen.print(f"[red]Error:[/red] {escape(text.printable(str(error)))}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except MeasureError as error:
        _screen.print(f"[red]Not measured:[/red] {escape(text.printable(str(error)))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except HmaError as error:
        _screen.print(f"[red]Error:[/red] {escape(text.printable(str(error)))}", highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
