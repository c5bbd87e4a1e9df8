"""The study bar: which pair and suite, which items, how many."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from hma.core.study import Study
from hma.errors import HmaError
from hma.text import plain
from hma.ui import access, gate

SPLITS = {"validation": "Validation items: for choosing", "test": "Test items: for reporting"}


def show() -> Study:
    """Draw the bar and return the study it is set to. Raises CheckpointError or SuiteError."""
    first = "link_read" not in st.session_state
    if first:
        access.forget_studies()  # A page that is loaded again sees what changed on disk.
        st.session_state["link_read"] = True
        _follow_link()
    try:
        return _bar(access.sizes())
    except HmaError:
        if access.sources() != access.named():
            st.button(
                "Back to the pair that the app was started with", on_click=access.choose, args=(access.named(),), key="back"
            )
        raise


def _bar(sizes: Mapping[str, int]) -> Study:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="study_bar"):
        first = st.container(width="stretch")
        gate.show()
        split = st.segmented_control(
            "Items", list(SPLITS), format_func=SPLITS.get, default=_default("split", SPLITS), required=True, key="split",
            label_visibility="collapsed", width="content", wrap=True,
        )  # fmt: skip
        size = st.segmented_control(
            "Size", list(sizes), format_func=lambda s: f"{plain(s.capitalize())}: {sizes[s]} items",
            default=_default("size", sizes), required=True, key="size", label_visibility="collapsed", width="content",
        )  # fmt: skip
        study = access.study(split or "validation", size or "quick")
        with first:
            read_only = f"  \n:orange-badge[{access.READ_ONLY}]" if access.is_read_only() else ""
            st.markdown(title(study) + read_only, width="content")
    return study


def _default(key: str, choices: Mapping[str, object]) -> str | None:
    """The first choice, unless a link has chosen already: Streamlit complains of two."""
    return None if key in st.session_state else next(iter(choices), None)


def _follow_link() -> None:
    """Turn to the pair, suite and items that the link's point belongs to; at first what the command line named is looked at."""
    st.session_state["link_pinned"] = st.query_params.get("pinned")
    key = st.query_params.get("point")
    if not key:
        return
    store = access.engine().store
    study = store.study_of(key)
    if study is not None:
        for chosen in (access.named(), access.Sources.of(study)):
            with contextlib.suppress(HmaError):  # It may lie where pages may not look, or no longer.
                access.choose(access.checked(chosen) if chosen != access.named() else chosen)
                if _turn_to(key):
                    return
        access.choose(access.named())
    st.session_state["link_missing"] = key


def _turn_to(key: str) -> bool:
    """Turn to the items on which the present pair and suite have a point, if they have it: to as many as the link says."""
    store, named = access.engine().store, st.query_params.get("size")
    for split in SPLITS:
        for size in sorted(access.sizes(), key=lambda size: size != named):
            if any(point.key == key for point in store.points(access.study(split, size))):
                st.session_state.update(split=split, size=size, link_point=key)
                return True
    return False


def title(study: Study) -> str:
    """The suite's title and the pair's names, as Markdown."""
    reference, policy = Path(study.reference), Path(study.policy)
    pair = f"{reference.name} → {policy.name}"
    if reference.parent == policy.parent:
        pair = f"{reference.parent.name}: {pair}"
    return f"**{plain(study.title)}** · {plain(pair)}"
