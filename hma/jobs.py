"""The jobs of an engine: what was asked for, how it stands, and who is next."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hma.board import Board
from hma.core.recipe import Recipe
from hma.core.study import Study

INTERACTIVE, SWEEP = 0, 1
"""Priorities: a person waiting goes first."""

STARTING, CANCELLING = "starting the worker", "cancelling"

_KEPT = 500


@dataclass(frozen=True)
class Target:
    """Where a merge is to be exported: the whole path of a new folder, and what goes with the weights.

    ``boards`` are for its model card; ``tokenizer`` says whose it gets, the policy's or the reference's; ``replace``
    lets it take the place of an earlier export.
    """

    folder: str
    boards: tuple[Board, ...] = ()
    tokenizer: str = "policy"
    replace: bool = False


@dataclass(frozen=True)
class Job:
    """One request as it stands: a measurement, or an export where ``target`` is not None.

    ``state``: queued, running, finished, failed or cancelled; ``message`` says why, what was written, or what to know of a
    measurement. ``refused`` tells a failure that lies in what was
    asked. ``expected_seconds`` is what the study's last point took.
    """

    id: int
    study: Study
    recipe: Recipe
    key: str
    method: str
    state: str = "queued"
    stage: str = ""
    share: float = 0.0
    message: str = ""
    refused: bool = False
    expected_seconds: float | None = None
    submitted_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    target: Target | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("finished", "failed", "cancelled")

    @property
    def is_cancelling(self) -> bool:
        """Whether it was asked to stop, and has not stopped yet."""
        return self.stage == CANCELLING and not self.is_over

    def seconds_left(self, now: float) -> float | None:
        """An estimate from the study's last point, else from the share done; None while there is nothing to go by."""
        if self.state != "running" or self.started_at is None:
            return None
        spent = now - self.started_at
        if self.expected_seconds is not None and spent < self.expected_seconds:
            return self.expected_seconds - spent
        # Stages run side by side and the share moves in jumps: early on it says nothing.
        return spent / self.share * (1 - self.share) if self.share >= 0.3 else None


class Jobs:
    """Jobs by number, and the queue of those that wait. Threads may share it.

    ``changed`` is told of every change; its owner may hold it over several calls.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._jobs: dict[int, Job] = {}
        self._queue: list[tuple[int, int]] = []
        self._ids = itertools.count(1)

    def ask(self, wanted: Job, priority: int, is_done: Callable[[], bool] = lambda: False) -> Job:
        """A request's job, in the queue. One asked for already is not asked twice; one that is done is finished at once."""
        with self.changed:
            for job in self._jobs.values():
                same = (job.key, job.study.num_items, job.target) == (wanted.key, wanted.study.num_items, wanted.target)
                if same and not job.is_over and not job.is_cancelling:
                    if priority == INTERACTIVE and job.state == "queued":
                        self._push(INTERACTIVE, job.id)
                    return job
            now, done = time.time(), is_done()
            job = replace(wanted, id=next(self._ids), submitted_at=now)
            if done:
                job = replace(job, state="finished", share=1.0, ended_at=now)
            self._jobs[job.id] = job
            self._forget_old()
            if not done:
                self._push(priority, job.id)
            return job

    def get(self, job_id: int) -> Job | None:
        """A job as it stands now; None for one that is forgotten."""
        with self.changed:
            return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """The latest jobs, oldest first."""
        with self.changed:
            return list(self._jobs.values())

    def wait(self, job_id: int, timeout: float | None = None) -> Job:
        """The job once it is over, or as it stands after ``timeout`` seconds."""
        with self.changed:
            self.changed.wait_for(lambda: self._jobs[job_id].is_over, timeout)
            return self._jobs[job_id]

    def update(self, job_id: int, **changes: object) -> None:
        """Change a job that is not over."""
        with self.changed:
            if job_id in self._jobs and not self._jobs[job_id].is_over:
                self._jobs[job_id] = replace(self._jobs[job_id], **changes)
            self.changed.notify_all()

    @property
    def is_waiting(self) -> bool:
        """Whether there is anything in the queue."""
        return bool(self._queue)

    def next(self) -> Job | None:
        """Take the first of the queue and mark it as running; None when that one was cancelled."""
        with self.changed:
            _, job_id = heapq.heappop(self._queue)
            job = self._jobs.get(job_id)
            if job is None or job.state != "queued":
                return None
            self.update(job_id, state="running", stage=STARTING, started_at=time.time())
            return self._jobs[job_id]

    def _push(self, priority: int, job_id: int) -> None:
        heapq.heappush(self._queue, (priority, job_id))
        self.changed.notify_all()

    def _forget_old(self) -> None:
        over = [job.id for job in self._jobs.values() if job.is_over]
        for job_id in over[: max(0, len(over) - _KEPT)]:
            del self._jobs[job_id]
