"""What Streamlit's theme cannot say: the table of scores, the sliders' ends, and tighter spacing."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_SHEET = Path(__file__).with_name("style.css")

_DARK = """<style>
[data-testid="stBaseButton-primary"]:not(:disabled), [data-testid="stBaseButton-primary"]:not(:disabled) p { color: #12161d; }
</style>"""
"""The dark theme's primary colour is light: what is written on it is dark."""


def show() -> None:
    """Put the style sheet on the page."""
    st.html(_SHEET)
    st.html(_DARK if st.context.theme.type == "dark" else "<style></style>")
