"""One person's view: what is selected, how the chart is framed, and which jobs they follow.

Kept in the session.

What the program itself sets (sliders, lists) is kept here and not in the widget's own state: the browser
sends the values it knows with every look at the jobs, and such a look may overtake the page on which the new
value stands. So a widget whose value was set gets a new key, of which the browser knows no older value.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from time import monotonic

import streamlit as st

from hma.board import Board
from hma.core.partition import Partition
from hma.core.point import Point
from hma.core.recipe import Recipe

_VIEW = "view"

Stand = tuple[Partition, tuple[float, ...]]
"""Where the sliders stand: over which partition, and on which alphas."""

_COOKIE = "_streamlit_xsrf"
"""The cookie that Streamlit gives every browser: two tabs have one, and it stays when a page is loaded again."""

_REMEMBERED = 100
"""Moves of sliders that can be undone."""

_ONE_MOVE = 1.5
"""Seconds from one step of a slider to the next, as they come in, within which both are of one move: an arrow key that is pressed
several times."""

START = 0.2
"""The mean alpha at which a person starts where no point is suggested: the default of the authors' code [HMA Table 1]."""


@dataclass(frozen=True)
class View:
    """``selected`` is the point that is looked at; ``near`` the one that the chart is framed near to, where it is.

    ``missing`` is a link's key that no study of this pair has. ``own`` is the latest job that this person asked for;
    ``dismissed`` are those whose message they closed. ``picked`` is a point that was picked, until the sliders stand
    on it. ``partition`` is what the sliders are over, None for three blocks, and ``dividing`` counts how often it was
    set other than by its own panel; ``alphas`` is what they were last set to, for the ``setting``-th time; ``stand``
    where they stand since their last move, ``past`` where they stood before it, and ``future`` what was undone, the
    next to redo first; ``moving`` the slider that moved last, and when. ``listing`` counts how often the list of
    points was set, ``paging`` that of prompts, of which ``prompt`` is read. ``pinned`` is the recipe of a second
    point, B, to compare with, and ``pinning`` counts how often it was set other than from its own list.
    """

    selected: str | None = None
    near: str | None = None
    missing: str | None = None
    own: int | None = None
    dismissed: frozenset[int] = field(default_factory=frozenset)
    picked: str | None = None
    partition: Partition | None = None
    dividing: int = 0
    alphas: tuple[float, ...] = ()
    setting: int = 0
    stand: Stand | None = None
    past: tuple[Stand, ...] = ()
    future: tuple[Stand, ...] = ()
    moving: tuple[str, float] | None = None
    listing: int = 0
    prompt: int = 0
    paging: int = 0
    pinned: Recipe | None = None
    pinning: int = 0


def asker() -> str:
    """What this browser's requests are known by, to tell them from others': opaque, and said to nobody."""
    if "asker" not in st.session_state:
        st.session_state["asker"] = _browser(str(st.context.cookies.get(_COOKIE, ""))) or secrets.token_hex(8)
    return st.session_state["asker"]


def _browser(cookie: str) -> str | None:
    """A name for the browser that holds a cookie against forgery, which outlives a reload; None for any other text.

    Its form is Tornado's: ``2|mask|masked token|time``, with another mask every time, in hexadecimal digits.
    """
    match = re.fullmatch(r"2\|([0-9a-f]{8})\|([0-9a-f]{32,})\|\d+", cookie)
    if match is None:
        return None
    mask, masked = (bytes.fromhex(part) for part in match.groups())
    token = bytes(byte ^ mask[place % len(mask)] for place, byte in enumerate(masked))
    return hashlib.sha256(b"asker" + token).hexdigest()[:16]


def whose(askers: Collection[str]) -> str:
    """Whether a request is this browser's own; nothing for one that nobody asked for."""
    if not askers:
        return ""
    return "yours" if asker() in askers else "someone else's"


def is_others(askers: Collection[str]) -> bool:
    """Whether anybody but this browser asked for a request."""
    return bool(set(askers) - {asker()})


def view() -> View:
    """This session's view."""
    return st.session_state.setdefault(_VIEW, View())


def change(**changes: object) -> View:
    """Replace parts of the view, and return it."""
    changed = st.session_state[_VIEW] = replace(view(), **changes)
    return changed


def select(key: str) -> None:
    """Select a point by anything but the chart."""
    st.session_state["stand_in"] = None
    change(selected=key, near=key, listing=view().listing + 1, missing=None)


