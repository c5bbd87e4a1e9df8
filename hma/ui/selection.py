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


def board(study: Study) -> Board:
    """The study's board with one of its points selected: this person's latest, as soon as it is finished."""
    found = access.board(study)
    progress.collect()
    follow(found)
    return found


def follow(board: Board) -> state.View:
    """The view with one of the board's points selected. The address is kept up to date, so that it can be handed on; that a
    link led to no point is said."""
    linked, lost = (st.session_state.pop(name, None) for name in ("link_point", "link_missing"))
    if linked:
        state.select(linked)
    if lost:
        state.change(missing=lost)
    view = state.settle(board)
    if view.selected and (st.query_params.get("point"), st.query_params.get("size")) != (view.selected, board.study.size):
        st.query_params.update(point=view.selected, size=board.study.size)
    with st.container(key="notices"):  # A place of their own: the page under it stays where it is when they come and go.
        if board.looks_swapped:
            st.warning(SWAPPED)
        if view.missing:
            st.warning(_NO_POINT.format(key=plain(view.missing[:40])))
        _say_stand_in(board)
    return view


def _say_stand_in(board: Board) -> None:
    """Say that another point is shown than the one that was chosen, and offer to have that measured."""
    recipe, shown = state.stand_in(), board.point(state.view().selected)
    if recipe is None or shown is None:
        return
    name = text.recipe_name(recipe)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="stand_in"):
        st.markdown(
            f"**{name}, which you selected, is not measured on these {board.study.num_items} {board.study.split} items.** "
            f"{text.point_name(shown)} is shown in its place; back on the other items it is selected again.",
            width="stretch",
        )
        if not access.is_read_only():
            st.button(
                f"Measure {name} here", key="measure_stand_in", on_click=controls.measure, args=(board, recipe), width="content",
                disabled=controls.are_waited_for(board, recipe),
            )  # fmt: skip
