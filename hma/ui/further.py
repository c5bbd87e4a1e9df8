"""Measuring points again with more items: how many, about how long, and the button. No item is ever asked twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.point import Point
from hma.core.study import Study
from hma.runs import AGAIN, Plan
from hma.ui import access, state
from hma.ui.guard import shown

_LATEST = 20
"""Points by whose seconds the rest is reckoned."""

_WHICH = {"selected": "The selected point", "front": "The front"}


@dataclass(frozen=True)
class Cost:
    """What measuring again comes to: the points that lack items, how many of each kind they lack in all, and the seconds."""

    points: tuple[Point, ...]
    num_have: int
    num_items: int
    seconds: float | None


def cost(chosen: Sequence[Point], have: Mapping[str, int], wanted: int, known: Sequence[Point]) -> Cost:
    """What it takes to have the chosen points at ``wanted`` items; ``have`` are the items of each by key.

    The seconds go by those of the ``known`` points, for each item that these have; None where none was timed.
    """
    lacking = tuple(point for point in chosen if have[point.key] < wanted)
    items = sum(wanted - have[point.key] for point in lacking)
    paces = [point.elapsed_seconds / have[point.key] for point in known if point.elapsed_seconds and have.get(point.key)]
    pace = median(paces[-_LATEST:]) if paces else None
    return Cost(lacking, len(chosen) - len(lacking), items, None if pace is None else pace * items)


def show(board: Board) -> None:
    """Which points, to which size, what it takes, and the button; nothing where nothing can be measured."""
    if access.is_read_only():
        return
    st.markdown("**Measure again with more items**")
    larger = {size: count for size, count in access.sizes().items() if count > board.study.num_items}
    if not larger:
        st.caption(f"{text.plain(board.study.size.capitalize())} is the largest size of this suite.")
        return
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        which = st.segmented_control(
            "Points", list(_WHICH), format_func=lambda w: f"The front ({len(board.front)})" if w == "front" else _WHICH[w],
            default="selected", required=True, key="further_which", label_visibility="collapsed", width="content",
        )  # fmt: skip
        size = st.segmented_control(
            "Size", list(larger), format_func=lambda s: f"{text.plain(s.capitalize())}: {larger[s]} items",
            default=next(iter(larger)), required=True, key=f"further_size_{board.study.num_items}",
            label_visibility="collapsed", width="content",
        )  # fmt: skip
    target = access.study(board.study.split, size or next(iter(larger)))
    selected = board.point(state.view().selected)
    chosen = board.front if which == "front" else [selected] if selected else []
    found = cost(chosen, access.engine().store.num_items(board.study), target.num_items, board.points)
    plan = Plan(AGAIN, tuple(point.recipe for point in found.points)) if found.points else None
    going = any((run.study, run.plan) == (target, plan) and not run.is_over for run in access.runs().all())
    st.caption("It is among the runs above." if going else words(found, target))
    st.button(
        f"Measure on {target.num_items} items", key="further", disabled=going or plan is None, on_click=_start,
        args=(target, plan),
    )  # fmt: skip


def words(found: Cost, target: Study) -> str:
    """What it takes, before it is begun."""
    if not found.points:
        return f"Nothing to do: measured on {target.num_items} items already."
    count = text.count(len(found.points), "point")
    each = found.num_items / len(found.points)
    about = f", {text.seconds(found.seconds)}" if found.seconds is not None else "; nothing was timed yet"
    rest = f" {found.num_have} more {'has' if found.num_have == 1 else 'have'} as many already." if found.num_have else ""
    many = f"{each:.0f} further items of each task and {each:.0f} further prompts"
    return f"{count}: {many}{' each' if len(found.points) > 1 else ''}{about}.{rest} What it has answered is not asked again."


def _start(target: Study, plan: Plan) -> None:
    with shown():
        access.to_run().start(target, plan, state.asker())
