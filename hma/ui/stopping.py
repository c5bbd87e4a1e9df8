"""The button that cancels something, and the question before it where somebody else asked for the same."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import streamlit as st

from hma.ui import state

_ASKED = "asked_to_stop"

Askers = Callable[[], Collection[str]]
"""Who asks for a thing at this moment: somebody else may have joined since the page was drawn."""


def button(
    key: str, askers: Askers, is_stopping: bool, stop: Callable[..., None], *arguments: Any, label: str = "Cancel"
) -> None:
    """Draw the button, which calls ``stop`` with the arguments; of what somebody else asked for, it has ``question`` ask."""
    is_idle = is_stopping or _is_asked(key, askers)
    st.button(label, key=key, on_click=_press, args=(key, askers, stop, *arguments), disabled=is_idle, width="content")


def question(key: str, askers: Askers, loss: str, stop: Callable[..., None], *arguments: Any) -> None:
    """Once its button was pressed, say whose it is, and let a person answer; ``loss`` is what comes of cancelling."""
    if not _is_asked(key, askers):
        return
    shared = "Someone else asked for this, as you did."
    # A page that is loaded again is another session, to which one's own requests are a stranger's.
    theirs = "This is someone else's."
    st.warning(f"{shared if state.asker() in askers() else theirs} {loss} Cancel it all the same?")
    with st.container(horizontal=True, gap="small"):
        st.button("Cancel it", key=f"{key}_sure", on_click=_stop, args=(stop, *arguments), width="content")
        st.button("Let it go on", key=f"{key}_keep", on_click=_turn, args=(None,), width="content")


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
