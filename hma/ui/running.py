"""The runs as they stand: state, progress, cancel and going on; of a fit, its objective and alphas step by step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

import streamlit as st

from hma import comparing, text
from hma.core.descent import Step
from hma.core.fit import Fit
from hma.core.study import Study
from hma.engine import Job
from hma.methods.fitting import steps_of
from hma.runs import AGAIN, Run
from hma.ui import access, plans, progress, sketch, state, stopping
from hma.ui.guard import shown

POLL = 0.5
"""Seconds between two looks at runs that go on."""

_SHOWN = 10
"""Runs that are listed."""

_PAUSING = " It pauses as soon as it has ended what it is at."

_BADGES = {
    "queued": ":gray-badge[queued]",
    "running": ":blue-badge[running]",
    "pausing": ":orange-badge[pausing]",
    "paused": ":orange-badge[paused]",
    "finished": ":green-badge[finished]",
    "cancelled": ":gray-badge[cancelled]",
    "failed": ":red-badge[failed]",
}


def show(study: Study) -> None:
    """Draw the runs, again every ``POLL`` seconds while any goes on."""
    st.markdown("**Runs**")
    active = _active(access.runs().all())
    st.fragment(_runs, run_every=POLL if active else None, key="runs")(active)


def _active(runs: Sequence[Run]) -> frozenset[int]:
    """The runs that are to be looked at again."""
    return frozenset(run.id for run in runs if run.is_busy)


def _runs(active: frozenset[int]) -> None:
    over = False
    with shown():
        runs = access.runs().all()
        if not runs:
            st.caption(
                "None yet. A run goes on when this tab is closed. Its points arrive on Explore, and what is asked for there "
                "goes ahead of it."
            )
        for run in _listed(runs):
            show_run(run)
        over = active != _active(runs)
    if over:
        st.rerun(scope="app")


def _listed(runs: Sequence[Run]) -> list[Run]:
    """What goes on first, then what waits in its turn, then what is over, the latest first; of what succeeded the latest few."""
    done = [run.id for run in runs if run.state == "finished"]
    return sorted((run for run in runs if run.id not in done[:-_SHOWN]), key=_place)


def _place(run: Run) -> tuple[int, int]:
    if run.is_over:
        return 3, -run.id
    return {"running": 0, "queued": 1, "paused": 2}[run.state], run.id


def show_run(run: Run, can_go_on: bool = True) -> None:
    """Draw a run as it stands; ``can_go_on`` gives one that ended early a button that starts it again."""
    with st.container(border=True, key=f"run_{run.id}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{plans.title(run.plan)}** · {plans.details(run.plan)}", width="stretch")
            by, badge = state.whose(run.askers), _BADGES["pausing" if _is_pausing(run) else run.state]
            st.markdown(f":gray-badge[{by}] {badge}" if by else badge, width="content")
            _buttons(run, can_go_on)
        _ask(run)
        st.caption(f"On the {text.plain(text.items(run.study))}. {_said(run)}")
        if run.state == "running":
            _progress(run)
        if run.state == "finished":
            st.page_link("pages/explore.py", label="Go to Explore", width="content")
        if run.plan.budget and run.replies:
            st.caption(text.advice(run.replies, run.plan.budget.partition.block_names()))
        if run.fits:
            _fits(run)


def _is_pausing(run: Run) -> bool:
    return run.state == "running" and access.runs().is_pausing(run.id)


def _buttons(run: Run, can_go_on: bool) -> None:
    """Pause, resume, cancel or go on, as it stands; none where nothing can be measured."""
    if access.is_read_only():
        return
    runs = access.runs()
    if not run.is_over:
        is_stopping = runs.is_stopping(run.id)
        if run.state == "paused" or runs.is_pausing(run.id):
            st.button("Resume", key=f"resume_{run.id}", on_click=_do, args=("resume", run), disabled=is_stopping, width="content")
        else:
            st.button(
                "Pause", key=f"pause_{run.id}", on_click=_do, args=("pause", run), disabled=is_stopping, width="content",
                help="What it is at now is ended, and nothing new begun.",
            )  # fmt: skip
        stopping.button(f"stop_{run.id}", partial(progress.run_askers, run.id), is_stopping, _do, "cancel", run)
    elif run.state != "finished" and can_go_on:
        st.button(
            "Go on", key=f"go_on_{run.id}", on_click=_do, args=("start", run), width="content",
            help="Start the same again: what is finished is not done again.",
            disabled=any((r.study, r.plan) == (run.study, run.plan) and not r.is_over for r in runs.all()),
        )  # fmt: skip


def _ask(run: Run) -> None:
    if not access.is_read_only() and not run.is_over and not access.runs().is_stopping(run.id):
        loss = "What it finished is kept, and what it has not begun is not measured."
        stopping.question(f"stop_{run.id}", partial(progress.run_askers, run.id), loss, _do, "cancel", run)


def _do(what: str, run: Run) -> None:
    """Pause, resume or cancel a run, or start its plan again."""
    with shown():
        runs = access.to_run()
        if what == "start":
            runs.start(run.study, run.plan, state.asker())
        else:
            {"pause": runs.pause, "resume": runs.resume, "cancel": runs.cancel}[what](run.id)


def _said(run: Run) -> str:
    """How far it came, and why it ended."""
    count = f"{run.done} of {run.plan.num_points} points"
    size = f", at the size {text.plain(run.study.size)}" if run.plan.method == AGAIN else ""
    kept = "What is finished is kept."
    return {
        "queued": "It waits for the run before it.",
        "running": f"{count} so far." + (_PAUSING if _is_pausing(run) else ""),
        "paused": f"{count} so far. Nothing is done until it is resumed.",
        "finished": f"{text.count(run.done, 'point')}; {'it stands' if run.done == 1 else 'they stand'} on Explore{size}.",
        "cancelled": f"{text.plain(run.message)} It had come through {count}. {kept}",
        "failed": f"It had come through {count}. {kept} {text.plain(run.message)}",
    }[run.state]


def _progress(run: Run) -> None:
    job = None if run.job is None else next((job for job in access.engine().jobs() if job.id == run.job), None)
    share = (run.done + _share(job)) / run.plan.num_points
    st.progress(min(1.0, share), _doing(job) or "Waiting")


def _share(job: Job | None) -> float:
    """How much of a point a job has done: fits and questions come before theirs."""
    return job.share if job and job.is_point and not job.is_over else 0.0


def _doing(job: Job | None) -> str:
    """What a run waits for, in words."""
    if job is None or job.is_over:
        return ""
    if job.is_cancelling:
        return "Cancelling"
    about = f": {progress.stage(job)}" if job.stage else ""
    if job.state == "queued":
        return "Waiting for what goes ahead of it"
    if job.fit is not None:
        return f"Fitting{about}"
    if job.survey is not None:
        return f"Surveying{about}"
    return f"{text.recipe_name(job.recipe)}{about}" if job.recipe else "Choosing the next point"


def _fits(run: Run) -> None:
    """The fits begun so far: the latest one's steps; of a run that is over, only once they are opened."""
    if run.is_over:
        opened = st.expander("Objective and alphas, step by step", key=f"fits_{run.id}", on_change="rerun")
        if not opened.open:
            return
    else:
        opened = st.container()
    kept = access.engine().store.kept(run.fits)
    with opened:
        if run.is_over and not kept:
            st.caption("No step was made.")
        budget = run.plan.budget
        fits = comparing.path_fits(run.plan.method, budget) if budget else run.plan.fits
        for key, fit in reversed(list(zip(run.fits, fits, strict=False))):
            steps = steps_of(fit, kept.get(key))
            if steps:
                _steps(fit, steps)
            if not run.is_over:
                return


