"""Where the work runs and what is being measured now: worker, stage, share, time left, the queue, cancel; and how it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import streamlit as st

from hma.core.study import Study
from hma.engine import Job
from hma.runs import Run
from hma.text import items, plain, recipe_name, seconds
from hma.ui import access, plans, state, stopping
from hma.ui.guard import shown

POLL = 0.3
"""Seconds between two looks at the engine while it has work."""

_LOOK = 3.0
"""Seconds between two looks at a worker that is not ready; after the first, the chart is on screen."""

_SHOWN, _ALL = 3, 100
"""Waiting jobs that are listed by name, and where the whole queue is shown."""


def collect() -> None:
    """Select this person's latest point as soon as it is finished."""
    view = state.view()
    own = next((job for job in access.engine().jobs() if job.id == view.own), None)
    if own is not None and own.is_over:
        state.change(own=None)
        if own.state == "finished":
            state.select(own.key)


def show(study: Study, whole: bool = False) -> None:
    """Draw the worker and the jobs; while there are any, they are drawn again every ``POLL`` seconds.

    ``whole`` lists all that waits, and what ended for anybody, not for this person alone.
    """
    active = frozenset(job.id for job in access.engine().queue())
    busy = access.runs().is_busy
    worker = access.engine().worker()
    waiting = worker.status in ("none", "starting") and not (worker.status == "none" and access.is_warmed(study))
    every = POLL if active or busy else _LOOK if waiting else None
    st.fragment(_jobs, run_every=every, key="jobs")(study, active, busy, waiting, whole)


def _jobs(study: Study, active: frozenset[int], busy: bool, waiting: bool, whole: bool) -> None:
    over = False
    with shown():
        _await_end(active)
        over = _worker(study) and waiting
        jobs = access.engine().jobs()
        now = {job.id: job for job in jobs}
        over = over or any(job_id not in now or now[job_id].is_over for job_id in active)
        # Between two jobs of a run there may be none to wait for.
        over = over or (not active and (not all(job.is_over for job in jobs) or busy != access.runs().is_busy))
        if not over:
            # A prediction comes by itself, beside the rest, and is nobody's to wait for.
            queue = [job for job in access.engine().queue() if job.question is None or access.runs().of(job.id)]
            _draw_active(queue, _ALL if whole else _SHOWN)
            if whole and not queue:
                st.caption("Nothing is being measured, and nothing waits.")
            _draw_ended(jobs, whole)
    if over:
        st.rerun(scope="app")


def _worker(study: Study) -> bool:
    """Draw the device and the state of its worker, and have it started. Returns whether it has done with starting."""
    # The second time, the page is on screen: from now on a starting worker delays nothing.
    if st.session_state.get("worker_drawn"):
        access.warm(study)
    st.session_state["worker_drawn"] = True
    worker = access.engine().worker()
    device = plain(worker.device)
    words = {
        "none": ":gray-badge[worker: not started]",
        "starting": ":gray-badge[worker: starting]",
        "ready": f":gray-badge[{device or 'worker'}: ready]",
        "busy": f":blue-badge[{device or 'worker'}: {_work()}]",
        "died": ":orange-badge[worker ended]",
    }
    why = f"{plain(worker.message)} The next request starts a fresh worker." if worker.status == "died" else None
    st.markdown(words[worker.status], width="content", help=why)
    return worker.status in ("ready", "died")


def _work() -> str:
    """What the worker is at, in one word."""
    job = next((job for job in access.engine().jobs() if job.state == "running" and job.question is None), None)
    if job is not None and job.target:
        return "exporting"
    if job is not None and job.survey:
        return "surveying"
    return "fitting" if job is not None and job.fit else "measuring"


def _name(job: Job) -> str:
    """What a job is called, with the run that it is of, and who asked for it."""
    run = access.runs().of(job.id)
    kinds = {"fit": job.fit, "survey": job.survey, "prediction": job.question, "what RLHF changed": True}
    own = recipe_name(job.recipe) if job.recipe else next(kind for kind, is_it in kinds.items() if is_it)
    own = f"Export of {own}" if job.target else own
    name = f"{plans.title(run.plan)}, {run.done + 1} of {run.plan.num_points}: {own}" if run else own
    by = state.whose(_askers(job.id))
    return f"{name} ({by})" if by else name


def _askers(job_id: int) -> frozenset[str]:
    """Who asks for a job now, by itself or by the run that it is of."""
    run = access.runs().of(job_id)
    by_itself = next((job.askers for job in access.engine().jobs() if job.id == job_id), frozenset())
    return by_itself | run.askers if run else by_itself


