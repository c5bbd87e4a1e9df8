"""Having recipes measured from the command line: a bar, what could not be measured, and going on after Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from hma import report, text
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import SWEEP, Engine, Job
from hma.errors import Cancelled, MeasureError, Refused

_screen = Console(stderr=True)

_HOPELESS = 3
"""When so many points fail and none succeeds, the rest of a sweep is not tried."""


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
    failed = [job for job in jobs if job.is_over and job.state != "finished"]
    if failed:
        told = next((job for job in failed if job.refused), failed[0])
        untried = sum(not job.is_over for job in jobs)
        counts = f" {len(failed)} of {len(jobs)} points failed" + (f", {untried} were not tried" if untried else "")
        rest = f"{counts}; every finished one is in the store." if len(jobs) > 1 else ""
        raise (Refused if told.refused else MeasureError)(told.message + rest)
    return len(missing)


def _done(engine: Engine, study: Study, recipes: Sequence[Recipe], method: str, quiet: bool) -> list[Job]:
    """Measure recipes and return their jobs as they ended; those that were not tried, as they stood.

    The rest is not tried once one was refused, or when the first few all fail.
    """
    with report.progress_bar(_screen, len(recipes), hidden=quiet) as bar:
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
