"""``python -m hma handout``: the page Present as one HTML file, made without the app."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hma import handout as making
from hma import options, report, samples, text
from hma.board import Board
from hma.core.point import Point
from hma.errors import HmaError
from hma.evaluate.suite import load_suite
from hma.lookup import named_point, nothing_measured, read_board
from hma.samples import Sample
from hma.verb import verb


@verb
def handout(
    *,
    out: Annotated[Path, typer.Option(help="The HTML file to make.")],
    point: Annotated[
        str | None,
        typer.Option(
            help="The point that the lever starts at: its key or how it begins, or its alphas. It must be on the front.",
            show_default="the first, on the reference's side",
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            help=f"Which prompts are in the file, by their numbers in the suite: 1,4,7. {making.MOST_PROMPTS} at most.",
            show_default=f"the suite's first {making.FIRST_PROMPTS}",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
    chosen: options.StudyOptions,
    as_json: options.AsJson = False,
) -> None:
    """Write the front as one HTML file to hand on: a lever through the measured points, their answers, every interval.

    It works offline and asks nothing of any network. The same as on the page Present.
    """
    file = _place(out, force)
    study = chosen.study()
    board, store = read_board(study, chosen.store)
    if not board.points:
        raise HmaError(nothing_measured(study))
    first = None if point is None else _on_front(board, named_point(board, store, point, options.MergeOptions()))
    chat = load_suite(study.suite_path, study.split, study.size, study.program).chat
    shown = [end for end in (board.reference, board.policy) if end] + list(board.front)
    read = samples.read(store, study, {prompt.id: prompt.text for prompt in chat.prompts}, shown)
    picked = _picked(read, prompts)
    page = making.page(board, chat, picked, prompts is not None, first)
    _write(file, page)
    if as_json:
        size = len(page.encode())
        report.print_json({"file": str(file), "points": len(board.front), "prompts": len(picked), "bytes": size})
    else:
        size = text.size(len(page.encode()))
        count = text.count(len(board.front), "point")
        print(f"{file}: {count} on the front, {text.count(len(picked), 'prompt')}, {size}. It opens in any browser, offline.")


def _place(out: Path, force: bool) -> Path:
    """The file's whole path. Raises HmaError where it cannot be made."""
    file = out.expanduser().resolve()
    if file.is_dir():
        raise HmaError(f"--out {out} is a folder. Name the file to make in it, such as {out / 'alignment-tax.html'}.")
    if not file.parent.is_dir():
        raise HmaError(f"There is no folder {file.parent} to put {file.name} into. Make it first, or give another --out.")
    if file.exists() and not force:
        raise HmaError(f"{out} is there already. Give another --out, or replace it with --force.")
    return file


def _on_front(board: Board, point: Point) -> Point:
    """The point itself. Raises HmaError for one that the lever does not come to."""
    if board.is_on_front(point):
        return point
    near = board.nearest(point.recipe, [p.key for p in board.front])
    assert near is not None
    raise HmaError(
        f"{text.point_name(point)} is not on the front, and a handout's lever goes through the front alone. The point on it that "
        f"is most like it is {text.point_name(near)}: --point {near.key}"
    )


def _picked(read: Sequence[Sample], prompts: str | None) -> list[Sample]:
    """The samples with these numbers, or the first few. Raises HmaError for numbers that are none of theirs."""
    if prompts is None:
        return list(read[: making.FIRST_PROMPTS])
    words = [word.strip() for word in prompts.split(",")]
    numbers = {sample.place + 1: sample for sample in read}
    wrong = [word for word in words if not word.isdecimal() or int(word) not in numbers]
    if wrong or len(words) > making.MOST_PROMPTS:
        most = f"at most {making.MOST_PROMPTS} numbers from 1 to {len(read)}"
        raise HmaError(f"--prompts is '{prompts}'. Expected {most}, with commas between them: 1,4,7.")
    return [numbers[number] for number in dict.fromkeys(map(int, words))]


def _write(file: Path, page: str) -> None:
    """Put the page there, whole or not at all. Raises HmaError where the disk refuses."""
    part = file.with_name(f".{file.name}.part-{os.getpid()}")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise HmaError(f"{file} cannot be written: {error}. Give another --out, or free this one.") from error
