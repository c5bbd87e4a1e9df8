"""``python -m hma lab``: build a miniature, check what it claims, and make pairs of several scenarios."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hma import shell
from hma.errors import HmaError

if TYPE_CHECKING:
    from hma.lab.scenario import Scenario

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

COMPARED = ("default", "heavy_raft", "style_conflict", "new_knowledge")
"""The scenarios that methods are compared on: one for each kind of conflict."""

ScenarioName = Annotated[str, typer.Option("--scenario", help="A scenario of hma/lab/scenario.py, by its name.")]


@app.command("build")
def build_command(
    seed: Annotated[
        int, typer.Option(help="Seed of weights, training and sampling; the world itself is always the same.", min=0)
    ] = 0,
    out: Annotated[Path, typer.Option(help="The folder to write, new or empty.")] = Path("runs/miniature"),
    scenario: ScenarioName = "default",
    force: Annotated[bool, typer.Option("--force", help="Replace the miniature that the folder holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report on standard output, and nothing else there.")] = False,
) -> None:
    """Make a reference, a policy, judges, tasks and prompts from nothing: minutes on two CPU cores."""
    chosen = _scenario(scenario)
    from hma.lab.build import build

    with _progress() as progress:
        report = build(out, chosen, seed, progress, force)
    if as_json:
        typer.echo(json.dumps(report))
        return
    ends = report["rlhf_path"]["iterations"][0], report["rlhf_path"]["iterations"][-1]
    for name, scores in zip(("reference", "policy"), ends, strict=True):
        typer.echo(f"{name}: reward {scores['reward']:.2f}, mean ability {scores['ability']:.1f} (test items)")
    typer.echo(f"written to {out}")


@app.command("pairs")
def pairs_command(
    scenarios: Annotated[str, typer.Option(help="Scenarios of hma/lab/scenario.py, with commas.")] = ",".join(COMPARED),
    seeds: Annotated[str, typer.Option(help="Seeds, with commas.")] = "0,1,2",
    out: Annotated[Path, typer.Option(help="The pairs go into SCENARIO/seed-N here, their references into references.")] = Path(
        "runs/lab"
    ),
    path: Annotated[bool, typer.Option("--path", help="Measure each RLHF iteration on test items (early stopping).")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at a time; more than cores gain nothing.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the folders as JSON on standard output, alone.")] = False,
) -> None:
    """Make a pair for every scenario and seed, without judges; each reference is trained once. What is there stays."""
    chosen, numbers = [_scenario(name) for name in scenarios.split(",")], _seeds(seeds)
    _refuse_file(out)
    from hma.lab.pairs import Wanted, make_pairs

    wanted = [Wanted(out.expanduser(), scenario, seed, path) for scenario in chosen for seed in numbers]
    with _progress() as progress:
        made = make_pairs(wanted, jobs, progress)
    if as_json:
        typer.echo(json.dumps({"pairs": [str(pair.folder) for pair in wanted], "made": [str(pair.folder) for pair in made]}))
        return
    for pair in wanted:
        typer.echo(f"{pair.folder}: {'made' if pair in made else 'was there'}")


@app.command("report")
def report_command(
    pairs: Annotated[Path, typer.Option(help="Where `lab pairs` made them: a folder for each scenario, and seeds in it.")] = Path(
        "runs/lab"
    ),
    scenarios: Annotated[str, typer.Option(help="Scenarios of hma/lab/scenario.py, with commas.")] = "default",
    seeds: Annotated[str, typer.Option(help="Seeds, with commas.")] = "0,1,2",
    out: Annotated[Path, typer.Option(help="The folder to write report.md, its pictures and report.json into.")] = Path(
        "runs/report"
    ),
    budget: Annotated[int, typer.Option(help="Points that each method may measure, both ends among them.")] = 11,
    size: Annotated[str, typer.Option(help="A size of the suite.")] = "full",
    brief: Annotated[bool, typer.Option("--brief", help="Compare MA, HMA and the two-sided variant alone.")] = False,
) -> None:
    """Replicate the paper's claims on pairs of the lab, and write a page of verdicts, tables and charts.

    Everything measured stays beside each pair: interrupted, it goes on when run again.
    """
    _refuse_file(out)
    folders = [
        pairs.expanduser() / _scenario(name).name / f"seed-{seed}" for name in scenarios.split(",") for seed in _seeds(seeds)
    ]
    if missing := [str(folder) for folder in folders if not (folder / "report.json").is_file()]:
        raise HmaError(
            f"There is no pair in {missing[0]}. Make it: "
            + shell.command("lab", "pairs", "--scenarios", scenarios, "--seeds", seeds, "--out", str(pairs))
        )
    from hma.core.fit import Draw
    from hma.evaluate.suite import suite_sizes
    from hma.lab.page import write
    from hma.lab.replication import replicate

    found = []
    for folder in folders:
        with _said(f"{folder.parent.name}, {folder.name}") as say:
            found.append(replicate(folder, budget, size, Draw(), brief, say))
        write(out, found, budget, suite_sizes(folder / "suite.json")[size])
    typer.echo(f"written to {out / 'report.md'}")


@app.command("check")
def check_command(
    seeds: Annotated[str, typer.Option(help="Seeds to build and measure, with commas.")] = "0,1,2",
    scenario: ScenarioName = "default",
    keep: Annotated[
        Path | None, typer.Option(help="Build in, or reuse, seed-N folders here.", show_default="a temporary folder")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report as JSON to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report on standard output, and nothing else there.")] = False,
) -> None:
    """Build each seed, measure it on test items, and say which claims hold. Ends with status 1 if one does not."""
    chosen, numbers = _scenario(scenario), _seeds(seeds)
    if keep:
        _refuse_file(keep, "--keep")
    if out and out.is_dir():
        raise HmaError(f"--out {out} is a folder. Name the file to write, such as {out / 'check.json'}.")
    folder = keep or Path(tempfile.mkdtemp(prefix="miniature-"))
    try:
        report = {"scenario": scenario, "seeds": [_checked(folder, chosen, seed) for seed in numbers]}
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(report))
    else:
        from hma.lab.report import print_report

        print_report(report)
    if not all(held for seed in report["seeds"] for held in seed["claims"].values()):
        raise typer.Exit(1)


def _checked(folder: Path, scenario: Scenario, seed: int) -> dict[str, Any]:
    from hma.lab.check import check_seed

    with _progress(f"seed {seed}: ") as progress:
        return check_seed(folder / f"seed-{seed}", scenario, seed, progress)


def _scenario(name: str) -> Scenario:
    from hma.lab.scenario import SCENARIOS

    if name not in SCENARIOS:
        raise HmaError(f"Scenario '{name}' is unknown. Choose one of: {', '.join(SCENARIOS)}.")
    return SCENARIOS[name]


def _seeds(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise HmaError(f"'{text}' is not a list of seeds. Write whole numbers of 0 or more with commas, for example 0,1,2.")
    return [int(part) for part in parts]


def _refuse_file(place: Path, option: str = "--out") -> None:
    """Raise HmaError where no folder can be, before hours of work are to be put there."""
    if file := next((folder for folder in (place.expanduser(), *place.expanduser().parents) if folder.is_file()), None):
        raise HmaError(f"{option} is {place}, and {file} is a file. Name a folder, which is made where it is not there.")


@contextlib.contextmanager
def _said(name: str) -> Iterator[Callable[[str], None]]:
    """A function (stage) that says on standard error what is done: in one line of a terminal, elsewhere once a stage."""
    said: set[str] = set()

    def say(stage: str) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{name}: {stage:<40}", nl=False, err=True)
        elif stage not in said:
            typer.echo(f"{name}: {stage}", err=True)
        said.add(stage)

    yield say
    if said and sys.stderr.isatty():
        typer.echo("", err=True)


@contextlib.contextmanager
def _progress(prefix: str = "") -> Iterator[Any]:
    """A function (stage, done, total) that draws one bar a stage on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # Bars for files that are read and written at once would break up these.
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(prefix + stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield progress
