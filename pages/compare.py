"""Compare fronts: methods against one another, chosen on validation items and reported on test items."""

from hma.ui import compare, frame

frame.page("pages/compare.py", compare.show)
