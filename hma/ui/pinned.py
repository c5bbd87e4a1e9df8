"""A second point, B, that stays beside whichever is selected: the list it is pinned from, and how the two differ."""

from __future__ import annotations

from html import escape

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.difference import Difference, differences
from hma.core.point import MEAN, REWARD, Point
from hma.core.study import Axis
from hma.ui import access, state, table

_NOTE = (
    "A less B, paired on the same {items} {split} items; small figures are 95 % intervals, faint where they hold zero. B stays "
    "when another point is selected, here and on Samples."
)


def choose(board: Board) -> None:
    """The list from which a second point is pinned."""
    names = {"": "none"} | table.names_of(board)
    pinned = state.pinned(board)
    key = f"pin_{board.study.view}_{board.revision}_{state.view().pinning}"
    st.selectbox(
        "Pinned point, B", list(names), list(names).index(pinned.key if pinned else ""), format_func=names.get, key=key,
        on_change=_pinned, args=(board, key), label_visibility="collapsed",
    )  # fmt: skip


def _pinned(board: Board, key: str) -> None:
    point = board.point(st.session_state[key])
    state.change(pinned=point.recipe if point else None)


def show(board: Board, point: Point) -> None:
    """The list, the button that pins the selected point, and how the two differ."""
    pinned = state.pinned(board)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="pinned_head"):
        st.caption("Pinned point, B", width="stretch")
        is_it = pinned is not None and pinned.key == point.key
        st.button(
            "Pin the selected point", key="pin_selected", on_click=state.pin, args=(point.recipe,), disabled=is_it,
            width="content", help="It stays here, to hold others against it.",
        )  # fmt: skip
    choose(board)
    if is_it:
        st.caption("This is the selected point. Select another, and it is held against this one.")
    elif pinned is not None:
        st.html(_table(board, point, pinned))
        st.caption(_NOTE.format(items=board.study.num_items, split=board.study.split))


def _differences(board: Board, point: Point, pinned: Point) -> dict[str, Difference]:
    """The selected point less the pinned one, reckoned once for the two: the page is drawn again at every look at the jobs."""
    made_of = (board.study.view, board.revision, point.key, pinned.key)
    if st.session_state.get("pinned_of") != made_of:
        one, other = (access.engine().store.results(p.key, board.study.num_items) for p in (point, pinned))
        st.session_state["pinned_less"] = differences(one, other, board.study.groups)
        st.session_state["pinned_of"] = made_of
    return st.session_state["pinned_less"]


def _table(board: Board, point: Point, pinned: Point) -> str:
    """Both points and their difference, score by score, as HTML; every text from a suite is escaped."""
    less, study = _differences(board, point, pinned), board.study
    axes = [Axis(REWARD, study.reward.title, study.reward.unit), *study.abilities, Axis(MEAN, "Mean ability", "points")]
    rows = "".join(_row(axis, point, pinned, less[axis.name]) for axis in [*axes, *study.extras])
    head = "".join(f"<th>{name}</th>" for name in ("Score", "A, selected", "B, pinned", "A less B"))
    return f'<div class="hma-scores"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(axis: Axis, point: Point, pinned: Point, less: Difference) -> str:
    one, other = (p.ability if axis.name == MEAN else p.scores[axis.name] for p in (point, pinned))
    style = ' class="hma-sum"' if axis.name in (REWARD, MEAN) else ""
    return (
        f"<tr{style}><th>{escape(axis.title)} <small>{escape(axis.unit)}</small></th><td>{text.rounded(one)}</td>"
        f"<td>{text.rounded(other)}</td><td>{table.shown_difference(less)}</td></tr>"
    )
