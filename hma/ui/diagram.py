"""A Plotly figure on a page. It is changed in place, so that what was dragged or zoomed by hand stays when a point arrives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hma.look import INK, NEUTRAL, PAGE

_LETTERS = '"Source Sans", sans-serif'
GRID = {"light": "#e4e8ee", "dark": "#2a323e"}

_HERE = Path(__file__)
GLIMPSE = f"const glimpse = (() => {{\n{_HERE.with_name('glimpse.js').read_text(encoding='utf-8')}return glimpse;\n}})();\n"
"""Code that draws a figure before Plotly is there, as the beginning of a script that uses it."""

CODE = GLIMPSE + _HERE.with_suffix(".js").read_text(encoding="utf-8")

_OUTSIDE, _MOVED = "The selected point lies outside this view: show it", "Moved by hand: take it back"

CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "toImage", "sendChartToCloud"],
    "scrollZoom": False,
    "showSendToCloud": False,
    "showTips": False,
}
"""Plotly's settings: its buttons are those that need no selection by a box and send nothing anywhere."""


def draw(
    figure: Mapping[str, Any],
    key: str,
    alt: str,
    view: str = "one",
    on_click: Callable[[str], None] | None = None,
    config: Mapping[str, Any] = CONFIG,
    place: DeltaGenerator | None = None,
) -> None:
    """Draw a figure, in ``place`` or where the page is at.

    The axes stay as a person left them until ``view`` is another. ``on_click`` is given the ``customdata`` of a clicked
    marker, a point's key; the last trace shows what is selected, and follows the click at once. ``alt`` is the figure in words.
    """
    theme = st.context.theme.type or "light"
    data = {"figure": dressed(figure, theme), "name": key, "alt": alt, "view": view, "theme": theme, "config": config}
    data |= {"clickable": on_click is not None, "outside": _OUTSIDE, "moved": _MOVED}

    def clicked() -> None:
        found = st.session_state[key].get("clicked")
        if found and on_click:
            on_click(str(found))

    with place or st.container(gap=None):
        # As bytes: anything else Streamlit searches for data frames, with pandas, whose import takes a second.
        _component()(
            key=key, data=json.dumps(data).encode(), height=figure["layout"]["height"], on_clicked_change=clicked,
            on_themed_change=lambda: None,  # That it runs again is all: the figure is then of the page's new theme.
        )  # fmt: skip


def dressed(figure: Mapping[str, Any], theme: str) -> dict[str, Any]:
    """The figure with the page's letters and colours, where it does not say them itself."""
    return {**figure, "layout": {**figure["layout"], "template": {"layout": _look(theme)}}}


def _look(theme: str) -> dict[str, Any]:
    axis = {"automargin": True, "gridcolor": GRID[theme], "title": {"font": {"size": 14}}, "zeroline": False}
    return {
        "font": {"family": _LETTERS, "size": 12, "color": NEUTRAL[theme]},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "margin": {"pad": 8},
        "xaxis": {**axis, "showgrid": False},
        "yaxis": axis,
        "hoverlabel": {"bgcolor": PAGE[theme], "bordercolor": GRID[theme], "font": {"color": INK[theme], "family": _LETTERS}},
        "modebar": {"bgcolor": PAGE[theme], "color": NEUTRAL[theme], "activecolor": INK[theme]},
    }


@cache
def _component() -> Any:
    """What draws it. Its code waits for Plotly's own, which the page has named since its first line (``hma/asgi.py``)."""
    figure = '<div class="hma-diagram" role="figure" tabindex="-1"></div>'
    place = f'<div class="hma-framed">{figure}<button class="hma-back" hidden></button></div>'
    style = _HERE.with_suffix(".css").read_text(encoding="utf-8")
    return st.components.v2.component("diagram", html=place, css=style, js=CODE, isolate_styles=False)
