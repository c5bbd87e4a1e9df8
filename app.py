"""The app's frame: page config, navigation, and the study bar. Pages draw what is under it."""

from pathlib import Path

import streamlit as st

ICON = Path(__file__).parent / "hma" / "ui" / "icon.png"

st.set_page_config(page_title="Alignment-tax explorer", layout="wide")
page = st.navigation([st.Page("pages/explore.py", title="Explore", default=True)], position="hidden")

# Kept when it is empty: what stands below would otherwise move up at the second run, and be drawn anew.
preload = st.container(key="preload")
preload.html("<style>:has(> .st-key-preload) { display: none; }</style>")
if "study" not in st.session_state:
    # The chart's code is by far the largest thing that the browser fetches and reads. A chart of nothing,
    # hidden, has it begin with that while the imports below and the points are read here.
    preload.plotly_chart({"data": [{"type": "scatter"}], "layout": {"height": 10}}, key="preload_chart")

from hma.ui import studybar, style  # noqa: E402
from hma.ui.guard import shown  # noqa: E402

style.show()
with shown():
    st.session_state["study"] = st.session_state["framed"] = studybar.show()
    page.run()
# Last, because Streamlit loads an imaging library for it.
st.set_page_config(page_icon=ICON)
