"""The app's frame: page config, navigation, and the study bar. Pages draw what is under it."""

from pathlib import Path

import streamlit as st

ICON = Path(__file__).parent / "hma" / "ui" / "icon.png"

st.set_page_config(page_title="Alignment-tax explorer", layout="wide", initial_sidebar_state="collapsed")
pages = [
    st.Page("pages/explore.py", title="Explore", default=True),
    st.Page("pages/methods.py", title="Find alphas", url_path="methods"),
    st.Page("pages/compare.py", title="Compare fronts", url_path="compare"),
    st.Page("pages/samples.py", title="Samples", url_path="samples"),
    st.Page("pages/runs.py", title="Runs", url_path="runs"),
    st.Page("pages/export.py", title="Export", url_path="export"),
    st.Page("pages/pair.py", title="Pair and suite", url_path="pair"),
    st.Page("pages/present.py", title="Present", url_path="present"),
]
page = st.navigation(pages, position="top")

from hma.ui import frame, gate, studybar, style  # noqa: E402
from hma.ui.guard import shown  # noqa: E402

frame.go_where_wanted()
style.show()
with shown():
    if not gate.is_passed():
        st.stop()
    st.session_state["study"] = st.session_state["framed"] = studybar.show()
    page.run()
# Last, because Streamlit loads an imaging library for it.
st.set_page_config(page_icon=ICON)