def _steps(fit: Fit, steps: Sequence[Step]) -> None:
    """A fit's objective and alphas by step: a chart of each, and a table beside."""
    asked = f"balance {fit.balance:g}" if fit.is_two_sided else f"mean share {fit.mean:g}"
    ending = f", {steps[-1].ending}" if steps[-1].ending else ""
    st.caption(f"Fit at {asked}: {len(steps) - 1} steps{ending}. Objective in nats a token, less is better; alphas below it.")
    left, right = st.columns([1, 1], gap="medium")
    names, theme = fit.partition.block_names(), st.context.theme.type or "light"
    objectives = [step.objective for step in steps]
    with left:
        spread = (max(objectives) - min(objectives)) or 1.0
        span = min(objectives) - 0.1 * spread, max(objectives) + 0.1 * spread
        said = f"Objective by step, from {objectives[0]:.4f} to {objectives[-1]:.4f}."
        st.html(sketch.lines({"objective": objectives}, span, "step →", said, theme))
        shares = {name: [step.alphas[k] for step in steps] for k, name in enumerate(names)}
        said = f"Alphas by step; at the last {', '.join(f'{name} {values[-1]:.3f}' for name, values in shares.items())}."
        st.html(sketch.lines(shares, (0.0, 1.0), "step →", said, theme))
    with right, st.container(height=290, border=False):
        st.html(_table(names, steps))


def _table(names: Sequence[str], steps: Sequence[Step]) -> str:
    """The steps, latest first."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("step", "objective", *names))
    rows = "".join(
        f"<tr><th>{number}</th><td>{step.objective:.4f}</td>{''.join(f'<td>{alpha:.3f}</td>' for alpha in step.alphas)}</tr>"
        for number, step in reversed(list(enumerate(steps)))
    )
    return f'<div class="hma-scores"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
