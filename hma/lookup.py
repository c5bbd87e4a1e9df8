"""What words on the command line name: a study's points in a store, all of them or one by its key or alphas."""

from __future__ import annotations

import string
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from hma import options, text
from hma.board import Board
from hma.core.point import Point
from hma.core.study import Study
from hma.errors import HmaError, StoreError
from hma.methods import mask_alphas, original
from hma.shell import command
from hma.store import Store
from hma.study import open_store

_ENDS = {"policy": "0", "reference": "1"}

_OF_READING = ("--rho", "--items", "--effect", "--out", "--point", "--prompts")
"""Options of the verbs that read, which those that measure do not take."""
_BARE = ("--json", "--force", "--whole", "--measure")
"""Options of all verbs that stand without a value."""

_OF_FITTING = ("--objective", "--mean", "--balance", "--group", "--form", "--epsilon", "--l1", "--low", "--high", "--max-steps")
_OF_DRAWING = ("--prompts", "--answers", "--kept", "--drawn", "--draw-seed")
"""Options of the verb fit alone."""

_OF_MERGE = ("--blocks", "--pivots", "--own", "--linear-only", "--dtype", "--rounding", "--seed")
"""Options of how a merge is cut and rounded. An end is itself however they are set."""


def read_board(study: Study, store: Path | None, *points: str) -> tuple[Board, Store]:
    """The study's board from a store, and that store; ``points`` are the words by which points in it are named.

    Raises StoreError for a file that is named and not there.
    """
    if store and not store.expanduser().exists():
        wanted = sweep_command(*points)
        raise StoreError(f"There is no store at {store}. Name the file that has the points, or measure some: {wanted}")
    opened = open_store(store, to_read=True)
    return Board.read(opened, study), opened


def nothing_measured(study: Study) -> str:
    """That a study lacks points, and the command that measures some."""
    return f"No points are measured yet in this study ({study.split} items, {study.size}). Measure some: {sweep_command()}"


def sweep_command(*points: str) -> str:
    """The command that measures what the command in hand looked for in vain: its options, given to ``sweep``."""
    return command("sweep", *_given_options(points, _OF_READING))


def measure_command(alphas: str) -> str:
    """The command that measures the merge of the alphas that the command in hand, a ``fit``, has found."""
    return command("measure", "--alphas", alphas, *_given_options((), (*_OF_FITTING, *_OF_DRAWING)))


def _given_options(points: Sequence[str], left_out: Collection[str]) -> list[str]:
    """The options of the command in hand, without its points, some options and ``_BARE``."""
    words, given = list(sys.argv[2:]), []
    for point in points:
        if point in words:
            words.remove(point)
    rest = iter(words)
    for word in rest:
        if word in left_out and word != "--linear-only":
            next(rest, None)
        elif word not in (*_BARE, *left_out) and not word.startswith(tuple(f"{name}=" for name in left_out)):
            given.append(word)
    return given


def named_point(board: Board, store: Store, given: str, merge: options.MergeOptions, points: Sequence[str] = ()) -> Point:
    """The measured point that a word names: its key or how it begins, its alphas, or one of the two ends.

    ``points`` are all the words by which the command in hand names points.

    Raises HmaError for a word that names none or several, and for a point that is not measured in the board's study.
    """
    if not _is_alphas(given):
        return _by_key(board, store, given, points)
    alphas = _ENDS.get(given, given)
    # An end is itself however the others are cut and rounded.
    recipe = (options.MergeOptions() if given in _ENDS else merge).recipe(board.study.num_layers, alphas, beyond=True)
    point = board.point(board.study.point_key(recipe))
    if point is None:
        left_out = (*_OF_READING, *(_OF_MERGE if given in _ENDS else ()))
        wanted = command(
            "measure", "--alphas", alphas, *(["--beyond"] if recipe.is_extrapolation else []), *_given_options(points, left_out)
        )
        raise HmaError(
            f"{text.recipe_name(recipe)} is not measured on the {text.items(board.study)} of this study. Measure it: {wanted}"
        )
    return point


def _is_alphas(given: str) -> bool:
    """Whether a word names a point by its alphas rather than by its key, which has none of these."""
    listed = given in ("0", "1", *_ENDS) or "." in given or "," in given
    return listed or original.is_name(given) or mask_alphas.is_file(given)


def _by_key(board: Board, store: Store, given: str, points: Sequence[str]) -> Point:
    """The board's point whose key begins so. Raises HmaError for none, several, or one of another study."""
    if not given or set(given) - set(string.hexdigits.lower()):
        raise HmaError(
            f"'{given}' names no point. Give a key as `{command('front', '--json')}` prints it, or how it begins; or alphas: "
            "0.2,0.2,0.2."
        )
    found = [point for point in board.points if point.key.startswith(given)]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join([point.key for point in found[:4]] + ["…"] * (len(found) > 4))
        raise HmaError(f"'{given}' begins the keys of {len(found)} points ({keys}). Give more of it.")
    for study in store.studies():
        if study.key != board.study.key and any(
            point.key.startswith(given) for point in store.points(replace(study, num_items=1))
        ):
            raise HmaError(
                f"The point {given} is of another study, {study.title} on {text.items(study)}. This one is {board.study.title} "
                f"on {text.items(board.study)}, and only points of one study are compared. Choose the other with --split and "
                "--size, or name its pair and suite."
            )
    every = replace(board.study, num_items=1)
    if any(point.key.startswith(given) for point in store.points(every)):
        raise HmaError(
            f"The point {given} has fewer items than the {text.items(board.study)}. Measure it at this size too: only the "
            "further items are asked."
        )
    raise HmaError(
        f"No point on the {text.items(board.study)} of this study has a key that begins with '{given}'. "
        f"This prints all keys: {command('front', '--json', *_given_options((given, *points), (*_OF_READING, *_OF_MERGE)))}"
    )
