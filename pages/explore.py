"""Explore: merge, measure, and see reward against ability."""

from hma.ui import explore, frame

frame.page("pages/explore.py", explore.show)
