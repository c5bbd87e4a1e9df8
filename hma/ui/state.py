"""One person's view: what is selected, how the chart is framed, and which jobs they follow.

Kept in the session. The chart's figure depends on the ``ring`` alone, never on the selection: a click on
the chart selects without having it drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import streamlit as st

from hma.board import Board

_VIEW = "view"

START = 0.2
"""The mean alpha at which a person starts where no point is suggested: the default of the authors' code [HMA Table 1]."""


@dataclass(frozen=True)
class View:
    """``selected`` is the point of tables and answers; ``ring`` the one that the figure was drawn with.

    ``drawing`` counts the times that the figure was asked for afresh. ``missing`` is a link's key that no
    study of this pair has. ``followed`` are jobs whose ends this person is told of; ``own`` the latest
    that they asked for; ``dismissed`` those whose message they closed. ``sliders`` is a point that was
    picked, until the sliders stand on it.
    """

    selected: str | None = None
    ring: str | None = None
    drawing: int = 0
    missing: str | None = None
    followed: frozenset[int] = field(default_factory=frozenset)
    own: int | None = None
    dismissed: frozenset[int] = field(default_factory=frozenset)
    sliders: str | None = None


def view() -> View:
    """This session's view."""
    return st.session_state.setdefault(_VIEW, View())


def change(**changes: object) -> View:
    """Replace parts of the view, and return it."""
    changed = st.session_state[_VIEW] = replace(view(), **changes)
    return changed


def select(key: str) -> None:
    """Select a point by anything but the chart: the figure is drawn again with the ring on it."""
    change(selected=key, ring=key, drawing=view().drawing + 1, missing=None)


def pick(key: str) -> None:
    """Select a point from a list: like ``select``, and the sliders follow."""
    select(key)
    change(sliders=key)


def pick_on_chart(key: str) -> None:
    """Select the point that was clicked: the chart itself has moved the ring, and the sliders follow."""
    change(selected=key, missing=None, sliders=key)


def settle(board: Board) -> View:
    """Make the selection one of the board's points, and follow the ring if the chart is drawn anew anyhow."""
    now = view()
    if board.point(now.selected) is None:
        chosen = _same_recipe(board) or board.suggested or board.nearest_mean(START)
        key = chosen.key if chosen else None
        if key != now.selected:
            now = change(selected=key, ring=key, drawing=now.drawing + 1)
    if st.session_state.get("drawn_board") != (board.study.key, board.revision):
        st.session_state["drawn_board"] = (board.study.key, board.revision)
        now = change(ring=now.selected)
    selected = board.point(now.selected)
    if selected is not None:
        st.session_state["selected_recipe"] = selected.recipe
    return now


def redraw() -> None:
    """Have the figure drawn again with the ring on the selection."""
    change(ring=view().selected, drawing=view().drawing + 1)


def _same_recipe(board: Board) -> object:
    """The point that the last selected recipe made in this study, if it was measured."""
    recipe = st.session_state.get("selected_recipe")
    if recipe is None or recipe.partition.num_layers != board.study.num_layers:
        return None
    return board.point(board.study.point_key(recipe))
