"""The chart to take away: a picture, and a page that needs nothing from outside."""

from __future__ import annotations

import streamlit as st

from hma import look, picture, text
from hma.board import Board
from hma.core.point import Point
from hma.ui import chart, diagram, state


def html(board: Board, selected: Point | None) -> str:
    """The chart as one page of HTML that holds the chart's whole library: it opens without a network, and asks for none."""
    import plotly.io

    ends = board.reference, board.policy
    key = selected.key if selected else None
    drawn = chart.figure(board.points, board.front, ends, key, "all", "front", "light", board.study.reward)
    drawn["layout"] |= {"title": {"text": chart.escape(f"{board.study.title}: {text.items(board.study)}"), "x": 0.01}}
    drawn["layout"]["margin"] = drawn["layout"].get("margin", {}) | {"t": 90}
    del drawn["layout"]["height"]  # As high as the window.
    config = {**diagram.CONFIG, "responsive": True}
    written = plotly.io.to_html(
        drawn, config=config, include_plotlyjs=True, include_mathjax=False, full_html=True, default_height="90vh", validate=False
    )
    return written.replace("<html>", '<html lang="en">', 1)


def show(board: Board) -> None:
    """The two downloads, made only once they are opened, and once a revision and selection."""
    opened = st.expander("Download the chart", key="chart_away", on_change="rerun")
    if not opened.open:
        return
    selected = board.point(state.view().selected)
    made_of = (board.study.view, board.revision, selected and selected.key)
    if st.session_state.get("away_of") != made_of:
        st.session_state["away_of"] = made_of
        st.session_state["away"] = picture.front_png(board, selected), html(board, selected).encode()
    png, page = st.session_state["away"]
    name = f"front-{board.study.split}-{board.study.num_items}"
    with opened:
        with st.container(horizontal=True, gap="small"):
            st.download_button(f"PNG, {text.size(len(png))}", png, f"{name}.png", "image/png", key="chart_png", on_click="ignore")
            st.download_button(
                f"HTML, {text.size(len(page))}", page, f"{name}.html", "text/html", key="chart_html", on_click="ignore"
            )
        st.caption(
            f"{look.filled(board.points, board.front)} A ring marks the selected point. The HTML holds the whole chart library, "
            "which is what makes it large: it opens without a network."
        )
