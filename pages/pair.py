"""Pair and suite: choose two checkpoints and what to measure, see whether they can be merged, and begin."""

from hma.ui import frame, pair

frame.page("pages/pair.py", pair.show)
