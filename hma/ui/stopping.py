"""The button that cancels something, and the question before it where somebody else asked for the same."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import streamlit as st

from hma.ui import state

_ASKED = "asked_to_stop"

Askers = Callable[[], Collection[str]]
"""Who asks for a thing at this moment: somebody else may have joined since the page was drawn."""


def button(key: str, askers: Askers, is_stopping: bool, stop: Callable[..., None], *arguments: Any) -> None:
    """Draw the button, which calls ``stop`` with the arguments; what somebody else asked for is asked about first."""
    if is_stopping or not _is_asked(key, askers):
        args = (key, askers, stop, *arguments)
        st.button("Cancel", key=key, on_click=_press, args=args, disabled=is_stopping, width="content")
    else:
        st.button("Cancel it", key=f"{key}_sure", on_click=_stop, args=(stop, *arguments), type="primary", width="content")
        st.button("Let it go on", key=f"{key}_keep", on_click=_turn, args=(None,), width="content")


def question(key: str, askers: Askers, loss: str) -> None:
    """Say whose it is, once its button was pressed; ``loss`` is what comes of cancelling."""
    if _is_asked(key, askers):
        shared = "Someone else asked for this, as you did."
        # A page that is loaded again is another session, to which one's own requests are a stranger's.
        theirs = "This is someone else's, or yours from another tab."
        st.warning(f"{shared if state.asker() in askers() else theirs} {loss} Cancel it all the same?")


def _is_asked(key: str, askers: Askers) -> bool:
    """Whether this session is being asked about the button with this key."""
    return st.session_state.get(_ASKED) == key and state.is_others(askers())


def _turn(key: str | None) -> None:
    st.session_state[_ASKED] = key


def _press(key: str, askers: Askers, stop: Callable[..., None], *arguments: Any) -> None:
    if state.is_others(askers()):
        _turn(key)
    else:
        stop(*arguments)


def _stop(stop: Callable[..., None], *arguments: Any) -> None:
    _turn(None)
    stop(*arguments)
