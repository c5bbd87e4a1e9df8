"""The page Samples: the answers of the selected point beside those of the two ends, and of a pinned point."""

from __future__ import annotations

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.point import Point
from hma.core.study import Study
from hma.ui import access, blind, pinned, reading, selection, state, table
from hma.ui.cast import answered, cast
from hma.ui.guard import shown

VIEWS = {"read": "Side by side", "blind": "Blind A/B"}


def show(study: Study) -> None:
    """The whole page for one study."""
    board = access.board(study)
    selection.follow(board)
    having = answered(board)
    if not having:
        _nothing(board)
        return
    view = _choices(board)
    one = board.point(state.view().selected)
    if one is None or one.key not in having:
        _unanswered(board, one, having)
        return
    with shown():
        {"read": reading.show, "blind": blind.show}[view](cast(board, one, having))


def _choices(board: Board) -> str:
    """The point, the pinned point, and how they are looked at."""
    with st.container(key="cast", gap="small"):
        left, right, last = st.columns([5, 5, 3], gap="small", vertical_alignment="bottom")
        with left, st.container(gap="xxsmall"):
            st.caption("Selected point")
            table.choose(board)
        with right, st.container(gap="xxsmall"):
            st.caption("Pinned point, B")
            pinned.choose(board)
        with last:
            view = st.segmented_control(
                "View", list(VIEWS), format_func=VIEWS.get, default="read", required=True, key="samples_view",
                label_visibility="collapsed", width="content",
            )  # fmt: skip
    return view or "read"


def _nothing(board: Board) -> None:
    """What stands here while no point has answers, and the next step."""
    with st.container(border=True, height=300, vertical_alignment="center", horizontal_alignment="center", key="empty"):
        st.markdown("#### There are no answers to read yet", width="content")
        if board.points:
            said = (
                f"None of the {len(board.points)} points on these {board.study.num_items} {board.study.split} items kept its "
                "answers. Points that are measured here keep them: measure one on Explore."
            )
        else:
            said = (
                f"Nothing is measured on these {board.study.num_items} {board.study.split} items. Measure the two ends on "
                "Explore, or choose other items above."
            )
        st.markdown(said, text_alignment="center")
        st.page_link("pages/explore.py", label="Go to Explore", width="content")


def _unanswered(board: Board, one: Point | None, having: frozenset[str]) -> None:
    """What stands here where the selected point kept no answers and others did."""
    name = text.point_name(one) if one else "The selected point"
    st.info(
        f"{name} kept no answers; {len(having)} of the {len(board.points)} points on these items did. Choose another above, "
        "or the one that is most like it."
    )
    near = board.nearest(one.recipe, having) if one else board.point(min(having))
    if near:
        st.button(f"Select {text.point_name(near)}", key="select_near", on_click=state.pick, args=(near.key,))
