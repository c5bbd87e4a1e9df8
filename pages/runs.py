"""Runs: what is being measured, what was, and measuring it again with more items."""

from hma.ui import frame, history

frame.page("pages/runs.py", history.show)
