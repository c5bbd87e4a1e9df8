"""The adviser: ``python -m hma.adviser`` answers questions to a surrogate of points, beside the worker that measures.

Messages as in ``hma.line``. In: ``("ask", job, question)``. Out: ``("done", job, reply)`` or
``("failed", job, "failed", message)``.
It holds no model, and makes way: whoever measures goes first.
"""

from __future__ import annotations

import contextlib
import os
import traceback

from hma.line import Line

_NICE = 10
"""How far it steps back behind the programs beside it."""


def serve(line: Line) -> None:
    """Answer questions until the engine goes away."""
    while True:
        _, job, question = line.receive()
        try:
            from hma.methods.search import replied  # Brings torch and BoTorch.

            line.send("done", job, replied(question))
        except Exception as error:
            traceback.print_exc()
            line.send("failed", job, "failed", f"An unexpected {type(error).__name__}: {error}. Nothing was kept of it.")


def main() -> None:
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(_NICE)
    serve(Line.of_process())


if __name__ == "__main__":
    main()
