"""Having points measured that a comparison lacks: why, the button with its cost, and the run as it goes on."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.runs import Plan, Run
from hma.ui import access, methods, plans, running, state
from hma.ui.guard import shown


def offer(board: Board, recipes: Sequence[Recipe], why: str, label: str, like: Board | None = None) -> None:
    """Why recipes are wanted on a board's items, the button that has them measured, its cost, and the latest run of any of them.

    ``like`` is a board whose points say what one takes where this one has none.
    """
    plan, split = Plan(plans.COMPARE, tuple(recipes)), board.study.split
    run = latest(board.study, recipes)
    going = run is not None and not run.is_over
    with st.container(border=True, key=f"offer_{split}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            with st.container(width="stretch", gap="xsmall"):
                st.markdown(why)
                st.caption("They are being measured." if going else _cost(board, like, len(recipes)))
            start = {"on_click": _start, "args": (board.study, plan), "disabled": going or access.is_read_only()}
            st.button(label, type="primary", key=f"measure_{split}", width="content", **start)
        if run is not None:
            st.fragment(_follow, run_every=running.POLL if going else None, key=f"follow_{split}")(run.id, going)


def latest(study: Study, recipes: Sequence[Recipe]) -> Run | None:
    """The latest run of a comparison that measures, or was to measure, any of these recipes."""
    wanted = set(recipes)
    of = [run for run in access.runs().all() if run.study == study and run.plan.method == plans.COMPARE]
    return next((run for run in reversed(of) if wanted & set(run.plan.recipes)), None)


def _start(study: Study, plan: Plan) -> None:
    with shown():
        access.to_run().start(study, plan, state.asker())


def _cost(board: Board, like: Board | None, count: int) -> str:
    # The less of both: points that were measured with more items took longer.
    seconds = min(filter(None, (methods.seconds_a_point(one) for one in (board, like) if one)), default=None)
    if not seconds:
        return "No point has been timed yet. It goes on when this tab is closed."
    return f"{text.seconds(count * seconds).capitalize()}, at {seconds:.1f} s a point. It goes on when this tab is closed."


def _follow(run_id: int, going: bool) -> None:
    """Draw the run, and the whole page again once it is over."""
    over = False
    with shown():
        run = next((run for run in access.runs().all() if run.id == run_id), None)
        if run is not None:
            running.show_run(run, can_go_on=False)
        over = going and (run is None or run.is_over)
    if over:
        st.rerun(scope="app")
