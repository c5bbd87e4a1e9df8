"""Having recipes measured from the command line: a bar, what could not be measured, and going on after Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from hma import report, text
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import SWEEP, Engine, Job
from hma.errors import Cancelled
from hma.jobs import failure_of, is_hopeless

_screen = Console(stderr=True)


def measured(engine: Engine, study: Study, recipes: Sequence[Recipe], method: str, quiet: bool) -> int:
    """Measure what the store lacks, with a progress bar, and say how many points are new or have more items.

    Raises MeasureError for what could not be measured, after all the rest is.
    """
    missing = [r for r in recipes if engine.store.point(study.point_key(r), study.num_items) is None]
    if not missing:
        return 0
    try:
        jobs = _done(engine, study, missing, method, quiet)
    except KeyboardInterrupt:
        raise Cancelled("Stopped. Finished points are in the store; the same command goes on where it stopped.") from None
    for job in jobs:
        if job.state == "finished" and job.message:
            _screen.print(f"[yellow]Note:[/yellow] {escape(text.printable(job.message))}", highlight=False, soft_wrap=True)
    if failure := failure_of(jobs, len(missing)):
        raise failure
    return len(missing)


def watched(engine: Engine, job: Job, quiet: bool) -> Job:
    """One job that is no measurement, once it is over, with a bar."""
    with report.progress_bar(_screen, 1, hidden=quiet) as bar:
        while not (now := engine.wait(job.id, timeout=0.1)).is_over:
            bar.update(now.share, f"{now.stage} · {engine.worker().device}".rstrip(" ·"))
        bar.update(1, "")
    return now


def _done(engine: Engine, study: Study, recipes: Sequence[Recipe], method: str, quiet: bool) -> list[Job]:
    """Measure recipes and return their jobs as they ended, without those that were not worth trying."""
    ended: list[Job] = []
    with report.progress_bar(_screen, len(recipes), hidden=quiet) as bar:
        jobs = [engine.submit(study, recipe, method, SWEEP) for recipe in recipes]
        for number, job in enumerate(jobs):
            ended.append(_watch(engine, job, number, bar))
            if is_hopeless(ended):
                break
    return ended


def _watch(engine: Engine, job: Job, number: int, bar: report.Bar) -> Job:
    """Wait for one job and show it."""
    while not (now := engine.wait(job.id, timeout=0.1)).is_over:
        bar.update(number + now.share, f"{now.stage} · {engine.worker().device}".rstrip(" ·"))
    bar.update(number + 1, "")
    return now
