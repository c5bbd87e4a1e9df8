"""Export: chosen points to model folders, what was exported and whether it is whole, and the chart to take away."""

from hma.ui import export, frame

frame.page("pages/export.py", export.show)
