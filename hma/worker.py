"""The worker process: ``python -m hma.worker`` owns a workbench and answers an engine over its standard streams.

Messages are pickled tuples, each way one stream. In: ``("open", reference, policy)`` once, then
``("prepare", study)``, ``("measure", job, study, recipe)`` and ``("cancel", job)``. Out: ``("ready", device)``,
``("progress", job, stage, share)``, ``("measured", job, measurement)``, ``("failed", job, kind, message)``, ``("prepared",)``.
When the engine's end closes, the worker ends: no process is left behind.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from hma.errors import Cancelled, HmaError


class _Line:
    """The two streams to the engine. A thread reads, so that a cancel is heard during a measurement."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._requests: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._cancelled: set[int] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def receive(self) -> tuple[Any, ...]:
        """The next request, waiting for it."""
        return self._requests.get()

    def send(self, *message: Any) -> None:
        pickle.dump(message, self._outgoing)
        self._outgoing.flush()

    def check(self, job: int) -> None:
        """Raise Cancelled when the engine asked for the job to stop."""
        if job in self._cancelled:
            raise Cancelled("The measurement was cancelled.")

    def _listen(self) -> None:
        while True:
            try:
                message = pickle.load(self._incoming)  # noqa: S301 (our own parent process)
            except (EOFError, OSError):
                os._exit(0)
            if message[0] == "cancel":
                self._cancelled.add(message[1])
            else:
                self._requests.put(message)


def serve(line: _Line) -> None:
    """Open the pair, then answer requests until the engine goes away."""
    kind, reference, policy = line.receive()
    assert kind == "open"
    if Path(reference).is_dir() and Path(policy).is_dir():
        # Everything is here: without this, each data set and tokenizer asks the network first.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        from hma.workbench import Workbench

        workbench = Workbench(reference, policy)
    except Exception as error:
        line.send("failed", None, *_explained(error))
        return
    line.send("ready", workbench.device)
    while True:
        kind, *request = line.receive()
        if kind == "prepare":
            _prepare(line, workbench, *request)
        elif kind == "measure":
            _measure(line, workbench, *request)


def _prepare(line: _Line, workbench: Any, study: Any) -> None:
    try:
        workbench.prepare(study)
    except Exception:
        traceback.print_exc()  # The measurement that needs it will report it.
    line.send("prepared")


def _measure(line: _Line, workbench: Any, job: int, study: Any, recipe: Any) -> None:
    def progress(stage: str, share: float) -> None:
        line.check(job)
        line.send("progress", job, stage, share)

    try:
        line.check(job)
        line.send("progress", job, "preparing the suite", 0.0)
        line.send("measured", job, workbench.measure(study, recipe, progress))
    except Exception as error:
        line.send("failed", job, *_explained(error))


def _explained(error: Exception) -> tuple[str, str]:
    """(kind, message) for the engine; what nobody foresaw leaves its traceback in the worker's log."""
    if isinstance(error, Cancelled):
        return "cancelled", str(error)
    if isinstance(error, HmaError):
        return "failed", str(error)
    traceback.print_exc()
    return "failed", f"An unexpected {type(error).__name__}: {error}. Nothing was stored for this measurement."


def main() -> None:
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever a library prints goes to the log, not into the messages.
    serve(_Line(sys.stdin.buffer, outgoing))


if __name__ == "__main__":
    main()
