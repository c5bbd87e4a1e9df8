"""The study bar: which pair and suite, which items, how many."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from hma.core.study import Study
from hma.text import plain
from hma.ui import access

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
        title = st.container(width="stretch")
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
