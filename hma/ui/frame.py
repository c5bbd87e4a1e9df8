"""What every page's script does: run within the frame of ``app.py``, wherever the browser came in."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from hma.core.study import Study
from hma.ui.guard import shown

_WANTED = "wanted_page"


def page(script: str, show: Callable[[Study], None]) -> None:
    """Draw a page under the frame. A browser that asks for its script alone (a link to it, a tab that outlived the server) is
    led through ``app.py``, which comes back to it by ``wanted``."""
    if "framed" not in st.session_state:
        st.session_state[_WANTED] = script
        st.switch_page("app.py", query_params=st.query_params.to_dict())
    with shown():
        show(st.session_state.pop("framed"))


def go_where_wanted() -> None:
    """Turn to the page that was asked for before the frame was there."""
    wanted = st.session_state.pop(_WANTED, None)
    if wanted:
        st.switch_page(wanted, query_params=st.query_params.to_dict())
