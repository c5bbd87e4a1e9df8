"""The engine's worker: started for a study, replaced by a fresh one for another, asked, cancelled, and how it stands."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hma.core.study import Study
from hma.errors import Cancelled, HmaError, WorkerDied
from hma.jobs import Job, Jobs
from hma.process import COMMAND, WorkerProcess, failure
from hma.store import Store

_GRACE = 5.0
"""Seconds that a cancelled job may take to stop by itself before its worker is ended."""


@dataclass(frozen=True)
class WorkerState:
    """The worker as a screen shows it. ``status``: none, starting, ready, busy or died."""

    status: str = "none"
    device: str = ""
    message: str = ""


class Working:
    """Holds one worker process at a time. One thread has it work; any may look at it, cancel, or close."""

    def __init__(self, store: Store, jobs: Jobs, command: Sequence[str] = COMMAND) -> None:
        self._store, self._jobs, self._command = store, jobs, tuple(command)
        self._changed = jobs.changed
        self._process: WorkerProcess | None = None
        self._state = WorkerState()
        self._closed = False

    def state(self) -> WorkerState:
        """The worker as it stands now; one that died while it was idle is found out here."""
        with self._changed:
            if self._state.status == "ready" and self._process is not None and not self._process.is_alive:
                self._state = WorkerState("died", message=self._process.obituary())
                self._process = None
            return self._state

    def cancel(self, job_id: int) -> None:
        """Ask that a job be stopped; a worker that does not within ``_GRACE`` seconds is ended."""
        process = self._process
        if process is not None:
            process.send("cancel", job_id)
            timer = threading.Timer(_GRACE, self._end_cancelled, (process, job_id))
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """End the worker, and any that is being started."""
        with self._changed:
            self._closed = True
            process = self._process
        if process is not None:
            process.end()

    # The rest is for the thread that has it work.

    def prepare(self, study: Study) -> None:
        """Have the worker build the study's evaluator before anybody waits for it. Raises nothing; ``state`` says how it went."""
        try:
            process = self._opened(study)
            self._set(status="starting")
            process.send("prepare", study)
            while process.receive()[0] != "prepared":
                pass
            self._set(status="ready")
        except Exception as error:  # The thread outlives any worker.
            self._lose("died", str(error))

    def open(self, study: Study) -> None:
        """Have a worker that holds the study's pair. Raises MeasureError, of which WorkerDied and Refused are some."""
        self._opened(study)

    def begin(self) -> None:
        """Say that it is at a job."""
        self._set(status="busy")

    def end(self) -> None:
        """Say that it is at nothing, if it is still there."""
        if self._process is not None:
            self._set(status="ready")

    def answer(self, job: Job, verb: str, *request: Any) -> Any:
        """The open worker's answer to one request; its progress goes to the job, what it keeps to the store.

        Raises Cancelled, MeasureError, or WorkerDied.
        """
        try:
            process = self._process
            if process is None:
                raise WorkerDied("The worker ended before it was asked; the next request starts a fresh one.")
            process.send(verb, job.id, *request)
            while True:
                kind, job_id, *rest = process.receive()
                if job_id != job.id:
                    continue
                if kind == "progress":
                    if not self._is_cancelling(job):
                        self._jobs.update(job.id, stage=rest[0], share=rest[1])
                elif kind == "keep":
                    self._store.keep(*rest)
                elif kind == "done":
                    return rest[0]
                elif kind == "failed":
                    how, message = rest
                    if how == "fatal":
                        self._lose("died", message)
                    raise failure(how, message)
        except WorkerDied as error:
            if self._is_cancelling(job):
                self._lose("none")
                raise Cancelled("It was cancelled; its worker was ended.") from None
            self._lose("died", str(error))
            raise

    def _is_cancelling(self, job: Job) -> bool:
        now = self._jobs.get(job.id)
        return now is not None and now.is_cancelling

    def _opened(self, study: Study) -> WorkerProcess:
        """The warm worker if it holds the study's pair, else a fresh one in its place."""
        process, holds = self._process, (study.pair, study.suite_path, *study.allow)
        if process is not None and process.holds == holds and process.is_alive:
            return process
        self._lose("starting")
        try:
            process = WorkerProcess(self._command, holds)
            with self._changed:
                self._process = process
                closed = self._closed
            if closed:
                process.end()
            self._set(status="ready", device=process.open(study))
            return process
        except HmaError as error:
            self._lose("died", str(error))
            raise

    def _set(self, **changes: Any) -> None:
        with self._changed:
            self._state = replace(self._state, **changes)
            self._changed.notify_all()

    def _lose(self, status: str, message: str = "") -> None:
        """End the worker, if there is one, and say how it stands from now on."""
        with self._changed:
            process, self._process = self._process, None
            self._set(status=status, device="", message=message)
        if process is not None:
            process.end()

    def _end_cancelled(self, process: WorkerProcess, job_id: int) -> None:
        with self._changed:
            job = self._jobs.get(job_id)
            stuck = job is not None and not job.is_over
        if stuck:
            process.end()
