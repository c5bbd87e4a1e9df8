"""The page Find alphas: a method, its settings, what it will cost, and the runs."""

from __future__ import annotations

from statistics import median

import streamlit as st

from hma import text
from hma.board import Board
from hma.comparing import BALANCES
from hma.core.study import Study
from hma.core.survey import Survey
from hma.errors import HmaError
from hma.runs import Plan
from hma.ui import access, plans, running, state, sure
from hma.ui.guard import shown

_LATEST = 20
"""Points by whose seconds the next ones are reckoned."""


def show(study: Study) -> None:
    """The whole page for one study."""
    board = access.board(study)
    left, right = st.columns([1, 1], gap="large")
    with left, shown():
        method = st.radio(
            "Method", list(plans.METHODS), format_func=lambda name: plans.METHODS[name].title,
            captions=[method.what for method in plans.METHODS.values()], key="plan_method", persist_state="session",
        )  # fmt: skip
    with right, shown(), st.container(key="plan", gap="small"):
        _settings(board, method)
    with shown():
        running.show(study)


def _settings(board: Board, name: str) -> None:
    """The chosen method's settings, its cost, and the button."""
    method = plans.METHODS[name]
    st.markdown(f"**{method.title}**")
    if method.caution:
        st.caption(method.caution)
    try:
        plan = method.form(board.study)
    except HmaError as error:
        st.error(text.plain(str(error)))
        if not access.is_read_only():
            st.button("Start", type="primary", key="start", disabled=True)
        return
    _say_items(board.study, plan)
    missing = _missing(board, plan)
    same = [run for run in access.runs().all() if (run.study, run.plan) == (board.study, plan)]
    going, ended_early = any(not run.is_over for run in same), any(run.state in ("cancelled", "failed") for run in same)
    if not access.is_read_only():
        st.button(
            "Start", type="primary", key="start", disabled=going or missing == 0, on_click=_start, args=(board.study, plan),
        )  # fmt: skip
    again = " The same was begun before: Start does what Go on does below." if ended_early and missing != 0 else ""
    st.caption("It is among the runs below." if going else _cost(board, plan, missing) + again)
    sure.show_power(board)


def _start(study: Study, plan: Plan) -> None:
    with shown():
        access.to_run().start(study, plan, state.asker())


def _say_items(study: Study, plan: Plan) -> None:
    """What to know of the items that its points are measured on, where these are for reporting."""
    if study.split != "test":
        return
    if plan.fits or (plan.budget and not plan.is_search):
        st.caption("Fits never see test items, whichever items are chosen above; their points are measured on them.")
    else:
        st.warning("These are test items, which are for reporting. Alphas that are chosen on them look better than they are.")


def _missing(board: Board, plan: Plan) -> int | None:
    """How many points a plan has yet to measure; None where nobody knows before its alphas are found."""
    if not plan.recipes:
        return None
    return sum(board.point(board.study.point_key(recipe)) is None for recipe in plan.recipes)


def _cost(board: Board, plan: Plan, missing: int | None) -> str:
    """What a plan costs before it starts."""
    if missing == 0:
        return f"All {plan.num_points} points are measured already, on these {board.study.num_items} {board.study.split} items."
    count = plan.num_points if missing is None else missing
    points = f"{count} {'point' if count == 1 else 'points'} to measure"
    if missing is not None and missing < plan.num_points:
        points += f" ({plan.num_points - missing} of {plan.num_points} are measured already)"
    seconds = seconds_a_point(board)
    known = f": {text.seconds(count * seconds)}, at {seconds:.1f} s a point" if seconds else "; no point has been timed yet"
    rest = ""
    if plan.fits:
        steps = plan.fits[0].max_steps
        rest = f" Before each comes a fit of at most {steps} steps, whose time is not known beforehand."
    elif plan.budget and not plan.is_search:
        rest = f" Before them come {len(BALANCES)} fits that lay the path, whose time is not known beforehand."
    elif plan.budget:
        rest = " What the same search has measured before is not measured again. Choosing each one takes a little besides."
        if plan.budget.survey:
            merges = Survey(plan.budget.partition).num_merges
            rest += (
                f" Before them {merges} merges read both models' own answers, which are written first. That uses task "
                "prompts, which the paper's HMA does not; no labels."
            )
    return f"{points}{known}.{rest}"


def seconds_a_point(board: Board) -> float | None:
    """What the latest points of this study took here, else when they were measured; None before there is one."""
    done = (job for job in access.engine().jobs() if job.is_point and job.state == "finished")
    jobs = [job for job in done if job.study.view == board.study.view]
    took = [job.ended_at - job.started_at for job in jobs if job.started_at and job.ended_at]
    took = took or [point.elapsed_seconds for point in board.points if point.elapsed_seconds]
    return median(took[-_LATEST:]) if took else None