def _await_end(active: frozenset[int]) -> None:
    """Wait for a job that is about to end, so that its point is not a poll late."""
    engine = access.engine()
    for job in engine.jobs():
        left = job.seconds_left(time.time()) if job.id in active else None
        if left is not None and left < 2 * POLL:
            engine.wait(job.id, timeout=2 * POLL)


def _draw_active(active: Sequence[Job], most: int) -> None:
    waiting = [job for job in active if job.state == "queued"]
    for job in active:
        if job.state == "running":
            _draw_running(job)
    for place, job in enumerate(waiting[:most], start=1):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"{'Next' if place == 1 else f'Queued, place {place}'}: {_name(job)}", width="stretch")
            _cancel_button(job)
        _ask(job)
    if len(waiting) > most:
        st.caption(f"and {len(waiting) - most} more in the queue")


def _draw_running(job: Job) -> None:
    """A running job's bar with what it is at, its share and the time left, and its cancel button."""
    left = job.seconds_left(time.time())
    at, about = stage(job) or "waiting", "" if left is None or job.is_cancelling else f", {seconds(left)} left"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.progress(min(1.0, max(0.0, job.share)), f"{_name(job)}: {at}, {job.share:.0%}{about}", width="stretch")
        _cancel_button(job)
    _ask(job)


def stage(job: Job) -> str:
    """What a running job is at, by the title of the task where it is one; empty where it does not say."""
    titles = {axis.name: axis.title for axis in job.study.abilities}
    name, bracket, note = job.stage.partition(" (")
    return plain(titles.get(name, name) + bracket + note)


def _cancel_button(job: Job) -> None:
    """Cancels the job; of a run's, all of the run: its question then outlives the point that it is at."""
    if access.is_read_only():
        return
    run = access.runs().of(job.id)
    if run is not None:
        is_stopping = access.runs().is_stopping(run.id)
        stopping.button(_key(run), partial(run_askers, run.id), is_stopping, _cancel_run, run.id, label="Cancel the run")
    else:
        stopping.button(f"cancel_{job.id}", partial(_askers, job.id), job.is_cancelling, cancel, job.id)


def _key(run: Run) -> str:
    return f"cancel_run_{run.id}"


def run_askers(run_id: int) -> frozenset[str]:
    """Who asks for a run now."""
    return next((run.askers for run in access.runs().all() if run.id == run_id), frozenset())


def _cancel_run(run_id: int) -> None:
    with shown():
        access.to_run().cancel(run_id)


def _ask(job: Job) -> None:
    run = access.runs().of(job.id)
    if run is not None and not access.is_read_only():
        loss = "What the run finished is kept, and what it has not begun is not measured."
        stopping.question(_key(run), partial(run_askers, run.id), loss, _cancel_run, run.id)
    elif not access.is_read_only() and not job.is_cancelling:
        loss = "Nothing is written of an export that is cancelled." if job.target else "Nothing is stored of what is cancelled."
        stopping.question(f"cancel_{job.id}", partial(_askers, job.id), loss, cancel, job.id)


def cancel(job_id: int) -> None:
    """Stop a job, whoever asked for it."""
    with shown():
        access.to_work().cancel(job_id)


def _draw_ended(jobs: Sequence[Job], whole: bool) -> None:
    """What failed, was cancelled or left a note, latest first, until each is dismissed.

    What becomes of a run is told beside it, and a prediction that fails is just not there: nobody asked for their jobs.
    """
    view = state.view()
    for job in reversed(jobs):
        noted = job.state == "finished" and job.message and not job.target
        told = job.askers and (whole or state.asker() in job.askers)
        if not told or job.id in view.dismissed or not (noted or job.state in ("failed", "cancelled")):
            continue
        name, on = _name(job), "" if job.target else f" on {plain(items(job.study))}"
        if job.state == "failed":
            st.error(f"**{name} was not {'exported' if job.target else 'measured'}{on}.** {plain(job.message)}")
        elif noted:
            st.info(f"{name}{on}: {plain(job.message)}")
        else:
            st.info(f"{name}{on}: {plain(job.message)} Nothing was {'written' if job.target else 'stored'} for it.")
        st.button("Dismiss", key=f"dismiss_{job.id}", on_click=_dismiss, args=(job.id,), width="content")


def _dismiss(job_id: int) -> None:
    state.change(dismissed=state.view().dismissed | {job_id})
