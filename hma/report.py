"""Points and fronts in words and tables, for the command line."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from hma import text
from hma.board import SWAPPED, Board
from hma.core import statistics
from hma.core.point import MEAN, Point, Score
from hma.core.robust import RobustTax, most
from hma.core.study import Study
from hma.core.tax import tax

_WIDE = 100
"""Columns of a terminal from which the keys of points are shown as well."""


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output, on a line."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def items_dict(study: Study) -> dict[str, Any]:
    """Which items the numbers beside it are of."""
    return {"split": study.split, "size": study.size, "num_items": study.num_items}


def front_dict(board: Board, robust: Mapping[str, RobustTax] | None) -> dict[str, Any]:
    """What ``front --json`` prints; hypervolume and corner are None until both ends are measured.

    ``robust`` are the front's robust taxes by key, None where none were asked for.
    """
    corner = board.corner and {"reward": board.corner.reward, "ability": board.corner.ability}
    asked = {} if robust is None else {"robust_taxes": {key: asdict(found) for key, found in robust.items()}}
    return {
        "items": items_dict(board.study),
        "points": [point.to_dict() for point in board.points],
        "front": [point.key for point in board.front],
        "membership": dict(board.sureness.shares),
        "hypervolume": board.hypervolume,
        "hypervolume_interval": board.sureness.hypervolume,
        "corner": corner,
        **asked,
    }


def rounded(score: Score) -> str:
    """The value and how far its 95 % interval reaches, to the farther side, at the digits that the interval supports."""
    digits = text.decimals((score.high - score.low) / 2)
    reach = max(score.high - score.value, score.value - score.low)
    return f"{score.value:.{digits}f}±{reach:.{digits}f}"


BEYOND = "a share outside 0 to 1 (extrapolation)"
LINEAR_ONLY = "only linear weights are averaged, all else is the reference's"


def print_points(
    study: Study,
    points: Sequence[Point],
    reference: Point | None,
    title: str = "",
    beside: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """A table of points: alphas, reward, abilities with their 95 % intervals, and the tax unless ``reference`` is None.

    One alpha alone stands for the same in every block. Where there are further scores, they are a table of their own.
    ``beside`` are more columns by title, a cell for each point; in a narrow terminal the tasks make room for two of them.
    """
    console = Console()
    wide, beside = console.width >= _WIDE, beside or {}
    axes = (study.reward, *(study.abilities if wide or len(beside) < 2 else ()))
    heads = [axis.title for axis in axes] + ["Mean ability", *(["Mean tax"] if reference else []), *beside]
    table = _table(title or f"{study.title}: {text.items(study)}", heads)
    table.padding = (0, 0) if beside and not wide else (0, 1)
    if wide:
        table.add_column("key", no_wrap=True)
    for place, point in enumerate(points):
        cells = [rounded(score) for score in (*(point.scores[axis.name] for axis in axes), point.ability)]
        if reference:
            cells.append(f"{tax(reference, point)[MEAN]:+.1f}")
        cells += [column[place] for column in beside.values()]
        table.add_row(_alphas(point), *cells, *([point.key] if wide else []))
    console.print(table)
    if study.extras:
        further = _table("Of the same answers", [axis.title for axis in study.extras])
        for point in points:
            further.add_row(_alphas(point), *(rounded(point.scores[axis.name]) for axis in study.extras))
        console.print(further)
    for point in points:
        if text.lost(point.recipe, point.effective_alphas):
            console.print(
                f"Warning: {text.point_name(point)}: {text.lost(point.recipe, point.effective_alphas)}",
                style="yellow",
                highlight=False,
            )
    units = ", ".join(f"{axis.title} in {axis.unit}" for axis in (*axes, *study.extras))
    console.print(
        f"{units}. ± is the reach of the 95 % interval over items. An alpha is the share of the reference: 0 is the policy, "
        "1 is the reference; one alone is that of every block."
        + (f" beyond: {BEYOND}." if any(point.recipe.is_extrapolation for point in points) else "")
        + (f" linear: {LINEAR_ONLY}." if any(point.recipe.is_linear_only for point in points) else "")
        + ("" if study.abilities[0] in axes else " Each task stands here too where the terminal is wider, and in --json."),
        highlight=False,
    )


def _table(title: str, heads: Sequence[str]) -> Table:
    """An empty table whose first column is the points' alphas."""
    table = Table(title=title, title_justify="left")
    table.box, table.collapse_padding, table.pad_edge = box.SIMPLE_HEAD, True, False
    table.add_column("alphas", no_wrap=True)
    for head in heads:
        table.add_column(head.replace(" ", "\n"), justify="right", no_wrap=True)
    return table


def _alphas(point: Point) -> str:
    alphas = point.recipe.alphas[:1] if point.recipe.is_average else point.recipe.alphas
    words = (" beyond" if point.recipe.is_extrapolation else "") + (" linear" if point.recipe.is_linear_only else "")
    return "/".join(text.alpha(a) for a in alphas) + words


def print_front(board: Board, robust: Mapping[str, RobustTax] | None) -> None:
    """The front of a board with points as a table, and its hypervolume in words; see ``front_dict`` for ``robust``."""
    study, console = board.study, Console(highlight=False)
    count = f"{len(board.front)} of {len(board.points)} points are on the front"
    beside = {"Stays on": [text.share(board.sureness.shares[point.key]) for point in board.front]}
    if robust:
        beside |= {"Robust tax": [f"{robust[point.key].value:+.1f}" for point in board.front]}
    print_points(study, board.front, board.reference, f"{study.title}, {text.items(study)}: {count}", beside)
    console.print(
        f"Stays on: the share of {statistics.NUM_RESAMPLES:,} resamples of the items, the same for all points, in which the "
        "point is on the front. Points that are nearly alike take the place from one another."
    )
    if robust is not None:
        console.print(_robust_note(board, robust))
    if board.looks_swapped:
        console.print(SWAPPED)
    console.print(_hypervolume(board))
    if study.split == "validation":
        console.print("Validation items are for choosing: report what was chosen on test items (--split test).")


def _hypervolume(board: Board) -> str:
    sure = board.sureness.hypervolume
    if board.reference is None or board.policy is None or board.hypervolume is None or sure is None:
        return "No hypervolume: measure both ends first (alphas 0 and 1)."
    return (
        f"Hypervolume {text.estimate(board.hypervolume, sure)}, reward times ability, above the corner: "
        f"{text.corner([board.reference, board.policy])}, the worse of the two ends on each axis."
    )


def _robust_note(board: Board, robust: Mapping[str, RobustTax]) -> str:
    if not robust:
        return "No robust tax: measure the reference first (alpha 1)."
    rho = next(iter(robust.values())).rho
    return (
        f"Robust tax: under the worst weights of the tasks within rho {rho:g} of those of the mean. Rho 0 is the mean tax, "
        f"{most(board.study.groups):.2f} and more the worst task's."
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
