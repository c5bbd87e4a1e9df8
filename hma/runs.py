"""Runs: ways of choosing alphas that go on by themselves, one after the other, whoever looks on.

A run submits one request at a time to the engine and waits for it, so that a person's own measurement goes ahead of what
is left of it. What it finds is in the store: starting the same again goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from hma import comparing, searching
from hma.comparing import Budget, Tools
from hma.core.descent import Step
from hma.core.fit import Fit
from hma.core.question import Reply
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import SWEEP, Engine, Job
from hma.errors import Cancelled, HmaError, MeasureError
from hma.jobs import failure_of, is_hopeless
from hma.methods.fitting import recipe_of
from hma.run import AGAIN, Plan, Run

__all__ = ["AGAIN", "Plan", "Run", "Runs"]

_log = logging.getLogger(__name__)

_LOOK = 0.2
"""Seconds between two looks at whether a run was cancelled."""

_KEPT = 50
"""Runs that are remembered after they are over."""


class _Paused(Exception):
    """A run was asked to pause, and has come to where it can."""


class Runs:
    """The runs of an engine, done one after the other in a thread. Threads may share it; it ends with the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._runs: dict[int, Run] = {}
        self._stopped: set[int] = set()
        self._pausing: set[int] = set()
        self._ids = itertools.count(1)
        self._queue: queue.Queue[int] = queue.Queue()
        self._thread: threading.Thread | None = None

    def start(self, study: Study, plan: Plan, asker: str = "") -> Run:
        """Have a plan carried out. One that waits or runs already is not begun twice; one that is over goes on as a new run.

        One that is paused is resumed. ``asker`` names who asks, where that is to be told later.
        """
        askers = frozenset([asker] if asker else [])
        with self._lock:
            for run in list(self._runs.values()):
                if (run.study, run.plan) == (study, plan) and not run.is_over and run.id not in self._stopped:
                    self._runs[run.id] = replace(run, askers=run.askers | askers)
                    self._resume(run.id)
                    return self._runs[run.id]
            over = [run for run in self._runs.values() if run.is_over]
            forgotten = [run.id for run in over if (run.study, run.plan) == (study, plan)] or [r.id for r in over[:-_KEPT]]
            for run_id in forgotten:
                del self._runs[run_id]
            run = Run(next(self._ids), study, plan, askers=askers)
            self._runs[run.id] = run
            self._queue.put(run.id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hma-runs", daemon=True)
                self._thread.start()
            return run

    def all(self) -> list[Run]:
        """The latest runs, oldest first."""
        with self._lock:
            return list(self._runs.values())

    @property
    def is_busy(self) -> bool:
        """Whether any run waits or goes on; one that is paused does neither."""
        return any(run.is_busy for run in self.all())

    def of(self, job_id: int) -> Run | None:
        """The run that waits for a job of the engine."""
        return next((run for run in self.all() if run.job == job_id), None)

    def is_stopping(self, run_id: int) -> bool:
        """Whether a run was asked to stop."""
        with self._lock:
            return run_id in self._stopped

    def cancel(self, run_id: int) -> None:
        """Stop a run, and the job that it waits for. Its finished points and steps stay; one that is over stays as it is."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or run.is_over:
                return
            self._stopped.add(run_id)
            if run.state in ("queued", "paused"):
                message = "Cancelled before it began." if run.started_at is None else "It was cancelled while it was paused."
                self._runs[run_id] = replace(run, state="cancelled", message=message, ended_at=time.time())
            job = next((job for job in self._engine.jobs() if job.id == run.job), None)
        if job is not None and not job.askers:  # Somebody may have asked for the same.
            self._engine.cancel(job.id)

    def is_pausing(self, run_id: int) -> bool:
        """Whether a run was asked to pause, and has not come to it yet."""
        with self._lock:
            return run_id in self._pausing

    def pause(self, run_id: int) -> None:
        """Let a run end the job that it has in hand and begin no other; the next run goes ahead. Resumed, it goes on there."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or not run.is_busy or run_id in self._stopped:
                return
            if run.state == "queued":
                self._runs[run_id] = replace(run, state="paused")
            else:
                self._pausing.add(run_id)

    def resume(self, run_id: int) -> None:
        """Have a paused run go on, after those that wait already. One that is not paused stays as it is."""
        with self._lock:
            self._resume(run_id)

    def _resume(self, run_id: int) -> None:
        run = self._runs.get(run_id)
        self._pausing.discard(run_id)
        if run is not None and run.state == "paused":
            self._runs[run_id] = replace(run, state="queued")
            self._queue.put(run_id)

    # The rest runs in the runs' own thread.

    def _work(self) -> None:
        while not self._engine.is_closed:
            with contextlib.suppress(queue.Empty):
                run_id = self._queue.get(timeout=1)
                if self._begin(run_id):
                    self._carry_out(run_id)

    def _run(self, run_id: int) -> Run:
        with self._lock:
            return self._runs[run_id]

    def _change(self, run_id: int, **changes: object) -> None:
        with self._lock:
            self._runs[run_id] = replace(self._runs[run_id], **changes)

    def _begin(self, run_id: int) -> bool:
        """Mark a run as going on; not one that was cancelled or paused meanwhile, or has come up twice."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or run.state != "queued":
                return False
            # What it had done before a pause is found in the store, and counted again.
            self._runs[run_id] = replace(run, state="running", started_at=time.time(), done=0, fits=(), replies=())
            return True

    def _carry_out(self, run_id: int) -> None:
        try:
            self._do(run_id)
            over = {"state": "finished", "message": ""}
        except _Paused:
            self._rest(run_id)
            return
        except Cancelled as error:
            over = {"state": "cancelled", "message": str(error)}
        except HmaError as error:
            over = {"state": "failed", "message": str(error)}
        except Exception as error:  # The thread outlives any run.
            _log.exception("unexpected")
            over = {"state": "failed", "message": f"An unexpected {type(error).__name__}: {error}. Start it again to go on."}
        with self._lock:
            self._pausing.discard(run_id)
            self._runs[run_id] = replace(self._runs[run_id], **over, job=None, ended_at=time.time())

    def _rest(self, run_id: int) -> None:
        """Have a run paused, unless it was cancelled or resumed at this very moment."""
        with self._lock:
            run = replace(self._runs[run_id], job=None)
            if run_id in self._stopped:
                run = replace(run, state="cancelled", message="It was cancelled.", ended_at=time.time())
            elif run_id in self._pausing:
                run = replace(run, state="paused")
            else:
                run = replace(run, state="queued")
                self._queue.put(run_id)
            self._pausing.discard(run_id)
            self._runs[run_id] = run

    def _do(self, run_id: int) -> None:
        run = self._run(run_id)
        if run.plan.budget is not None:
            for _ in comparing.spent(run.plan.method, run.study, self._engine.store, run.plan.budget, self._tools(run_id)):
                pass
        elif run.plan.fits:
            for fit in run.plan.fits:
                self._measure(run_id, [recipe_of(fit, self._fitted(run_id, fit))])
        else:
            self._measure(run_id, run.plan.recipes)

    def _tools(self, run_id: int) -> Tools:
        """What a method that spends a budget needs, for a run's own study; a search learns from all that is measured of it."""
        study = self._run(run_id).study

        def measure(_: Study, recipes: Sequence[Recipe], method: str) -> None:
            self._measure(run_id, recipes)

        def search(budget: Budget) -> list[Recipe]:
            return searching.run(
                self._engine,
                study,
                budget,
                lambda some: self._measure(run_id, some),
                lambda job: self._wait(run_id, job),
                learns=True,
                tell=lambda reply: self._told(run_id, reply),
            )

        return Tools(measure, lambda fit: [self._fitted(run_id, fit)], search)

    def _told(self, run_id: int, reply: Reply) -> None:
        self._change(run_id, replies=(*self._run(run_id).replies, replace(reply, predictor=None)))

    def _fitted(self, run_id: int, fit: Fit) -> Step:
        """A fit's last step. Raises Cancelled or MeasureError."""
        self._check(run_id)
        run = self._run(run_id)
        job = self._engine.fit(run.study, fit, SWEEP)
        self._change(run_id, fits=(*run.fits, job.key))
        job = self._wait(run_id, job)
        if job.state != "finished":
            raise MeasureError(job.message)
        assert isinstance(job.answer, Step)
        return job.answer

    def _measure(self, run_id: int, recipes: Sequence[Recipe]) -> None:
        """Have recipes measured, and count what is there. Raises Cancelled, or MeasureError after all the rest is measured."""
        ended: list[Job] = []
        run = self._run(run_id)
        for recipe in recipes:
            self._check(run_id)
            ended.append(self._wait(run_id, self._engine.submit(run.study, recipe, run.plan.method, SWEEP)))
            if ended[-1].state == "finished":
                self._change(run_id, done=self._run(run_id).done + 1)
            elif is_hopeless(ended):
                break
        if failure := failure_of(ended, len(recipes)):
            raise failure

    def _check(self, run_id: int) -> None:
        """Before anything new is begun: raise _Paused where the run was asked to pause."""
        if self.is_pausing(run_id):
            raise _Paused

    def _wait(self, run_id: int, job: Job) -> Job:
        """A job once it is over. Raises Cancelled where the run or the job was cancelled, _Paused where it need not be begun."""
        self._change(run_id, job=job.id)
        while not job.is_over:
            if self.is_pausing(run_id) and (job.state == "queued" or job.question is not None):
                if not job.askers:
                    self._engine.cancel(job.id)
                raise _Paused
            if self.is_stopping(run_id) and job.askers:
                break
            if self.is_stopping(run_id) and not job.is_cancelling:
                self._engine.cancel(job.id)
            job = self._engine.wait(job.id, timeout=_LOOK)
            if self._engine.is_closed and not job.is_over:
                raise Cancelled("The engine was closed.")
        if self.is_stopping(run_id) or job.state == "cancelled":
            raise Cancelled("It was cancelled.")
        return job
