"""Find alphas: sweeps, fits and searches, started here and carried out beside whatever else goes on."""

from hma.ui import frame, methods

frame.page("pages/methods.py", methods.show)
