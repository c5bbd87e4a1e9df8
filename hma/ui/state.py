"""One person's view: what is selected, how the chart is framed, and which jobs they follow.

Kept in the session. The chart's figure depends on the ``ring`` alone, never on the selection: a click on
the chart selects without having it drawn again.

What the program itself sets (sliders, lists) is kept here and not in the widget's own state: the browser
sends the values it knows with every look at the jobs, and such a look may overtake the page on which the new
value stands. So a widget whose value was set gets a new key, of which the browser knows no older value.
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
    that they asked for; ``dismissed`` those whose message they closed. ``picked`` is a point that was
    picked, until the sliders stand on it; ``alphas`` is what the sliders were last set to, for the
    ``setting``-th time. ``listing`` counts how often the list of points was set, ``paging`` that of prompts,
    of which ``prompt`` is read.
    """

    selected: str | None = None
    ring: str | None = None
    drawing: int = 0
    missing: str | None = None
    followed: frozenset[int] = field(default_factory=frozenset)
    own: int | None = None
    dismissed: frozenset[int] = field(default_factory=frozenset)
    picked: str | None = None
    alphas: tuple[float, ...] = ()
    setting: int = 0
    listing: int = 0
    prompt: int = 0
    paging: int = 0


def view() -> View:
    """This session's view."""
    return st.session_state.setdefault(_VIEW, View())


def change(**changes: object) -> View:
    """Replace parts of the view, and return it."""
    changed = st.session_state[_VIEW] = replace(view(), **changes)
    return changed


def select(key: str) -> None:
    """Select a point by anything but the chart: the figure is drawn again with the ring on it."""
    change(selected=key, ring=key, drawing=view().drawing + 1, listing=view().listing + 1, missing=None)


def pick(key: str) -> None:
    """Select a point from a table: like ``select``, and the sliders follow."""
    select(key)
    change(picked=key)


def pick_from_list(key: str) -> None:
    """Select a point from the list, which shows it already and keeps the keyboard's focus."""
    change(selected=key, ring=key, drawing=view().drawing + 1, missing=None, picked=key)


def pick_on_chart(key: str) -> None:
    """Select the point that was clicked: the chart itself has moved the ring, and the sliders follow."""
    change(selected=key, listing=view().listing + 1, missing=None, picked=key)


def settle(board: Board) -> View:
    """Make the selection one of the board's points, and follow the ring if the chart is drawn anew anyhow."""
    now = view()
    if board.point(now.selected) is None:
        chosen = _same_recipe(board) or board.suggested or board.nearest_mean(START)
        key = chosen.key if chosen else None
        if key != now.selected:
            now = change(selected=key, ring=key, drawing=now.drawing + 1, listing=now.listing + 1)
    if st.session_state.get("drawn_board") != (board.study.view, board.revision):
        st.session_state["drawn_board"] = (board.study.view, board.revision)
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
