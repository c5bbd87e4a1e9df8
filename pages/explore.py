"""Explore: merge, measure, and see reward against ability."""

import streamlit as st

from hma.ui import explore
from hma.ui.guard import shown

with shown():
    explore.show(st.session_state["study"])
