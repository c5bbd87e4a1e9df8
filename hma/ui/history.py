"""The page Runs: the queue and the runs as they stand, every point that was measured, and what else the store holds."""

from __future__ import annotations

import streamlit as st

from hma.board import Board
from hma.core.study import Study
from hma.ui import access, further, measured, others, progress, running, selection
from hma.ui.guard import shown


def show(study: Study) -> None:
    """The whole page for one study."""
    board = selection.board(study)
    left, right = st.columns([1, 1], gap="large")
    with left, shown():
        st.markdown("**Now**")
        progress.show(study, whole=True)
    with right, shown():
        running.show(study)
    with shown():
        _points(board)
    with shown():
        others.show(study)


def _points(board: Board) -> None:
    """What was measured, and what can be done with it."""
    study = board.study
    st.markdown(f"**Measured on these {study.num_items} {study.split} items**")
    if not board.points:
        st.caption(
            "Nothing yet. Measure the two ends on Explore first: the model before RLHF and the one after. Find alphas starts "
            "sweeps, fits and searches."
        )
        with st.container(horizontal=True, gap="small"):
            st.page_link("pages/explore.py", label="Go to Explore", width="content")
            st.page_link("pages/methods.py", label="Go to Find alphas", width="content")
    else:
        measured.show(board)
    shorter = access.engine().store.num_shorter(study)
    if shorter:
        st.caption(
            f"{'1 point has' if shorter == 1 else f'{shorter} points have'} fewer items than these {study.num_items}, and "
            f"{'is' if shorter == 1 else 'are'} listed at the smaller size."
        )
    if board.points:
        with shown():
            further.show(board)
