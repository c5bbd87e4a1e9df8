"""From a chosen point onward: to its scores on test items, which say what to report, and to its export."""

from __future__ import annotations

import streamlit as st

from hma.board import Board
from hma.core.point import Point
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.ui import access, controls, state

_WHY = (
    "A point that is chosen by its scores on validation items looks better there than it is. Its scores on test items are the "
    "ones to report."
)


def to_test(board: Board, point: Point) -> None:
    """A button that has a point of validation items measured on as many test items, or shows it there; nothing on those."""
    test = None if board.study.split == "test" else access.reporting(board.study.size)
    if test is None:
        return
    if access.engine().store.num_items(test).get(test.point_key(point.recipe), 0) >= test.num_items:
        st.button(f"See it on {test.num_items} test items", key="onward_see", help=_WHY, on_click=_turn, args=(point,))
    elif not access.is_read_only():
        st.button(
            f"Measure it on {test.num_items} test items", key="onward_measure", help=_WHY, on_click=_measure,
            args=(test, point.recipe), disabled=controls.are_waited_for(test, point.recipe),
        )  # fmt: skip


def to_export() -> None:
    """The way to the page Export, where the selected point is written as a model folder; nothing where nothing is written."""
    if access.is_read_only():
        return
    st.page_link("pages/export.py", label="Export this merge →", width="content")


def _turn(point: Point) -> None:
    """Turn to test items with this point selected, also where it stands in for one that was not measured."""
    state.choose(point.recipe)
    st.session_state["split"] = "test"


def _measure(test: Study, recipe: Recipe) -> None:
    """Ask for the point on test items, and for the ends, without which it has no tax there."""
    board = Board.read(access.engine().store, test)
    controls.measure(board, *controls.ends_missing(board), recipe)
