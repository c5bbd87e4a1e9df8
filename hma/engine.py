"""The engine: what pages and the command line submit to. Only it knows where work runs.

A queue in front of one worker process, interactive requests ahead of sweeps; progress, cancel, and the
one place that writes finished points to the store. Questions go to an adviser beside it. It imports no torch.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hma import asking
from hma.board import Board
from hma.checkpoints import place
from hma.core.descent import Step
from hma.core.fit import Fit
from hma.core.question import Question
from hma.core.recipe import Recipe
from hma.core.study import DELTA, Study, changes_key
from hma.core.survey import SURVEY, Survey, Surveyed
from hma.errors import Cancelled, HmaError, Refused
from hma.jobs import CANCELLING, INTERACTIVE, STARTING, SWEEP, Job, Jobs, Target
from hma.methods.fitting import fit_key, kept_keys, kept_of_survey, steps_of, survey_key
from hma.process import COMMAND
from hma.store import Store
from hma.working import WorkerState, Working

__all__ = ["INTERACTIVE", "SWEEP", "Engine", "Job", "Target", "WorkerState"]


def _named(asker: str) -> frozenset[str]:
    return frozenset([asker] if asker else [])


class Engine:
    """Measures and exports recipes in a worker process, and stores the points. Threads may share it; close it when done."""

    def __init__(self, store: Store, command: Sequence[str] = COMMAND, adviser: Sequence[str] = asking.COMMAND) -> None:
        self.store = store
        self._jobs = Jobs()
        self._changed = self._jobs.changed
        self._asking = asking.Asking(store, self._jobs, adviser)
        self._working = Working(store, self._jobs, command)
        self._warm: Study | None = None
        self._took: dict[str, float] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hma-engine", daemon=True)
        self._thread.start()

    def submit(self, study: Study, recipe: Recipe, method: str = "single", priority: int = INTERACTIVE, asker: str = "") -> Job:
        """Ask for a point. One that the store has is finished at once; one already asked for is not asked twice.

        One that the store has with fewer items is extended. ``asker`` names who asks, where that is to be told later.
        """
        wanted = Job(0, study, recipe, study.point_key(recipe), method, askers=_named(asker))
        return self._jobs.ask(wanted, priority, lambda: self.store.point(wanted.key, study.num_items) is not None)

    def export(
        self,
        study: Study,
        recipe: Recipe,
        folder: str | Path,
        boards: Sequence[Board] = (),
        tokenizer: str = "policy",
        replace: bool = False,
        asker: str = "",
    ) -> Job:
        """Ask for a merge of the study's pair to be written as a model folder, from the worker's live model.

        ``boards`` are what the model card shows. Once the job is finished, its message says what was written; the
        folder is there whole or not at all.
        """
        whole = str(Path(folder).expanduser().resolve())
        target = Target(whole, tuple(boards), tokenizer, replace)
        wanted = Job(0, study, recipe, study.point_key(recipe), "export", target=target, askers=_named(asker))
        return self._jobs.ask(wanted, INTERACTIVE)

    def fit(self, study: Study, fit: Fit, priority: int = INTERACTIVE) -> Job:
        """Ask for alphas by a fit; its texts and steps are kept in the store, so that it goes on from where it was.

        Once the job is finished its ``answer`` is the last step, with the alphas. Raises SuiteError for a suite that cannot
        be opened.
        """
        return self._jobs.ask(Job(0, study, None, fit_key(study, fit), fit.objective, fit=fit), priority)

    def survey(self, study: Study, survey: Survey, priority: int = INTERACTIVE) -> Job:
        """Ask how unlikely merges find both sides' own answers; once the job is finished, ``surveyed`` finds it in the store.

        Raises SuiteError for a suite that cannot be opened.
        """
        wanted = Job(0, study, None, survey_key(study, survey), SURVEY, survey=survey)
        return self._jobs.ask(wanted, priority, lambda: self._surveyed(wanted.key, survey) is not None)

    def surveyed(self, study: Study, survey: Survey) -> Surveyed | None:
        """A survey that the store has whole."""
        return self._surveyed(survey_key(study, survey), survey)

    def _surveyed(self, key: str, survey: Survey) -> Surveyed | None:
        kept = self.store.kept([key])
        found = Surveyed.from_dict(kept[key]) if key in kept else None
        return found if found and len(found.values) == survey.num_merges else None

    def delta(self, study: Study, priority: int = INTERACTIVE) -> Job:
        """Ask what RLHF changed in each layer; once the job is finished, ``kept_changes`` finds it in the store."""
        return self._jobs.ask(Job(0, study, None, changes_key(study), DELTA), priority)

    def ask(self, study: Study, question: Question, priority: int = INTERACTIVE) -> Job:
        """Ask a surrogate of the study's points; once the job is finished its ``answer`` is the reply."""
        return self._jobs.ask(Job(0, study, None, question.key, "question", question=question), priority)

    def job(self, job_id: int) -> Job:
        """A job as it stands now."""
        job = self._jobs.get(job_id)
        if job is None:
            raise KeyError(job_id)
        return job

    def jobs(self) -> list[Job]:
        """The latest jobs, oldest first."""
        return self._jobs.all()

    def queue(self) -> list[Job]:
        """The jobs that are not over: what runs first, then what waits, in the order in which it will be done."""
        return self._jobs.queue()

    def worker(self) -> WorkerState:
        """The worker as it stands now; one that died while it was idle is found out here."""
        return self._working.state()

    def wait(self, job_id: int, timeout: float | None = None) -> Job:
        """The job once it is over, or as it stands after ``timeout`` seconds."""
        return self._jobs.wait(job_id, timeout)

    def cancel(self, job_id: int) -> None:
        """Take a job out of the queue, or stop it if it runs. A job that is over stays as it is."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None or job.is_over:
                return
            if job.state == "queued" or job.stage == STARTING:
                # A worker that is loading goes on doing so: the next request will want it.
                self._jobs.update(job_id, state="cancelled", message="Cancelled before it began.", ended_at=time.time())
                return
            self._jobs.update(job_id, stage=CANCELLING)
        (self._asking if job.question is not None else self._working).cancel(job_id)

    def warm(self, study: Study) -> None:
        """Start the worker for a study in the background, so that its first point is as quick as the rest."""
        with self._changed:
            self._warm = study
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed: nothing that is asked of it now is done."""
        return self._closed

    def close(self) -> None:
        """End the worker. Queued jobs are cancelled; finished points are in the store."""
        with self._changed:
            self._closed = True
            for job in self._jobs.all():
                self._jobs.update(job.id, state="cancelled", message="The engine was closed.", ended_at=time.time())
            self._changed.notify_all()
        self._working.close()
        self._asking.close()
        self._thread.join(timeout=10)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # The rest runs in the engine's own thread, or is called with the condition held.

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._jobs.is_waiting() or self._warm)
                if self._closed:
                    return
                warm, self._warm = self._warm, None
                job = self._jobs.next() if self._jobs.is_waiting() else None
            if job is not None:
                self._do(job)
            elif warm is not None:
                self._working.prepare(warm)

    def _do(self, job: Job) -> None:
        try:
            self._working.open(job.study)
            if not self._begin(job.id):
                return
            over = {"state": "finished", "share": 1.0, **self._done(job)}
        except Cancelled as error:
            over = {"state": "cancelled", "message": str(error)}
        except HmaError as error:
            over = {"state": "failed", "message": str(error), "refused": isinstance(error, Refused)}
        except Exception as error:  # The engine's thread outlives any job.
            message = f"An unexpected {type(error).__name__}: {error}. Nothing was kept of it."
            over = {"state": "failed", "message": message}
        with self._changed:
            self._working.end()
            self._jobs.update(job.id, **over, ended_at=time.time())
            ended = self.job(job.id)
            if ended.state == "finished" and job.is_point and ended.started_at and ended.ended_at:
                self._took[job.study.view] = ended.ended_at - ended.started_at

    def _begin(self, job_id: int) -> bool:
        """Mark a job as being done, unless it was cancelled while its worker started."""
        with self._changed:
            job = self.job(job_id)
            if job.is_over:
                return False
            expected = self._took.get(job.study.view) if job.is_point else None
            self._jobs.update(job_id, stage="merging", started_at=time.time(), expected_seconds=expected)
            self._working.begin()
            return True

    def _done(self, job: Job) -> dict[str, Any]:
        """Have a job done, and return what it comes to. Raises Cancelled, MeasureError, or WorkerDied."""
        if job.fit is not None:
            return {"answer": self._fitted(job, job.fit)}
        if job.survey is not None:
            kept = self.store.kept(kept_of_survey(job.study, job.survey))
            self._working.answer(job, "survey", job.study, job.survey, kept)
            return {}
        if job.method == DELTA:
            self.store.keep(DELTA, job.key, self._working.answer(job, DELTA))
            return {}
        assert job.recipe is not None
        if job.target is None:
            begun = self.store.begun(job.key)
            if begun and min(count for count, _ in begun.values()) >= job.study.num_items:
                return {}  # Another process has measured it meanwhile.
            measurement = self._working.answer(job, "measure", job.study, job.recipe, begun)
            self.store.add(job.study, replace(measurement, method=job.method))
            return {"message": measurement.note}
        try:
            return {"message": self._working.answer(job, "export", job.study, job.recipe, job.target)}
        except HmaError:
            # A worker that was ended could not clear away what it had begun.
            with contextlib.suppress(OSError):
                place.clean(Path(job.target.folder))
            raise

    def _fitted(self, job: Job, fit: Fit) -> Step:
        """The last step of a fit that is asked for; what is there already is not done again."""
        kept = self.store.kept(kept_keys(job.study, fit))
        steps = steps_of(fit, kept.get(job.key))
        if steps and (steps[-1].is_last or len(steps) > fit.max_steps):
            return steps[-1]
        return self._working.answer(job, "fit", job.study, fit, kept)
