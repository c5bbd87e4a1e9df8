"""The verbs ``difference`` and ``power``: whether two points differ, and what difference so many items can show."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hma import options, report, text
from hma.board import Board
from hma.core.difference import Difference, are_indistinguishable, differences
from hma.core.point import MEAN, REWARD, Point, Score
from hma.core.power import LEVEL, POWER, Spread
from hma.core.power import power as spreads_of
from hma.core.study import Axis, Study
from hma.errors import HmaError
from hma.lookup import named_point, read_board, sweep_command
from hma.store import Store
from hma.verb import verb

OnePoint = Annotated[
    str,
    typer.Argument(help="A point: its key or how it begins, its alphas (0.2,0.2,0.2, or one for all), reference, or policy."),
]


@verb
def difference(
    one: OnePoint,
    other: OnePoint,
    merge: options.MergeOptions,
    chosen: options.StudyOptions,
    as_json: options.AsJson = False,
) -> None:
    """Whether two measured points differ: what the second has more than the first, score by score, paired on the same items.

    A difference is shown where its 95 % interval leaves zero out.
    """
    study = chosen.study()
    board, opened = read_board(study, chosen.store, one, other)
    first, second = (named_point(board, opened, given, merge, (one, other)) for given in (one, other))
    if first.key == second.key:
        raise HmaError(f"'{one}' and '{other}' are the same point, {text.point_name(first)} ({first.key}). Name two.")
    found = differences(*(opened.results(p.key, board.study.num_items) for p in (second, first)), board.study.groups)
    if as_json:
        report.print_json(_difference_dict(board.study, first, second, found))
    else:
        _print_difference(board.study, first, second, found)


@verb
def power(
    *,
    items: Annotated[int | None, typer.Option(help="Say it for so many items of each task and prompts, too.", min=1)] = None,
    effect: Annotated[
        float | None, typer.Option(help="Say how many items it takes to see a difference of this size, in each score's unit.")
    ] = None,
    chosen: options.StudyOptions,
    as_json: options.AsJson = False,
) -> None:
    """What difference between two points a suite's size can show, score by score, with 80 % power at two-sided 5 %.

    It is told from the items of points already measured: how they vary, and how alike two points are item by item.
    """
    if effect is not None and not 0 < effect < math.inf:
        raise HmaError(
            f"--effect is {effect:g}. It is the size of a difference, in each score's unit, whichever point has more. Give a "
            "number above 0, such as 2."
        )
    study = chosen.study()
    board, opened = read_board(study, chosen.store)
    spreads = board.power(opened)
    if not spreads:
        raise HmaError(
            f"What the {text.items(board.study)} can show is told from two points at least, each of two items or more, and this "
            f"study has none such yet. Measure some: {sweep_command()}"
        )
    ends = _ends_power(board, opened)
    if as_json:
        report.print_json(_power_dict(board, spreads, ends, items, effect))
    else:
        _print_power(board, spreads, ends, items, effect)


def _ends_power(board: Board, store: Store) -> Mapping[str, Spread]:
    """What the two ends alone say, the least alike of all pairs; empty until both are measured."""
    if board.reference is None or board.policy is None:
        return {}
    before, after = (store.results(end.key, board.study.num_items) for end in (board.reference, board.policy))
    return spreads_of([(before, after)], board.study.groups)


def _axes(study: Study) -> list[Axis]:
    """The scores in the order of tables; further ones of the chat answers last."""
    return [study.reward, *study.abilities, Axis(MEAN, "Mean ability", "points"), *study.extras]


def _score(point: Point, name: str) -> Score:
    return point.ability if name == MEAN else point.scores[name]


def _difference_dict(study: Study, first: Point, second: Point, found: Mapping[str, Difference]) -> dict[str, Any]:
    return {
        "items": report.items_dict(study),
        "points": [first.to_dict(), second.to_dict()],
        "differences": {name: asdict(one) | {"shown": one.is_shown} for name, one in found.items()},
        "indistinguishable": are_indistinguishable(first, second),
    }


def _print_difference(study: Study, first: Point, second: Point, found: Mapping[str, Difference]) -> None:
    console = Console(highlight=False)
    console.print(escape(f"{study.title}, {text.items(study)}"))
    for name, point in (("A", first), ("B", second)):
        console.print(f"{name}: {text.point_name(point)} ({point.key})")
    table = _table("score", "A", "B", "B − A", "95 %", "", left=("score", ""))
    for axis in _axes(study):
        one = found[axis.name]
        values = (text.rounded(_score(point, axis.name)) for point in (first, second))
        between = text.signed(one.value, one.half_width), text.interval(one.low, one.high)
        table.add_row(escape(axis.title), *values, *between, "shown" if one.is_shown else "not shown")
    console.print(table)
    told = [title for name, title in ((REWARD, "the reward"), (MEAN, "the mean ability")) if found[name].is_shown]
    if told:
        console.print(f"They differ on these items in {' and in '.join(told)}.")
    else:
        console.print("Indistinguishable on these items: neither the reward nor the mean ability is shown to differ.")
    console.print(
        "Shown: the 95 % interval of the paired difference leaves zero out, and about six items or more differ. Each interval "
        "stands by itself: of many differences that are none, one in twenty is shown by chance, and more of pairs that were "
        "picked for their difference."
    )


def _power_dict(
    board: Board, spreads: Mapping[str, Spread], ends: Mapping[str, Spread], items: int | None, effect: float | None
) -> dict[str, Any]:
    def told(spread: Spread) -> dict[str, Any]:
        found: dict[str, Any] = {"detectable": spread.detectable(), **asdict(spread), "correlation": spread.correlation}
        found |= {} if items is None else {"detectable_with_items": spread.detectable(items)}
        return found | ({} if effect is None else {"items_for_effect": spread.items_for(effect)})

    asked = {name: value for name, value in (("with_items", items), ("effect", effect)) if value is not None}
    return {
        "items": report.items_dict(board.study),
        "power": POWER,
        "level": LEVEL,
        **asked,
        "pairs": [[one.key, other.key] for one, other in board.pairs],
        "scores": {name: told(spread) for name, spread in spreads.items()},
        "ends": {name: told(spread) for name, spread in ends.items()},
    }


def _print_power(
    board: Board, spreads: Mapping[str, Spread], ends: Mapping[str, Spread], items: int | None, effect: float | None
) -> None:
    study, console = board.study, Console(highlight=False)
    console.print(escape(f"{study.title}, {text.items(study)}: differences between two points that these items can show"))
    columns = ["score", "in", f"{study.num_items} items", "alike"]
    columns += [] if items is None else [f"{items} items"]
    columns += [] if effect is None else [f"items for {effect:g}"]
    table = _table(*columns, *(["the ends"] if not board.has_only_the_ends else []), left=("score", "in"))
    for axis in _axes(study):
        if axis.name not in spreads:
            continue
        spread, alike = spreads[axis.name], spreads[axis.name].correlation
        cells = [_size(spread.detectable()), "–" if alike is None else text.fixed(alike, 2)]
        cells += [] if items is None else [_size(spread.detectable(items))]
        needed = None if effect is None else spread.items_for(effect)
        cells += [] if effect is None else ["–" if needed is None else f"{needed:,}"]
        if not board.has_only_the_ends:
            cells.append(_size(ends[axis.name].detectable()) if axis.name in ends else "–")
        table.add_row(escape(axis.title), escape(axis.unit), *cells)
    console.print(table)
    for line in _power_notes(board, effect):
        console.print(line)
    if any("–" in column.cells for column in table.columns):
        console.print("–: no item differs between these points, or the items are too few to show anything.")


def _power_notes(board: Board, effect: float | None) -> list[str]:
    count = len(board.pairs)
    neighbours = f"{count} {'pair' if count == 1 else 'pairs'} of neighbours on the front"
    ends = "the two ends: merges, which are more alike as a rule, are told apart better"
    notes = [
        f"A true difference of this size is shown in {text.share(POWER)} of runs, and none at all is taken for one in "
        f"{text.share(LEVEL)} (two-sided).",
        f"Told from {ends if board.has_only_the_ends else neighbours}. alike: how far two points agree from item to item "
        "(correlation).",
    ]
    if not board.has_only_the_ends:
        notes.append("the ends: the same for reference against policy.")
    if effect is not None:
        notes.append(f"items for {effect:g}: how many, of each task, show a difference of that size.")
    return notes


def _size(detectable: float | None) -> str:
    return "–" if detectable is None else "±" + text.fixed(detectable, text.decimals(detectable))


def _table(*titles: str, left: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="left" if title in left else "right", no_wrap=title not in left)
    return table
