"""A worker process as its engine holds it: started, spoken to, and ended."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hma.core.study import Study
from hma.errors import Cancelled, MeasureError, Refused, WorkerDied

COMMAND = (sys.executable, "-m", "hma.worker")
"""How a worker is started: a program of its own, not a fork, so it inherits no state of the app's."""

_ROOT = Path(__file__).resolve().parents[1]


def failure(kind: str, message: str) -> MeasureError:
    """The error that a worker's ``failed`` message stands for."""
    kinds = {"cancelled": Cancelled, "mistake": Refused}
    return kinds.get(kind, MeasureError)(message)


class WorkerProcess:
    """One ``hma.worker`` and the streams to it. Any failure to speak to it is WorkerDied.

    ``holds`` is what it was started for, for its owner to compare.
    """

    def __init__(self, command: Sequence[str], holds: tuple[str, ...] = ()) -> None:
        self.holds = holds
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
        self._sending = threading.Lock()
        try:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=_ROOT
            )
        except OSError as error:
            raise WorkerDied(f"The worker process cannot be started ({error}). Free some memory and try again.") from None

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def open(self, study: Study) -> str:
        """Load the study's pair, waiting for it; the device in words. Raises MeasureError, of which Refused is one."""
        self.send("open", study)
        kind, *rest = self.receive()
        if kind == "failed":
            raise failure(*rest[1:])
        return rest[0]

    def send(self, *message: Any) -> None:
        with self._sending:
            try:
                pickle.dump(message, self._process.stdin)
                self._process.stdin.flush()
            except (OSError, ValueError):
                pass  # Its death is reported by ``receive``, which can say how it died.

    def receive(self) -> tuple[Any, ...]:
        """The worker's next message, waiting for it. After anything that is none, the worker is of no more use."""
        try:
            return pickle.load(self._process.stdout)  # noqa: S301 (our own child process)
        except Exception:
            raise WorkerDied(self.obituary()) from None

    def end(self) -> None:
        """Kill the process; nothing it held is needed."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()

    def obituary(self) -> str:
        """How the process ended, in words. One that still runs without making sense is ended."""
        try:
            code = self._process.wait(timeout=5)
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        except subprocess.TimeoutExpired:
            self.end()
            code, how = None, "answered with something that is no message, and was ended"
        hint = " The system may have run out of memory: choose a smaller size or close other programs." if code == -9 else ""
        last = self._last_words()
        said = f" Its last words: {last}" if last else ""
        return (
            f"The worker process {how}.{hint}{said} What it had in hand is lost, every finished point is safe, "
            "and the next request starts a fresh worker."
        )

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            return lines[-1][:300] if lines else ""
        return ""
