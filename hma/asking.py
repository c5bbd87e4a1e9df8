"""Questions to the adviser: a thread and a process of their own, so that nobody's measurement waits for a prediction."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from hma.core.question import PREDICTOR, Reply
from hma.errors import HmaError, MeasureError, WorkerDied
from hma.jobs import Job, Jobs
from hma.process import WorkerProcess, failure
from hma.store import Store

COMMAND = (sys.executable, "-m", "hma.adviser")
"""How the adviser is started, at the first question that the store cannot answer."""

_IDLE = 300.0
"""Seconds without a question after which its process is ended: it holds some hundred MB."""


class Asking:
    """Answers the questions among an engine's jobs, one after the other, until it is closed."""

    def __init__(self, store: Store, jobs: Jobs, command: Sequence[str] = COMMAND) -> None:
        self._store, self._jobs, self._command = store, jobs, tuple(command)
        self._process: WorkerProcess | None = None
        self._job: int | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hma-asking", daemon=True)
        self._thread.start()

    def cancel(self, job_id: int) -> None:
        """Give up a question's job, if it is the one in hand; the next question starts another process."""
        with self._jobs.changed:
            if self._job == job_id:
                self._end()

    def close(self) -> None:
        """End the process and the thread."""
        with self._jobs.changed:
            self._closed = True
            self._jobs.changed.notify_all()
        self._end()
        self._thread.join(timeout=10)

    def _end(self) -> None:
        with self._jobs.changed:
            if self._process is not None:
                self._process.end()
            self._process = None

    def _run(self) -> None:
        while not self._closed:
            with self._jobs.changed:
                asked = self._jobs.changed.wait_for(lambda: self._closed or self._jobs.is_waiting(questions=True), _IDLE)
                job = self._jobs.next(questions=True) if asked and not self._closed else None
                self._job = job.id if job else None
            if job is not None:
                self._jobs.update(job.id, **self._over(job), ended_at=time.time())
            elif not asked:
                self._end()

    def _over(self, job: Job) -> dict[str, Any]:
        """How a question's job ends."""
        try:
            return {"state": "finished", "share": 1.0, "answer": self._replied(job)}
        except WorkerDied as error:
            cancelled = (now := self._jobs.get(job.id)) is not None and now.is_cancelling
            return {"state": "cancelled", "message": "It was cancelled."} if cancelled else _failed(str(error))
        except HmaError as error:
            return _failed(str(error))
        except Exception as error:  # The thread outlives any question.
            return _failed(f"An unexpected {type(error).__name__}: {error}. Nothing was kept of it.")

    def _replied(self, job: Job) -> Reply:
        """The reply to a question; what it only predicts is kept, for whoever asks it again."""
        question = job.question
        assert question is not None
        if not question.num and job.key in (kept := self._store.kept([job.key])):
            return Reply(predictor=kept[job.key])
        with self._jobs.changed:
            if self._closed:
                raise MeasureError("The engine was closed.")
            if self._process is None or not self._process.is_alive:
                self._process = WorkerProcess(self._command)
            process = self._process
            self._jobs.update(job.id, stage="predicting")
        process.send("ask", job.id, question)
        kind, _, *rest = process.receive()
        if kind == "failed":
            raise failure(*rest)
        reply: Reply = rest[0]
        if not question.num:
            self._store.keep(PREDICTOR, job.key, reply.predictor)
        return reply


def _failed(message: str) -> dict[str, Any]:
    return {"state": "failed", "message": message}
