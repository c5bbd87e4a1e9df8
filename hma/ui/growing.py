"""Points of a comparison that come while its page is open: said, and drawn as they come."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.study import Study
from hma.ui import access
from hma.ui.guard import shown

POLL = 1.0
"""Seconds between two looks at studies of which points are being measured."""


def show(choosing: Board, reporting_on: Board) -> None:
    """Say that points are being measured on the items that choose, and draw the page again whenever one has come.

    It is looked at again only while points of either board are being measured.
    """
    boards = (choosing, reporting_on)
    every = POLL if any(is_growing(board.study) for board in boards) else None
    st.fragment(_look, run_every=every, key="growing")(boards, every is not None)


def is_growing(study: Study) -> bool:
    """Whether points of a study are asked for, by themselves or by a run that is not paused."""
    asked = [job.study.view for job in access.engine().jobs() if job.is_point and not job.is_over]
    return study.view in asked + [run.study.view for run in access.runs().all() if run.is_busy]


def _look(boards: Sequence[Board], was_growing: bool) -> None:
    is_old = False
    with shown():
        choosing, *_ = boards
        if is_growing(choosing.study):
            count = text.count(len(choosing.points), "point")
            st.caption(f"Points are being measured on the validation items, and appear here as they come: {count} so far.")
        # What a run measured last is there before it is over.
        is_old = any(access.engine().store.revision(board.study) != board.revision for board in boards)
        is_old = is_old or (was_growing and not any(is_growing(board.study) for board in boards))
    if is_old:
        st.rerun(scope="app")
