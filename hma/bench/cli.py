"""The verbs of ``python -m hma bench``."""

from __future__ import annotations

import typer

from hma.bench.page import page
from hma.bench.point import point

app = typer.Typer(no_args_is_help=True)
app.command()(point)
app.command()(page)
