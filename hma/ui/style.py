"""What Streamlit's theme cannot say: the table of scores, the sliders' ends, and tighter spacing."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_SHEET = Path(__file__).with_name("style.css")


def show() -> None:
    """Put the style sheet on the page."""
    st.html(_SHEET)
