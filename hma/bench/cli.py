"""The verbs of ``python -m hma bench``."""

from __future__ import annotations

import typer

from hma.bench.button import button
from hma.bench.export import export
from hma.bench.merge import merge
from hma.bench.point import point
from hma.bench.prefix import prefix
from hma.bench.reuse import reuse
from hma.bench.search import search
from hma.bench.start import start
from hma.bench.suite import suite

app = typer.Typer(no_args_is_help=True)
app.command()(point)
app.command()(start)
app.command()(button)
app.command()(merge)
app.command()(export)
app.command()(prefix)
app.command()(reuse)
app.command()(suite)
app.command()(search)
