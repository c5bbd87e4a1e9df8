"""Points and fronts in words and tables, for the command line."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape as plain
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from hma.core import front as fronts
from hma.core.point import Point, Score, tax
from hma.core.study import Study

__all__ = ["Bar", "Summary", "plain", "print_front", "print_points", "progress_bar", "summarise"]


@dataclass(frozen=True)
class Summary:
    """A study's points with their front, and the hypervolume above the corner of the two ends.

    ``hypervolume`` and ``corner`` are None until both ends are measured.
    """

    points: tuple[Point, ...]
    front: tuple[Point, ...]
    corner: fronts.Corner | None
    hypervolume: float | None

    def to_dict(self) -> dict[str, Any]:
        """What ``front --json`` prints."""
        corner = self.corner and {"reward": self.corner.reward, "ability": self.corner.ability}
        return {
            "points": [point.to_dict() for point in self.points],
            "front": [point.key for point in self.front],
            "hypervolume": self.hypervolume,
            "corner": corner,
        }


def summarise(points: Sequence[Point]) -> Summary:
    """The front, corner and hypervolume of a study's points."""
    corner = fronts.corner_of(points)
    volume = None if corner is None else fronts.hypervolume(points, corner)
    return Summary(tuple(points), tuple(fronts.front(points)), corner, volume)


def rounded(score: Score) -> str:
    """The value with its standard error, at the digits that the error supports."""
    digits = 1 if score.standard_error == 0 else max(0, min(3, 1 - math.floor(math.log10(score.standard_error))))
    return f"{score.value:.{digits}f} ± {score.standard_error:.{digits}f}"


def print_points(study: Study, points: Sequence[Point], title: str = "") -> None:
    """A table of points: alphas, reward, abilities with standard errors, and the tax when the reference is measured."""
    reference, _ = fronts.ends(points)
    table = Table(title=title or f"{study.title}: {study.num_items} {study.split} items ({study.size})", title_justify="left")
    table.add_column("alphas")
    for axis in (study.reward, *study.abilities):
        table.add_column(f"{axis.title} ({axis.unit})", justify="right")
    table.add_column("Mean ability", justify="right")
    if reference:
        table.add_column("Mean tax", justify="right")
    table.add_column("key")
    for point in points:
        cells = [" ".join(f"{a:g}" for a in point.recipe.alphas)]
        cells += [rounded(point.scores[axis.name]) for axis in (study.reward, *study.abilities)]
        cells += [rounded(point.ability)]
        if reference:
            cells.append(f"{tax(reference, point)['mean']:+.1f}")
        table.add_row(*cells, point.key)
    console = Console()
    console.print(table)
    console.print("An alpha is the share of the reference: 0 is the policy, 1 is the reference. ± is one standard error.")


def print_front(study: Study, summary: Summary) -> None:
    """The front as a table, and its hypervolume in words."""
    if not summary.points:
        Console().print("No points are measured yet. Run: python -m hma sweep")
        return
    count = f"{len(summary.front)} of {len(summary.points)} points are on the front"
    print_points(study, summary.front, f"{study.title}, {study.num_items} {study.split} items ({study.size}): {count}")
    if summary.corner is None or summary.hypervolume is None:
        Console().print("No hypervolume: measure both ends first (alphas 0 and 1).")
        return
    Console().print(
        f"Hypervolume {summary.hypervolume:.1f} (reward times ability) above the corner: reward "
        f"{summary.corner.reward:.2f}, ability {summary.corner.ability:.1f}, the worse of the two ends on each axis."
    )


class Bar:
    """A progress bar over points; hidden, it does nothing."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress, self._task = progress, task

    def update(self, done: float, stage: str) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, description=stage or "measuring")


@contextlib.contextmanager
def progress_bar(console: Console, total: int, *, hidden: bool) -> Iterator[Bar]:
    """A bar on standard error over ``total`` points."""
    if hidden:
        yield Bar(None, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, progress.add_task("starting the worker", total=total))
