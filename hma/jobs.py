"""The jobs of an engine: what was asked for, how it stands, and who is next."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hma.board import Board
from hma.core.descent import Step
from hma.core.fit import Fit
from hma.core.question import Question, Reply
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.core.survey import Survey
from hma.errors import MeasureError, Refused

INTERACTIVE, SWEEP = 0, 1
"""Priorities: a person waiting goes first."""

STARTING, CANCELLING = "starting the worker", "cancelling"

_KEPT = 500

_HOPELESS = 3
"""When so many points fail and none succeeds, the rest of a sweep is not tried."""


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
    """One request as it stands: a measurement or an export (``target``), or a ``fit``, a ``survey`` or a ``question``.

    The last three have no recipe.

    ``state``: queued, running, finished, failed or cancelled; ``message`` says why, what was written, or what to know of a
    measurement; ``answer`` is the last step of a finished fit, or the reply to a question. ``refused`` tells a failure
    that lies in what was asked. ``expected_seconds`` is what the study's last point took. ``askers`` name who asked for it
    by itself, in words of the asker's own; what a run or the program asks for has none. They play no part in what it is.
    """

    id: int
    study: Study
    recipe: Recipe | None
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
    fit: Fit | None = None
    survey: Survey | None = None
    question: Question | None = None
    answer: Step | Reply | None = None
    askers: frozenset[str] = frozenset()

    @property
    def is_point(self) -> bool:
        """Whether it brings a point."""
        return self.recipe is not None and self.target is None

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
    """Jobs by number, and the queues of those that wait: one of questions, one of all else. Threads may share it.

    ``changed`` is told of every change; its owner may hold it over several calls.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._jobs: dict[int, Job] = {}
        self._queues: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
        self._ids = itertools.count(1)

    def ask(self, wanted: Job, priority: int, is_done: Callable[[], bool] = lambda: False) -> Job:
        """A request's job, in the queue. One asked for already is not asked twice; one that is done is finished at once.

        Fits of one key may differ in the steps they may take, and are two requests.
        """

        def request(job: Job) -> tuple[object, ...]:
            return job.key, job.study.num_items, job.target, job.fit

        with self.changed:
            for job in list(self._jobs.values()):
                if request(job) == request(wanted) and not job.is_over and not job.is_cancelling:
                    job = self._jobs[job.id] = replace(job, askers=job.askers | wanted.askers)
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

    def queue(self) -> list[Job]:
        """What is not over yet: what runs, then what waits in the order in which it will be done, questions last."""
        with self.changed:
            waiting = [job_id for questions in (False, True) for _, job_id in sorted(self._queues[questions])]
            ids = [job.id for job in self._jobs.values() if job.state == "running"]
            # One that was pushed ahead stands in its queue twice.
            found = [self._jobs[i] for i in dict.fromkeys([*ids, *waiting]) if i in self._jobs]
            return [job for job in found if not job.is_over]

    def is_waiting(self, questions: bool = False) -> bool:
        """Whether there is anything in the queue."""
        return bool(self._queues[questions])

    def next(self, questions: bool = False) -> Job | None:
        """Take the first of the queue and mark it as running; None when that one was cancelled."""
        with self.changed:
            _, job_id = heapq.heappop(self._queues[questions])
            job = self._jobs.get(job_id)
            if job is None or job.state != "queued":
                return None
            self.update(job_id, state="running", stage=STARTING, started_at=time.time())
            return self._jobs[job_id]

    def _push(self, priority: int, job_id: int) -> None:
        heapq.heappush(self._queues[self._jobs[job_id].question is not None], (priority, job_id))
        self.changed.notify_all()

    def _forget_old(self) -> None:
        over = [job.id for job in self._jobs.values() if job.is_over]
        for job_id in over[: max(0, len(over) - _KEPT)]:
            del self._jobs[job_id]


def is_hopeless(ended: Sequence[Job]) -> bool:
    """Whether the rest of a sweep is not worth trying: its latest job was refused, or the first few have all failed."""
    return bool(ended) and (ended[-1].refused or (len(ended) == _HOPELESS and all(job.state != "finished" for job in ended)))


def failure_of(ended: Sequence[Job], num_asked: int) -> MeasureError | None:
    """What to tell of a sweep's jobs that ended, of ``num_asked``; None where all of them were finished."""
    failed = [job for job in ended if job.state != "finished"]
    if not failed:
        return None
    told = next((job for job in failed if job.refused), failed[0])
    untried = num_asked - len(ended)
    counts = f" {len(failed)} of {num_asked} points failed" + (f", {untried} were not tried" if untried else "")
    rest = f"{counts}; every finished one is in the store." if num_asked > 1 else ""
    return (Refused if told.refused else MeasureError)(told.message + rest)
