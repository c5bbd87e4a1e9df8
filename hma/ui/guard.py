"""Nothing reaches the screen as a traceback: errors in the person's words, and calm words for the rest."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import streamlit as st

from hma.errors import HmaError
from hma.text import plain

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Show what goes wrong inside as a message in its place; Streamlit's own stops and reruns pass."""
    try:
        yield
    except HmaError as error:
        st.error(plain(str(error)))
    except Exception as error:
        _log.exception("unexpected")
        st.error(
            f"Something unexpected happened here ({plain(type(error).__name__)}). Every finished point is safe. "
            "Reload the page; the program's own output has the details."
        )
