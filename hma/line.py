"""A worker's end of its two streams to the engine: pickled tuples, each way one stream."""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from typing import Any, BinaryIO

from hma.errors import Cancelled


class Line:
    """Requests come in, answers go out. A thread reads, so that a cancel is heard while a request is answered.

    When the engine's end closes, the process ends: none is left behind.
    """

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._requests: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._cancelled: set[int] = set()
        self._sending = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    @classmethod
    def of_process(cls) -> Line:
        """The line over this process's standard streams; from now on its standard output goes where its errors do."""
        outgoing = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # Whatever a library prints goes to the log, not into the messages.
        return cls(sys.stdin.buffer, outgoing)

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

    def report(self, job: int, stage: str, share: float) -> None:
        """Say how far a job is. Raises Cancelled when the engine asked for it to stop."""
        self.check(job)
        self.send("progress", job, stage, share)

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
