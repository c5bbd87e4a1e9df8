"""The first page's chart in the page's own HTML: there, and taking clicks, before a browser has run any of Streamlit's code.

It stands where the page is going to have its chart, where that is known, and goes as soon as that shows its points.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

import streamlit as st

from hma.board import Board
from hma.look import INK, NEUTRAL, PAGE
from hma.ui import access, chart, diagram, gate, layout, state, studybar

WIDE = 1100
"""Pixels from which on the study's bar takes one line, so that it is known where the chart is going to stand."""

_TITLE = 60
"""Letters of a title, as Markdown, that stand beside the bar's choices in one line."""

_DARK = {colour["light"]: colour["dark"] for colour in (INK, NEUTRAL, PAGE, diagram.GRID, layout.BEHIND)}
"""What a colour that depends on the theme is in the dark."""

_CODE = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")

_PLACE = "left: 40px; top: 152px; width: calc((100vw - 104px - var(--bar, 0px)) * 2 / 3)"


def part(query: str) -> str:
    """What stands in the HTML of the first page when it is asked for with this query; empty where its chart is another.

    Nobody sees a point before a login that is asked for.
    """
    if gate.providers():
        return ""
    board = access.first_board()
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    asked.pop("pinned", None)  # Its square comes with the page.
    point, size = asked.pop("point", None), asked.pop("size", board.study.size)
    if asked or not board.points or size != board.study.size or (point and board.point(point) is None):
        return ""
    if board.looks_swapped or access.is_read_only() or len(studybar.title(board.study)) > _TITLE:
        return ""  # Something else stands above the chart, which is then lower.
    return _part((str(access.engine().store.path), board.study.view, board.revision), board)


@st.cache_resource(show_spinner=False, max_entries=1)
def _part(made_of: tuple[str, str, int], _board: Board) -> str:
    chosen = state.first(_board)
    made = chart.figure(
        _board.points, _board.front, (_board.reference, _board.policy), chosen.key if chosen else None, reward=_board.study.reward
    )
    given = json.dumps(diagram.dressed(made, "light")).replace("<", "\\u003c")
    return (
        f"<div><style>#early {{ display: none; position: fixed; z-index: 1; height: {layout.HEIGHT}px; {_PLACE}; }} "
        f"@media (min-width: {WIDE}px) {{ #early {{ display: block; }} }}</style>"
        '<div id="early" aria-hidden="true"></div>'
        f'<script type="application/json" id="early-figure" data-dark="{escape(json.dumps(_DARK))}">{given}</script>'
        f"<script>(() => {{{diagram.GLIMPSE}{_CODE}}})();</script></div>"
    )
