"""The selected point as every page takes it: from a link at first, else what was selected before, and kept in the address."""

from __future__ import annotations

import streamlit as st

from hma import text
from hma.board import SWAPPED, Board
from hma.core.study import Study
from hma.text import plain
from hma.ui import access, controls, progress, state

_NO_POINT = (
    "There is no point {key} of this pair and suite in this store, so the suggested point is shown. It may have been measured "
    "into another file, or with other settings: start the app on that file with \\-\\-store, or ask whoever sent the link for "
    "the point's shares, and measure it here."
)


_NAMES = ("point", "size", "pinned")
"""What an address may say."""


def board(study: Study) -> Board:
    """The study's board with one of its points selected: this person's latest, as soon as it is finished."""
    found = access.board(study)
    progress.collect()
    follow(found)
    return found


def follow(board: Board) -> state.View:
    """The view with one of the board's points selected. The address is kept up to date, so that it can be handed on; that a
    link led to no point is said."""
    linked, lost, pinned = (st.session_state.pop(f"link_{name}", None) for name in ("point", "missing", "pinned"))
    if linked:
        state.select(linked)
    if lost:
        state.change(missing=lost)
    if pinned:
        _pin(board, pinned)
    view = state.settle(board)
    if view.selected:
        _address(link(board))
    with st.container(key="notices"):  # A place of their own: the page under it stays where it is when they come and go.
        if board.looks_swapped:
            st.warning(SWAPPED)
        if view.missing:
            st.warning(_NO_POINT.format(key=plain(view.missing[:40])))
        _say_stand_in(board)
    return view


def link(board: Board) -> dict[str, str]:
    """What an address says to lead to what is selected: the point, the size of its study, and the pinned point, if any."""
    pinned = state.pinned(board)
    return {"point": state.view().selected or "", "size": board.study.size} | ({"pinned": pinned.key} if pinned else {})


def _address(said: dict[str, str]) -> None:
    """Have the address say this, and nothing else of what it may say."""
    if any(st.query_params.get(name) != value for name, value in said.items()):
        st.query_params.update(said)
    for name in _NAMES:
        if name not in said and name in st.query_params:
            del st.query_params[name]


def _pin(board: Board, key: str) -> None:
    """Pin the point that a link names as B; what is not there is said once."""
    point = board.point(key)
    if point is not None:
        state.pin(point.recipe)
    else:
        st.toast(f"The second point of this link, {plain(key[:40])}, is not among these points: no B is pinned.")


def _say_stand_in(board: Board) -> None:
    """Say that another point is shown than the one that was chosen, and offer to have that measured."""
    recipe, shown = state.stand_in(), board.point(state.view().selected)
    if recipe is None or shown is None:
        return
    name = text.recipe_name(recipe)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="stand_in"):
        st.markdown(
            f"**{name}, which you selected, is not measured on these {board.study.num_items} {board.study.split} items.** "
            f"{text.point_name(shown)}, the nearest that is, is shown in its place; back on the other items it is selected "
            "again.",
            width="stretch",
        )
        if not access.is_read_only():
            st.button(
                f"Measure {name} here", key="measure_stand_in", on_click=controls.measure, args=(board, recipe), width="content",
                disabled=controls.are_waited_for(board.study, recipe),
            )  # fmt: skip
