"""The engine: what pages and the command line submit to. Only it knows where work runs.

A queue in front of one worker process, interactive requests ahead of sweeps; progress, cancel, and the
one place that writes finished points to the store. It imports no torch.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import Cancelled, HmaError, Refused, WorkerDied
from hma.process import COMMAND, WorkerProcess, failure
from hma.store import Measurement, Store

INTERACTIVE, SWEEP = 0, 1
"""Priorities: a person waiting goes first."""

_KEPT_JOBS = 500
_GRACE = 5.0
"""Seconds that a cancelled measurement may take to stop by itself before its worker is ended."""

_STARTING, _CANCELLING = "starting the worker", "cancelling"


@dataclass(frozen=True)
class Job:
    """One request as it stands. ``state``: queued, running, finished, failed or cancelled.

    ``refused`` tells a failure that lies in what was asked. ``expected_seconds`` is what the study's last point took.
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

    @property
    def is_over(self) -> bool:
        return self.state in ("finished", "failed", "cancelled")

    @property
    def is_cancelling(self) -> bool:
        """Whether it was asked to stop, and has not stopped yet."""
        return self.stage == _CANCELLING and not self.is_over

    def seconds_left(self, now: float) -> float | None:
        """An estimate from the study's last point, else from the share done; None while there is nothing to go by."""
        if self.state != "running" or self.started_at is None:
            return None
        spent = now - self.started_at
        if self.expected_seconds is not None and spent < self.expected_seconds:
            return self.expected_seconds - spent
        # Stages run side by side and the share moves in jumps: early on it says nothing.
        return spent / self.share * (1 - self.share) if self.share >= 0.3 else None


@dataclass(frozen=True)
class WorkerState:
    """The worker as a screen shows it. ``status``: none, starting, ready, busy or died."""

    status: str = "none"
    device: str = ""
    message: str = ""


