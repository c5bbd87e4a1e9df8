"""Explore: merge, measure, and see reward against ability."""

import streamlit as st

from hma.ui import explore
from hma.ui.guard import shown

if "framed" not in st.session_state:
    # A tab that outlived the server asks for this script alone: let the frame run it.
    st.switch_page("app.py")

with shown():
    explore.show(st.session_state.pop("framed"))
