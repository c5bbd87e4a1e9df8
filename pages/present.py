"""Present: the front for people who decide, one measured point after the other. Nothing can be started here."""

from hma.ui import frame, present

frame.page("pages/present.py", present.show)
