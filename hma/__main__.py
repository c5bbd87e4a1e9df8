"""The command line: the app's own verbs, headless. ``python -m hma --help``."""

from __future__ import annotations

import json
import logging
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from hma import options, report, text
from hma.bench.cli import app as bench_app
from hma.board import Board
from hma.engine import Engine
from hma.errors import Cancelled, HmaError, MeasureError, Refused
from hma.export_cli import export, push, verify
from hma.lab.cli import app as lab_app
from hma.launch import launch
from hma.lookup import nothing_measured, read_board
from hma.measuring import measured
from hma.pair_cli import delta, preflight
from hma.study import open_store, open_study
from hma.sure_cli import difference, power
from hma.sweep_cli import sweep

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
    reward: options.Program = None,
    split: options.Split = "validation",
    size: options.Size = None,
    store: options.StoreFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure one merge: its reward and abilities. A point that the store has is not measured again."""
    study = open_study(reference, policy, suite, split, size, options.chosen_allow(allow), options.chosen_program(reward))
    cut, precision = options.Cut(blocks, pivots, own, linear_only), options.chosen_precision(dtype, rounding, seed)
    recipe = options.chosen_recipe(study.num_layers, alphas, cut, precision)
    opened = open_store(store)
    with Engine(opened) as engine:
        measured(engine, study, [recipe], "single", as_json)
    point = opened.point(study.point_key(recipe), study.num_items)
    assert point is not None
    if as_json:
        # The point may have been stored under another partition with the same alpha for every layer.
        effective = {} if recipe == point.recipe else {"effective_alphas": []}
        _print_json({"items": report.items_dict(study)} | point.to_dict() | {"recipe": recipe.to_dict()} | effective)
        if lost := text.lost(point.recipe, point.effective_alphas):
            _screen.print(f"[yellow]Warning:[/yellow] {escape(lost)}", highlight=False, soft_wrap=True)
    else:
        report.print_points(study, [point], Board.read(opened, study).reference)


@app.command()
def front(
    reference: options.Reference = options.REFERENCE,
    policy: options.Policy = options.POLICY,
    allow: options.Allow = None,
    suite: options.SuiteFile = options.SUITE,
    reward: options.Program = None,
    split: options.Split = "validation",
    size: options.Size = None,
    store: options.StoreFile = None,
    rho: options.Rho = None,
    as_json: options.AsJson = False,
) -> None:
    """The points that no other point beats, and the hypervolume between them and the worst corner of the two ends.

    With how sure both are: in how many resamples of the items a point stays on the front, and the hypervolume's interval.
    """
    rho = options.chosen_rho(rho)
    study = open_study(reference, policy, suite, split, size, options.chosen_allow(allow), options.chosen_program(reward))
    board, opened = read_board(study, store)
    robust = None if rho is None else {p.key: found for p in board.front if (found := board.robust_tax(opened, p, rho))}
    if as_json:
        _print_json(report.front_dict(board, robust))
    elif board.points:
        report.print_front(board, robust)
    else:
        typer.echo(nothing_measured(board.study))


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
    reward: options.Program = None,
    store: options.StoreFile = None,
    browser: Annotated[bool, typer.Option(help="Open a browser window at the page.")] = True,
) -> None:
    """Open the app in a browser."""
    study = open_study(reference, policy, suite, allow=options.chosen_allow(allow), program=options.chosen_program(reward))
    open_store(store)
    places = {"reference": study.reference, "policy": study.policy, "suite": study.suite_path, "program": study.program}
    launch(port, address, **places, allow=study.allow, store=store, browser=browser)


for _verb in (sweep, difference, power, preflight, delta, export, verify, push):
    app.command()(_verb)


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