def pick(key: str) -> None:
    """Select a point from a table: like ``select``, and the sliders follow."""
    select(key)
    change(picked=key)


def pick_from_list(key: str) -> None:
    """Select a point from the list, which shows it already and keeps the keyboard's focus."""
    st.session_state["stand_in"] = None
    change(selected=key, near=key, missing=None, picked=key)


def pick_on_chart(key: str) -> None:
    """Select the point that was clicked: the sliders follow, the chart's frame does not."""
    st.session_state["stand_in"] = None
    change(selected=key, listing=view().listing + 1, missing=None, picked=key)


def settle(board: Board) -> View:
    """Make the selection one of the board's points."""
    now = view()
    if board.point(now.selected) is None:
        same = _same_recipe(board)
        chosen = same or _nearest(board) or first(board)
        key = chosen.key if chosen else None
        # What was chosen is not forgotten where it was not measured.
        st.session_state["stand_in"] = key if same is None and "selected_recipe" in st.session_state else None
        if key != now.selected:
            now = change(selected=key, near=key, listing=now.listing + 1)
    if board.point(now.near) is None:
        now = change(near=now.selected)
    selected = board.point(now.selected)
    if selected is not None and stand_in() is None:
        st.session_state["selected_recipe"] = selected.recipe
    return now


def first(board: Board) -> Point | None:
    """The point that a person who chose none sees selected."""
    return board.suggested or board.nearest_mean(START)


def choose(recipe: Recipe) -> None:
    """Have this recipe's point selected on whatever items are turned to, in place of one that another stands in for."""
    st.session_state.update(selected_recipe=recipe, stand_in=None)


def stand_in() -> Recipe | None:
    """The recipe that was selected, where another point stands in for it because it was not measured on these items."""
    key = st.session_state.get("stand_in")
    return st.session_state["selected_recipe"] if key is not None and key == view().selected else None


def stand(partition: Partition, alphas: tuple[float, ...], slider: str | None = None) -> None:
    """Remember where the sliders stand now, so that the move can be undone; ``slider`` is the one that moved, by its key."""
    now = view()
    if now.stand == (partition, alphas):
        return
    moving = None if slider is None else (slider, monotonic())
    goes_on = moving and now.moving and moving[0] == now.moving[0] and moving[1] - now.moving[1] < _ONE_MOVE
    past = now.past if goes_on or now.stand is None else (*now.past, now.stand)[-_REMEMBERED:]
    if goes_on and past[-1:] == ((partition, alphas),):  # Back where the move began.
        past, moving = past[:-1], None
    change(stand=(partition, alphas), past=past, future=(), moving=moving)


def undo() -> Stand | None:
    """Go back to where the sliders stood before their last move, and return it; None where there is no move."""
    now = view()
    if not now.past or now.stand is None:
        return None
    change(stand=now.past[-1], past=now.past[:-1], future=(now.stand, *now.future), moving=None)
    return now.past[-1]


def redo() -> Stand | None:
    """The inverse of ``undo``."""
    now = view()
    if not now.future or now.stand is None:
        return None
    change(stand=now.future[0], past=(*now.past, now.stand), future=now.future[1:], moving=None)
    return now.future[0]


def pin(recipe: Recipe) -> None:
    """Pin a point as B by anything but its list."""
    change(pinned=recipe, pinning=view().pinning + 1)


def pinned(board: Board) -> Point | None:
    """The pinned point as this study has it; None where none is pinned, or it was not measured here."""
    recipe = view().pinned
    return None if recipe is None else _made_by(recipe, board)


def frame() -> None:
    """Have the chart framed near the selection, where it is to be near one."""
    change(near=view().selected)


def _same_recipe(board: Board) -> Point | None:
    """The point that the last selected recipe made in this study, if it was measured."""
    recipe = st.session_state.get("selected_recipe")
    return None if recipe is None else _made_by(recipe, board)


def _nearest(board: Board) -> Point | None:
    """The point nearest to the last selected recipe, where one was selected that this pair can have."""
    recipe = st.session_state.get("selected_recipe")
    return board.nearest(recipe) if recipe and recipe.partition.num_layers == board.study.num_layers else None


def _made_by(recipe: Recipe, board: Board) -> Point | None:
    if recipe.partition.num_layers != board.study.num_layers:
        return None
    return board.point(board.study.point_key(recipe))
