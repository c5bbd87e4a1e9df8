"""From a chosen point onward: to its scores on test items, which say what to report, and to its export."""

from __future__ import annotations

import streamlit as st

from hma.board import Board
from hma.core.point import Point
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import HmaError
from hma.ui import access, controls

_WHY = "It was chosen by its scores on validation items, which flatter it therefore. Scores on test items are the ones to report."


def to_test(board: Board, point: Point) -> None:
    """A button that has a point of validation items measured on as many test items, or shows it there; nothing on those."""
    test = _test_of(board.study)
    if test is None:
        return
    if access.engine().store.num_items(test).get(test.point_key(point.recipe), 0) >= test.num_items:
        st.button(f"See it on {test.num_items} test items", key="onward_see", help=_WHY, on_click=_turn)
    elif not access.is_read_only():
        st.button(
            f"Measure it on {test.num_items} test items", key="onward_measure", help=_WHY, on_click=_measure,
            args=(test, point.recipe), disabled=controls.are_waited_for(test, point.recipe),
        )  # fmt: skip


def to_export() -> None:
    """The way to the page Export, where the selected point is written as a model folder."""
    st.page_link("pages/export.py", label="Export this merge →", width="content")


def _test_of(study: Study) -> Study | None:
    """The study of as many test items; None for one that has them, and where the suite has none."""
    if study.split == "test":
        return None
    try:
        return access.study("test", study.size)
    except HmaError:
        return None


def _turn() -> None:
    st.session_state["split"] = "test"


def _measure(test: Study, recipe: Recipe) -> None:
    """Ask for the point on test items, and for the ends, without which it has no tax there."""
    board = Board.read(access.engine().store, test)
    controls.measure(board, *controls.ends_missing(board), recipe)
