"""The command line: the app's own verbs, headless. ``python -m hma --help``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hma import options, shell, text
from hma.errors import Cancelled, HmaError, MeasureError, Refused, StoreError
from hma.launch import launch
from hma.mistakes import Verbs
from hma.study import open_store
from hma.verb import verb

_ABOUT = (
    "Merge a model from before RLHF (the reference) with the one after (the policy), and measure reward against ability.\n\n"
    "An alpha is the share of the reference in a block of layers: 0 is the policy, 1 is the reference. "
    "The shipped miniature pair and suite are used unless others are named."
)

_screen = Console(stderr=True)


@verb
def start_app(
    *,
    port: Annotated[int, typer.Option(help="The port to serve on.", min=1, max=65535)] = 8501,
    address: Annotated[
        str, typer.Option(help="The address to serve. Others than 127.0.0.1 let other machines in.")
    ] = "127.0.0.1",
    chosen: options.SuiteOptions,
    store: options.StoreFile = None,
    root: Annotated[
        list[Path] | None, typer.Option(help="A folder out of which the page may open checkpoints and suites; again for more.")
    ] = None,
    exports: Annotated[Path | None, typer.Option(help="The folder that pages may export into; runs/exports by default.")] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Show what is measured; nothing can be started or written from the pages.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser window at the page.")] = True,
) -> None:
    """Open the app in a browser."""
    study = chosen.study()
    if read_only and store and not store.expanduser().exists():
        raise StoreError(f"There is no store at {store}, and --read-only makes none. Name the file that has the points.")
    if not address.strip():
        raise HmaError("--address is empty, which would serve every machine around. Name one, such as 127.0.0.1 for this alone.")
    if exports and exports.expanduser().is_file():
        raise HmaError(f"--exports {exports} is a file. Name a folder, which is made where it is not there.")
    open_store(store, to_read=read_only)
    places = {"reference": study.reference, "policy": study.policy, "suite": study.suite_path, "program": study.program}
    kept = {"store": store, "roots": _roots(root or []), "exports": exports, "read_only": read_only}
    launch(port, address, **places, allow=study.allow, **kept, browser=browser)


def _roots(given: list[Path]) -> list[Path]:
    """The folders, whole. Raises HmaError for what is none."""
    for folder in given:
        if not folder.expanduser().is_dir():
            raise HmaError(f"--root {folder} is no folder. Name one that holds checkpoints or suites.")
    return [folder.expanduser().resolve() for folder in given]


def commands(of_app_alone: bool = False) -> typer.Typer:
    """The command line with every verb, or with the app's alone: a browser waits until that serves, and all that the others
    import takes as long again."""
    app = typer.Typer(
        cls=Verbs,
        suggest_commands=False,
        name="hma",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help=_ABOUT,
    )
    app.callback()(_named)
    if of_app_alone:
        app.command("app")(start_app)
        return app
    from hma.bench.cli import app as bench_app
    from hma.compare_cli import compare
    from hma.export_cli import export, push, verify
    from hma.fit_cli import fit
    from hma.front_cli import front
    from hma.handout_cli import handout
    from hma.lab.cli import app as lab_app
    from hma.measure_cli import measure
    from hma.pair_cli import delta, preflight
    from hma.search_cli import search
    from hma.sure_cli import difference, power
    from hma.sweep_cli import sweep

    app.add_typer(
        lab_app, name="lab", cls=Verbs, help="Make the shipped miniature again, from nothing, and check what it claims."
    )
    app.add_typer(bench_app, name="bench", cls=Verbs, help="Measure where the time goes.")
    app.command()(measure)
    app.command()(front)
    app.command("app")(start_app)
    for verb_of in (sweep, fit, search, compare, difference, power, preflight, delta, export, verify, push, handout):
        app.command()(verb_of)
    return app


def _named() -> None:
    """Nothing: with it, typer expects a verb's name even where there is one verb alone."""


def main() -> None:
    """Run the command line. Exit code 0 on success, 2 for a person's mistake, 1 for what failed, 130 for Ctrl-C."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("hma").setLevel(logging.INFO)
    try:
        commands(of_app_alone=sys.argv[1:2] == ["app"])(prog_name=shell.command())
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
