"""The chart on the page: its settings, its figure while nothing changed, and clicks on it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hma import look, text
from hma.board import Board
from hma.ui import access, chart, diagram, state

RANGES = {"all": "All", "front": "Front", "near": "Near selection"}
BARS = {"none": "None", "front": "Front", "all": "All"}
PLACE = "chart_place"


def show(board: Board) -> DeltaGenerator:
    """The chart's settings, its place, and the line of facts under it; the place, to be drawn in when the page is there."""
    with st.container(key="plot", gap="xsmall"):
        range_mode, bars = _settings()
        _make_figure(board, range_mode, bars)
        place = st.container(key=PLACE)
        with st.container(key="facts"):
            st.caption(_facts(board))
    return place


def draw(place: DeltaGenerator, board: Board) -> None:
    """Draw the chart in its place."""
    diagram.draw(
        st.session_state["figure"][1],
        "chart",
        look.alt(board.points, board.front),
        view=st.session_state["framed_by"],
        on_click=state.pick_on_chart,
        place=place,
    )


def _settings() -> tuple[str, str]:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="chart_settings"):
        return _setting("Range", RANGES, "all", "range_mode"), _setting("95 % bars", BARS, "front", "bars")


def _setting(label: str, options: Mapping[str, str], default: str, key: str) -> str:
    """One of the chart's settings beside its name."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
        st.caption(label, width="content")
        chosen = st.segmented_control(
            label, list(options), format_func=options.get, default=default, required=True, key=key, on_change=state.frame,
            label_visibility="collapsed", persist_state="session",
        )  # fmt: skip
    return chosen or default


def _make_figure(board: Board, range_mode: str, bars: str) -> None:
    """The figure, made again only when results, settings or the selection changed; all that takes long, only when results or
    settings did. Each is kept with what it is of, in one: a run may end at every write.
    """
    view, pinned = state.view(), state.pinned(board)
    theme = st.context.theme.type or "light"
    near = view.near if range_mode == "near" else None
    st.session_state["framed_by"] = f"{board.study.view} {range_mode} {near}"
    plane_of = (str(access.engine().store.path), board.study.view, board.revision, near, range_mode, bars, theme)
    if st.session_state.get("plane", (None,))[0] != plane_of:
        ends = board.reference, board.policy
        made = chart.plane(board.points, board.front, ends, range_mode, bars, theme, board.study.reward, near)
        st.session_state["plane"] = plane_of, made
    _, plane = st.session_state["plane"]
    figure_of = (plane_of, view.selected, pinned.key if pinned else None)
    if st.session_state.get("figure", (None,))[0] != figure_of:
        made = chart.selecting(plane, board.point(view.selected), pinned, bars, theme)
        st.session_state["figure"] = figure_of, made


def _facts(board: Board) -> str:
    """Which items, the front's size, its hypervolume and corner, and what the markers mean."""
    said = f"{board.study.num_items} {board.study.split} items. {look.filled(board.points, board.front)}"
    sure = board.sureness.hypervolume
    if board.reference is None or board.policy is None or board.hypervolume is None or sure is None:
        return f"{said} No hypervolume or tax yet: they need both ends measured."
    return (
        f"{said} Hypervolume {text.estimate(board.hypervolume, sure)} above the worse of both ends: "
        f"{text.corner([board.reference, board.policy])} (the corner)."
    )
