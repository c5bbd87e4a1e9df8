"""The first page's chart as a picture in the page's own HTML: on screen before a browser has run any of Streamlit's code.

It stands where the page is going to have its chart, where that is known, and goes as soon as that shows its points.
"""

from __future__ import annotations

from urllib.parse import parse_qs

import streamlit as st

from hma.board import Board
from hma.look import PAGE
from hma.ui import access, chart, gate, glimpse, studybar

WIDE = 1100
"""Pixels from which on the study's bar takes one line, so that it is known where the chart is going to stand."""

_TITLE = 60
"""Letters of a title, as Markdown, that stand beside the bar's choices in one line."""

_PLACE = "left: 40px; top: 152px; width: calc((100vw - 104px - var(--bar, 0px)) * 2 / 3)"

_LEAVE = """<script>
(() => {
  const early = document.getElementById('early'), tried = performance.now();
  const bar = document.createElement('div');
  bar.style.cssText = 'position: absolute; visibility: hidden; overflow: scroll; width: 99px';
  document.body.append(bar);
  early.style.setProperty('--bar', `${bar.offsetWidth - bar.clientWidth}px`);
  bar.remove();
  let isOwnTheme = false;
  try { isOwnTheme = Object.keys(localStorage).some(name => name.startsWith('stActiveTheme')); } catch { /* not allowed */ }
  const watch = () => {
    const [app, main, place] = ['[data-testid="stApp"]', '[data-testid="stMainBlockContainer"]', '.st-key-chart_place']
      .map(name => document.querySelector(name));
    const isDrawn = place && (place.querySelector('.main-svg') || getComputedStyle(place).backgroundImage.includes('svg'));
    const isOver = app?.dataset.testScriptState === 'notRunning' && main?.querySelector('.stElementContainer');
    if (isOwnTheme || isDrawn || isOver || performance.now() - tried > 60000) early.parentElement.remove();
    else requestAnimationFrame(watch);
  };
  watch();
})();
</script>"""
"""Has the picture go: for the chart, where the page has none after all, and at once where a person chose another theme."""


def part(query: str) -> str:
    """What stands in the HTML of the first page when it is asked for with this query; empty where its chart is another.

    Nobody sees a point before a login that is asked for.
    """
    if gate.providers():
        return ""
    board = access.first_board()
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    asked.pop("pinned", None)  # Its square is no part of the picture.
    point, size = asked.pop("point", None), asked.pop("size", board.study.size)
    if asked or not board.points or size != board.study.size or (point and board.point(point) is None):
        return ""
    if board.looks_swapped or access.is_read_only() or len(studybar.title(board.study)) > _TITLE:
        return ""  # Something else stands above the chart, which is then lower.
    return _part((str(access.engine().store.path), board.study.view, board.revision), board)


@st.cache_resource(show_spinner=False, max_entries=1)
def _part(made_of: tuple[str, str, int], _board: Board) -> str:
    light, dark = (glimpse.rules(_figure(_board, theme), "#early") for theme in ("light", "dark"))
    return (
        f"<div><style>#early {{ display: none; position: fixed; z-index: 1; pointer-events: none; {_PLACE}; }} "
        f"@media (min-width: {WIDE}px) {{ #early {{ display: block; }} }} {light} "
        f"@media (prefers-color-scheme: dark) {{ body {{ background: {PAGE['dark']}; }} {dark} }}</style>"
        f'<div id="early" aria-hidden="true"></div></div>{_LEAVE}'
    )


def _figure(board: Board, theme: str) -> dict:
    return chart.figure(board.points, board.front, (board.reference, board.policy), theme=theme)
