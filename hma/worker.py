"""The worker process: ``python -m hma.worker`` owns a workbench and answers an engine over its standard streams.

Messages are pickled tuples, each way one stream. In: ``("open", study)`` once, then
``("prepare", study)``, ``("measure", job, study, recipe, begun)``, ``("export", job, study, recipe, target)`` and
``("cancel", job)``. Out: ``("ready", device)``, ``("prepared",)``, ``("progress", job, stage, share)``,
``("failed", job, kind, message)``, and ``("done", job, measurement)`` or, of an export, ``("done", job, message)``.
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

from hma.core.study import Study
from hma.errors import Cancelled, CheckpointError, ExportError, HmaError, Outdated, SuiteError
from hma.evaluate.failures import first_line, is_out_of_memory
from hma.evaluate.suite import load_suite


class _Line:
    """The two streams to the engine. A thread reads, so that a cancel is heard during a measurement."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._requests: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._cancelled: set[int] = set()
        self._sending = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def receive(self) -> tuple[Any, ...]:
        """The next request, waiting for it."""
        return self._requests.get()

    def send(self, *message: Any) -> None:
        with self._sending:
            pickle.dump(message, self._outgoing)
            self._outgoing.flush()

    def check(self, job: int) -> None:
        """Raise Cancelled when the engine asked for the job to stop."""
        if job in self._cancelled:
            raise Cancelled("It was cancelled.")

    def _listen(self) -> None:
        while True:
            try:
                message = pickle.load(self._incoming)  # noqa: S301 (our own parent process)
            except Exception:  # The engine is gone, or what it says is not to be understood.
                os._exit(0)
            if message[0] == "cancel":
                self._cancelled.add(message[1])
            else:
                self._requests.put(message)


def serve(line: _Line) -> None:
    """Open the pair, then answer requests until the engine goes away."""
    kind, study = line.receive()
    assert kind == "open"
    try:
        if _is_local(study):
            # Without this, each data set and tokenizer asks the network first.
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from hma.workbench import Workbench

        workbench = Workbench(study.reference, study.policy, allow=study.allow)
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
        elif kind == "export":
            _export(line, workbench, *request)


def _is_local(study: Study) -> bool:
    """Whether pair and suite need nothing from a hub."""
    folders = Path(study.reference).is_dir() and Path(study.policy).is_dir()
    return folders and load_suite(study.suite_path, study.split, study.size, study.program).is_local


def _prepare(line: _Line, workbench: Any, study: Any) -> None:
    try:
        workbench.prepare(study)
    except Exception:
        traceback.print_exc()  # The measurement that needs it will report it.
    line.send("prepared")


def _measure(line: _Line, workbench: Any, job: int, study: Any, recipe: Any, begun: Any) -> None:
    def progress(stage: str, share: float) -> None:
        line.check(job)
        line.send("progress", job, stage, share)

    try:
        line.check(job)
        line.send("progress", job, "preparing the suite", 0.0)
        line.send("done", job, workbench.measure(study, recipe, progress, begun))
    except Exception as error:
        line.send("failed", job, *_explained(error))


def _export(line: _Line, workbench: Any, job: int, study: Any, recipe: Any, target: Any) -> None:
    from hma import card

    def progress(done: int, total: int) -> None:
        line.check(job)
        line.send("progress", job, "writing", done / total)

    try:
        line.check(job)
        done = workbench.export(
            study,
            recipe,
            target.folder,
            card=lambda merge: card.files(merge, Path(target.folder), target.boards),
            tokenizer=target.tokenizer,
            replace=target.replace,
            progress=progress,
        )
        line.send("done", job, f"{done.folder}: {len(done.files) + 1} files, {done.size:,} bytes.")
    except Exception as error:
        line.send("failed", job, *_explained(error))


def _explained(error: Exception) -> tuple[str, str]:
    """(kind, message) for the engine: "cancelled", "mistake" in what was asked, "failed", or "fatal" for what nobody foresaw.

    After the last nobody knows in what state the device is, so the engine replaces the worker.
    """
    if isinstance(error, Cancelled):
        return "cancelled", str(error)
    if isinstance(error, Outdated):
        return "fatal", str(error)
    if isinstance(error, CheckpointError | ExportError | SuiteError):
        return "mistake", str(error)
    if isinstance(error, HmaError):
        return "failed", str(error)
    traceback.print_exc()
    if is_out_of_memory(error):
        return "fatal", f"The device ran out of memory ({first_line(error)}). Close what else uses it, or choose a smaller pair."
    return "fatal", f"An unexpected {type(error).__name__}: {error}. Nothing was kept of it."


def main() -> None:
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # Whatever a library prints goes to the log, not into the messages.
    serve(_Line(sys.stdin.buffer, outgoing))


if __name__ == "__main__":
    main()
