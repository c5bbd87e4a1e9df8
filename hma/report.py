"""Points and fronts in words and tables, for the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from hma import text
from hma.board import SWAPPED, Board
from hma.core.point import MEAN, Point, Score
from hma.core.study import Study
from hma.core.tax import tax

_WIDE = 100
"""Columns of a terminal from which the keys of points are shown as well."""


def front_dict(board: Board) -> dict[str, Any]:
    """What ``front --json`` prints; hypervolume and corner are None until both ends are measured."""
    corner = board.corner and {"reward": board.corner.reward, "ability": board.corner.ability}
    return {
        "points": [point.to_dict() for point in board.points],
        "front": [point.key for point in board.front],
        "hypervolume": board.hypervolume,
        "corner": corner,
    }


def rounded(score: Score) -> str:
    """The value with its standard error, at the digits that the error supports."""
    digits = text.decimals(1.96 * score.standard_error)
    return f"{score.value:.{digits}f}±{score.standard_error:.{digits}f}"


LINEAR_ONLY = "only linear weights are averaged, all else is the reference's"


def print_points(study: Study, points: Sequence[Point], reference: Point | None, title: str = "") -> None:
    """A table of points: alphas, reward, abilities with standard errors, and the tax unless ``reference`` is None.

    One alpha alone stands for the same in every block.
    """
    console = Console()
    axes = (study.reward, *study.abilities)
    wide = console.width >= _WIDE
    table = Table(title=title or f"{study.title}: {study.num_items} {study.split} items ({study.size})", title_justify="left")
    table.box, table.collapse_padding, table.pad_edge = box.SIMPLE_HEAD, True, False
    table.add_column("alphas", no_wrap=True)
    for name in (*(axis.title for axis in axes), "Mean ability", *(["Mean tax"] if reference else [])):
        table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True)
    if wide:
        table.add_column("key", no_wrap=True)
    for point in points:
        alphas = point.recipe.alphas[:1] if point.recipe.is_average else point.recipe.alphas
        cells = ["/".join(text.alpha(a) for a in alphas) + (" linear" if point.recipe.is_linear_only else "")]
        cells += [rounded(score) for score in (*(point.scores[axis.name] for axis in axes), point.ability)]
        if reference:
            cells.append(f"{tax(reference, point)[MEAN]:+.1f}")
        table.add_row(*cells, *([point.key] if wide else []))
    console.print(table)
    for point in points:
        if text.lost(point.recipe, point.effective_alphas):
            console.print(
                f"Warning: {text.point_name(point)}: {text.lost(point.recipe, point.effective_alphas)}",
                style="yellow",
                highlight=False,
            )
    units = ", ".join(f"{axis.title} in {axis.unit}" for axis in axes)
    console.print(
        f"{units}. ± is one standard error. An alpha is the share of the reference: 0 is the policy, 1 is the reference; "
        "one alone is that of every block."
        + (f" linear: {LINEAR_ONLY}." if any(point.recipe.is_linear_only for point in points) else ""),
        highlight=False,
    )


def print_front(board: Board) -> None:
    """The front of a board with points as a table, and its hypervolume in words."""
    study = board.study
    count = f"{len(board.front)} of {len(board.points)} points are on the front"
    print_points(
        study, board.front, board.reference, f"{study.title}, {study.num_items} {study.split} items ({study.size}): {count}"
    )
    if board.looks_swapped:
        Console().print(SWAPPED)
    if board.corner is None or board.hypervolume is None:
        Console().print("No hypervolume: measure both ends first (alphas 0 and 1).")
        return
    Console().print(
        f"Hypervolume {board.hypervolume:.1f} (reward times ability) above the corner: reward "
        f"{board.corner.reward:.2f}, ability {board.corner.ability:.1f}, the worse of the two ends on each axis."
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
