"""Samples: what the models say to the same prompts, side by side and blind."""

from hma.ui import frame, samples

frame.page("pages/samples.py", samples.show)
