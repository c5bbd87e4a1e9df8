"""Where the time of a new point goes, with no browser in between."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hma.core.front import ends, front
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import Engine
from hma.errors import MeasureError
from hma.store import Store
from hma.study import open_study
from hma.ui.chart import figure


def point(
    runs: Annotated[int, typer.Option(help="Points to measure after the worker is warm.", min=1)] = 9,
    size: Annotated[str, typer.Option(help="A size of the suite.")] = "quick",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """From the button to a new point: merge, reward generation, each task, scoring, engine, store, chart.

    Every run measures alphas that were not measured before, in a store of its own. Prints medians, and
    the share of the work that is not the model's own forward passes and generation.
    """
    study = open_study(size=size)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = _TimedStore(Path(folder) / "points.sqlite")
        with Engine(store) as engine:
            for run in range(-1, runs):  # The first only warms the worker.
                row = _timed_point(engine, store, study, _recipe(study, run))
                if run >= 0:
                    rows.append(row)
    medians = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    share = statistics.median(1 - row["model"] / row["work"] for row in rows)
    if as_json:
        print(json.dumps({"seconds": medians, "share_not_model": share, "runs": runs, "num_items": study.num_items}))
    else:
        _print(medians, share, runs, study.num_items)


def _recipe(study: Study, run: int) -> Recipe:
    """Alphas of which each differs from the run before, so that every layer is merged anew."""
    partition = study.partition()
    return Recipe(partition, tuple(0.2 + 0.1 * block + run / 1000 for block in range(partition.num_blocks)))


class _TimedStore(Store):
    """A store that notes how long the last ``add`` took."""

    seconds = 0.0

    def add(self, *arguments, **keywords):
        started = time.perf_counter()
        added = super().add(*arguments, **keywords)
        self.seconds = time.perf_counter() - started
        return added


def _timed_point(engine: Engine, store: _TimedStore, study: Study, recipe: Recipe) -> dict[str, float]:
    """Seconds of one measurement by stage. ``work`` is their sum, ``model`` the part of it spent in the model itself."""
    started = time.perf_counter()
    job = engine.wait(engine.submit(study, recipe).id)
    answered = time.perf_counter()
    if job.state != "finished":
        raise MeasureError(job.message)
    points = store.points(study)
    figure(points, front(points), ends(points), selected=job.key)
    drawn = time.perf_counter()
    measured = store.point(job.key)
    assert measured is not None
    stages = dict(measured.timings)
    model = stages.pop("model")
    rest = {
        "engine": answered - started - measured.elapsed_seconds - store.seconds,
        "store": store.seconds,
        "chart": drawn - answered,
    }
    work = sum(stages.values()) + sum(rest.values())
    return {**stages, **rest, "work": work, "model": model, "total": drawn - started}


def _print(medians: dict[str, float], share: float, runs: int, num_items: int) -> None:
    table = Table(title=f"One new point, {num_items} items a task, median of {runs}", title_justify="left")
    table.add_column("stage")
    table.add_column("milliseconds", justify="right")
    table.add_column("share", justify="right")
    for name, seconds in medians.items():
        if name not in ("work", "model", "total"):
            table.add_row(name, f"{1000 * seconds:.1f}", f"{seconds / medians['work']:.1%}", end_section=name == "chart")
    table.add_row("all work", f"{1000 * medians['work']:.1f}", "100.0%")
    table.add_row("of it the model's forward and generation", f"{1000 * medians['model']:.1f}", f"{1 - share:.1%}")
    table.add_row("from the request to the chart's data", f"{1000 * medians['total']:.1f}", "")
    console = Console()
    console.print(table)
    console.print("Stages run side by side, a core each, so that they add up to more than the time that passes.")
    console.print(f"Share of the work that is not model forward or generation: {share:.1%} (at most 15 % is wanted)")
