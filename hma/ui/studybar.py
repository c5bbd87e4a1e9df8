"""The study bar: which pair and suite, which items, how many, and where the work runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from hma.core.study import Study
from hma.text import plain
from hma.ui import access

_LOOK = 3.0
"""Seconds between two looks at a worker that is not ready; after the first, the chart is on screen."""

SPLITS = {"validation": "Validation items: for choosing", "test": "Test items: for reporting"}


def show() -> Study:
    """Draw the bar and return the study it is set to. Raises CheckpointError or SuiteError."""
    first = "link_read" not in st.session_state
    if first:
        access.forget_studies()  # A page that is loaded again sees what changed on disk.
    sizes = access.sizes()
    if first:
        st.session_state["link_read"] = True
        _follow_link(sizes)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="study_bar"):
        title = st.container(horizontal=True, vertical_alignment="center", gap="small", width="stretch")
        split = st.segmented_control(
            "Items", list(SPLITS), format_func=SPLITS.get, default=_default("split", SPLITS), required=True, key="split",
            label_visibility="collapsed", width="content", wrap=True,
        )  # fmt: skip
        size = st.segmented_control(
            "Size", list(sizes), format_func=lambda s: f"{plain(s.capitalize())}: {sizes[s]} items",
            default=_default("size", sizes), required=True, key="size", label_visibility="collapsed", width="content",
        )  # fmt: skip
        study = access.study(split or "validation", size or "quick")
        with title:
            st.markdown(_title(study), width="content")
            worker_chip(study)
    return study


def _default(key: str, choices: Mapping[str, object]) -> str | None:
    """The first choice, unless a link has chosen already: Streamlit complains of two."""
    return None if key in st.session_state else next(iter(choices), None)


def _follow_link(sizes: dict[str, int]) -> None:
    """Turn to the study that the link's point belongs to."""
    key = st.query_params.get("point")
    if not key:
        return
    store = access.engine().store
    if store.point(key) is None:
        st.session_state["link_missing"] = key
        return
    for split in SPLITS:
        for size in sizes:
            if any(p.key == key for p in store.points(access.study(split, size))):
                st.session_state.update(split=split, size=size, link_point=key)
                return
    st.session_state["link_missing"] = key


def _title(study: Study) -> str:
    reference, policy = Path(study.reference), Path(study.policy)
    pair = f"{reference.name} → {policy.name}"
    if reference.parent == policy.parent:
        pair = f"{reference.parent.name}: {pair}"
    return f"**{plain(study.title)}** · {plain(pair)}"


def worker_chip(study: Study) -> None:
    """The device and the state of its worker; asks for itself again while that may change."""
    state = access.engine().worker()
    waiting = state.status in ("none", "starting") and not (state.status == "none" and access.is_warmed(study))
    st.fragment(_chip, run_every=_LOOK if waiting else None, key="worker_chip")(study, waiting)


def _chip(study: Study, waiting: bool) -> None:
    # The second time, the page is on screen: from now on a starting worker delays nothing.
    if st.session_state.get("chip_drawn"):
        access.warm(study)
    st.session_state["chip_drawn"] = True
    state = access.engine().worker()
    device = plain(state.device)
    words = {
        "none": ":gray-badge[worker: not started]",
        "starting": ":gray-badge[worker: starting]",
        "ready": f":gray-badge[{device or 'worker'}: ready]",
        "busy": f":blue-badge[{device or 'worker'}: measuring]",
        "died": ":orange-badge[worker ended]",
    }
    why = f"{plain(state.message)} The next request starts a fresh worker." if state.status == "died" else None
    st.markdown(words[state.status], width="content", help=why)
    if waiting and state.status in ("ready", "died"):
        st.rerun()
