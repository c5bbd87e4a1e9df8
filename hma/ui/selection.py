"""The selected point as every page takes it: from a link at first, else what was selected before, and kept in the address."""

from __future__ import annotations

import streamlit as st

from hma.board import Board
from hma.core.study import Study
from hma.text import plain
from hma.ui import access, progress, state


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
    if view.selected and st.query_params.get("point") != view.selected:
        st.query_params["point"] = view.selected
    if view.missing:
        st.warning(
            f"There is no point {plain(view.missing[:40])} of this pair and suite in this store, so the suggested point is "
            "shown. It may have been measured into another file, or with other settings."
        )
    return view
