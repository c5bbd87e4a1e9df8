"""The form that makes a suite from another: sizes, scores that stay, tasks of lm-eval, a reward model."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from hma import text
from hma.errors import SuiteError
from hma.evaluate import compose
from hma.evaluate.compose import Change
from hma.ui import access
from hma.ui.guard import shown

METRICS = ("acc", "acc_norm", "exact_match", "f1", "bleu")
"""Metrics of lm-eval that are offered; another may be written."""

_TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

_FORMATS = ("chat template", "hh-rlhf")


def show() -> None:
    """Draw the form; the suite is written beside others that were made here."""
    base = access.sources().suite
    abilities, rewards = compose.names(base)
    st.caption(
        f"Begins with {text.plain(base)}. A suite never runs code that comes from a page: tasks are those of the installed "
        "lm-eval, by their names, and judges are models."
    )
    left, right = st.columns(2, gap="large")
    with left:
        name = st.text_input("Name", "own suite", key="suite_name")
        sizes = [
            int(st.number_input("Quick: items of each score", 1, 10**6, 100, key="suite_quick")),
            int(st.number_input("Full: items of each score", 1, 10**6, 300, key="suite_full")),
        ]
        kept = st.multiselect(
            "Abilities that stay", list(abilities), list(abilities), format_func=abilities.get, key="suite_kept"
        )
        judged = st.multiselect("Rewards that stay", list(rewards), list(rewards), format_func=rewards.get, key="suite_rewards")
    with right:
        tasks = _tasks()
        judges, first = _judge()
    change = Change(name.strip(), kept, judged, {"quick": min(sizes), "full": max(sizes)}, tasks, judges, first)
    if access.is_read_only():
        st.caption(f"{access.READ_ONLY}.")
        return
    st.button("Make this suite", key="suite_make", on_click=_make, args=(base, change, name.strip()))
    if made := st.session_state.get("suite_made"):
        st.success(f"Made: {text.plain(made)}. Choose it in the list above.")


def _stay(label: str, titles: dict[str, str], key: str) -> list[str]:
    return st.multiselect(label, list(titles), list(titles), format_func=titles.get, key=f"{key}_{access.sources().suite}")


def _tasks() -> list[dict[str, Any]]:
    """A further ability, if its task is named."""
    task = st.text_input("A task of lm-eval to add", key="suite_task", placeholder="arc_easy").strip()
    if not task:
        return []
    if not _TASK.fullmatch(task):
        raise SuiteError(f"'{task[:80]}' is no name of a task. Files of tasks are named in suites on the command line.")
    metric = st.selectbox("Its metric", METRICS, accept_new_options=True, key="suite_metric") or METRICS[0]
    group = st.text_input("Counts in the ability group", key="suite_group", help="Empty: a group of its own.").strip()
    out_of = st.selectbox(
        "Its best value", (1, 100), key="suite_out_of", help="1 for shares, 100 for what is in per cent already."
    )
    name = re.sub(r"[^a-z0-9_]+", "_", task.lower()).strip("_") or "task"
    entry = {"name": name, "title": task, "unit": f"{metric} × 100" if out_of == 1 else metric, "task": task, "metric": metric}
    return [entry | ({"group": group} if group else {}) | ({"out_of": 100} if out_of == 100 else {})]


def _judge() -> tuple[list[dict[str, Any]], bool]:
    """A reward model, if one is named, and whether it is to be the chart's reward."""
    model = st.text_input("A reward model to add: a folder or hub id", key="suite_judge").strip()
    if not model:
        return [], False
    form = st.selectbox("It reads", _FORMATS, key="suite_format")
    first = st.checkbox("It is the chart's reward", True, key="suite_first")
    named = access.roots().checkpoint(model)
    return [{"kind": "reward_model", "name": "reward_model", "title": "Reward model", "model": named, "format": form}], first


def _make(base: str, change: Change, name: str) -> None:
    st.session_state.pop("suite_made", None)
    with shown():
        access.to_work()
        st.session_state["suite_made"] = str(compose.write(base, change, access.SUITES, name))