class Engine:
    """Measures recipes in a worker process and stores the points. Threads may share it; close it when done."""

    def __init__(self, store: Store, command: Sequence[str] = COMMAND) -> None:
        self.store = store
        self._command = tuple(command)
        self._changed = threading.Condition()
        self._jobs: dict[int, Job] = {}
        self._queue: list[tuple[int, int]] = []
        self._ids = itertools.count(1)
        self._worker: WorkerProcess | None = None
        self._state = WorkerState()
        self._warm: Study | None = None
        self._took: dict[str, float] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hma-engine", daemon=True)
        self._thread.start()

    def submit(self, study: Study, recipe: Recipe, method: str = "single", priority: int = INTERACTIVE) -> Job:
        """Ask for a point. One that the store has is finished at once; one already asked for is not asked twice."""
        key = study.point_key(recipe)
        with self._changed:
            for job in self._jobs.values():
                if job.key == key and not job.is_over and not job.is_cancelling:
                    if priority == INTERACTIVE and job.state == "queued":
                        self._push(INTERACTIVE, job.id)
                    return job
            done = self.store.point(key) is not None
            now = time.time()
            job = Job(next(self._ids), study, recipe, key, method, submitted_at=now)
            if done:
                job = replace(job, state="finished", share=1.0, ended_at=now)
            self._jobs[job.id] = job
            self._forget_old()
            if not done:
                self._push(priority, job.id)
            return job

    def job(self, job_id: int) -> Job:
        """A job as it stands now."""
        with self._changed:
            return self._jobs[job_id]

    def jobs(self) -> list[Job]:
        """The latest jobs, oldest first."""
        with self._changed:
            return list(self._jobs.values())

    def worker(self) -> WorkerState:
        """The worker as it stands now; one that died while it was idle is found out here."""
        with self._changed:
            if self._state.status == "ready" and self._worker is not None and not self._worker.is_alive:
                self._state = WorkerState("died", message=self._worker.obituary())
                self._worker = None
            return self._state

    def wait(self, job_id: int, timeout: float | None = None) -> Job:
        """The job once it is over, or as it stands after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs[job_id].is_over, timeout)
            return self._jobs[job_id]

    def cancel(self, job_id: int) -> None:
        """Take a job out of the queue, or stop it if it runs. A job that is over stays as it is."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None or job.is_over:
                return
            if job.state == "queued" or job.stage == _STARTING:
                # A worker that is loading goes on doing so: the next request will want it.
                self._update(job_id, state="cancelled", message="Cancelled before it began.", ended_at=time.time())
                return
            self._update(job_id, stage=_CANCELLING)
            worker = self._worker
        if worker is not None:
            worker.send("cancel", job_id)
            timer = threading.Timer(_GRACE, self._end_cancelled, (worker, job_id))
            timer.daemon = True
            timer.start()

    def warm(self, study: Study) -> None:
        """Start the worker for a study in the background, so that its first point is as quick as the rest."""
        with self._changed:
            self._warm = study
            self._changed.notify_all()

    def close(self) -> None:
        """End the worker. Queued jobs are cancelled; finished points are in the store."""
        with self._changed:
            self._closed = True
            for job in list(self._jobs.values()):
                if not job.is_over:
                    self._update(job.id, state="cancelled", message="The engine was closed.", ended_at=time.time())
            worker = self._worker
            self._changed.notify_all()
        if worker is not None:
            worker.end()
        self._thread.join(timeout=10)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # The rest runs in the engine's own thread, or is called with the condition held.

    def _push(self, priority: int, job_id: int) -> None:
        heapq.heappush(self._queue, (priority, job_id))
        self._changed.notify_all()

    def _forget_old(self) -> None:
        over = [job.id for job in self._jobs.values() if job.is_over]
        for job_id in over[: max(0, len(over) - _KEPT_JOBS)]:
            del self._jobs[job_id]

    def _update(self, job_id: int, **changes: object) -> None:
        with self._changed:
            if job_id in self._jobs and not self._jobs[job_id].is_over:
                self._jobs[job_id] = replace(self._jobs[job_id], **changes)
            self._changed.notify_all()

    def _set_worker(self, **changes: object) -> None:
        with self._changed:
            self._state = replace(self._state, **changes)
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._queue or self._warm)
                if self._closed:
                    return
                warm, self._warm = self._warm, None
                job = self._next_job() if self._queue else None
            if job is not None:
                self._do(job)
            elif warm is not None:
                self._prepare(warm)

    def _next_job(self) -> Job | None:
        _, job_id = heapq.heappop(self._queue)
        job = self._jobs.get(job_id)
        if job is None or job.state != "queued":
            return None
        self._update(job_id, state="running", stage=_STARTING, started_at=time.time())
        return self._jobs[job_id]

    def _prepare(self, study: Study) -> None:
        """Have the worker build the study's evaluator before anybody waits for it."""
        try:
            worker = self._worker_for(study)
            self._set_worker(status="starting")
            worker.send("prepare", study)
            while worker.receive()[0] != "prepared":
                pass
            self._set_worker(status="ready")
        except Exception as error:  # The engine's thread outlives any worker.
            self._lose_worker("died", str(error))

    def _do(self, job: Job) -> None:
        try:
            worker = self._worker_for(job.study)
            if not self._begin(job.id):
                return
            measurement = self._measured(worker, job)
            self.store.add(job.study, replace(measurement, method=job.method))
            over = {"state": "finished", "share": 1.0}
        except Cancelled as error:
            over = {"state": "cancelled", "message": str(error)}
        except HmaError as error:
            over = {"state": "failed", "message": str(error), "refused": isinstance(error, Refused)}
        except Exception as error:  # The engine's thread outlives any job.
            message = f"An unexpected {type(error).__name__}: {error}. Nothing was stored."
            over = {"state": "failed", "message": message}
        with self._changed:
            if self._worker is not None:
                self._set_worker(status="ready")
            self._update(job.id, **over, ended_at=time.time())
            ended = self._jobs[job.id]
            if ended.state == "finished" and ended.started_at and ended.ended_at:
                self._took[job.study.key] = ended.ended_at - ended.started_at

    def _begin(self, job_id: int) -> bool:
        """Mark a job as being measured, unless it was cancelled while its worker started."""
        with self._changed:
            if self._jobs[job_id].is_over:
                return False
            job = self._jobs[job_id]
            self._update(job_id, stage="merging", started_at=time.time(), expected_seconds=self._took.get(job.study.key))
            self._set_worker(status="busy")
            return True

    def _measured(self, worker: WorkerProcess, job: Job) -> Measurement:
        """The worker's answer to one request. Raises Cancelled, MeasureError, or WorkerDied."""
        try:
            worker.send("measure", job.id, job.study, job.recipe)
            while True:
                kind, job_id, *rest = worker.receive()
                if job_id != job.id:
                    continue
                if kind == "progress":
                    if not self.job(job.id).is_cancelling:
                        self._update(job.id, stage=rest[0], share=rest[1])
                elif kind == "measured":
                    return rest[0]
                elif kind == "failed":
                    how, message = rest
                    if how == "fatal":
                        self._lose_worker("died", message)
                    raise failure(how, message)
        except WorkerDied as error:
            if self.job(job.id).is_cancelling:
                self._lose_worker("none")
                raise Cancelled("The measurement was cancelled; its worker was ended.") from None
            self._lose_worker("died", str(error))
            raise

    def _worker_for(self, study: Study) -> WorkerProcess:
        """The warm worker if it holds the study's pair, else a fresh one in its place."""
        worker, holds = self._worker, (study.pair, study.suite_path)
        if worker is not None and worker.holds == holds and worker.is_alive:
            return worker
        self._lose_worker("starting")
        try:
            worker = WorkerProcess(self._command, holds)
            with self._changed:
                self._worker = worker
                closed = self._closed
            if closed:
                worker.end()
            self._set_worker(status="ready", device=worker.open(study))
            return worker
        except HmaError as error:
            self._lose_worker("died", str(error))
            raise

    def _lose_worker(self, status: str, message: str = "") -> None:
        """End the worker, if there is one, and say how it stands from now on."""
        with self._changed:
            worker, self._worker = self._worker, None
            self._set_worker(status=status, device="", message=message)
        if worker is not None:
            worker.end()

    def _end_cancelled(self, worker: WorkerProcess, job_id: int) -> None:
        with self._changed:
            job = self._jobs.get(job_id)
            stuck = job is not None and not job.is_over
        if stuck:
            worker.end()
