"""What else the store holds: points of other items, pairs or settings, never mixed in and never lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import streamlit as st

from hma import text
from hma.core.study import Study
from hma.errors import HmaError
from hma.ui import access
from hma.ui.studybar import SPLITS


def standing(other: Study, opened: Study, splits: Mapping[str, str]) -> str:
    """How another study stands to the one that is open; ``splits`` are the studies of its pair and suite, by key."""
    if other.key in splits:
        return f"The same pair and suite: choose “{splits[other.key].partition(':')[0]}” above."
    names = [(Path(a).name, Path(b).name) for a, b in zip(_places(other), _places(opened), strict=True)]
    if all(one == now for one, now in names):
        what = "its pair and its suite have" if other.pair != opened.pair and other.suite != opened.suite else (
            "its pair has" if other.pair != opened.pair else "its suite has"
        )  # fmt: skip
        return f"Stale: by name what is open now, but {what} changed since. Measure again what you want to compare."
    gone = [place for place in _places(other) if Path(place).is_absolute() and not Path(place).exists()]
    if gone:
        return f"Stale: {gone[0]} is not there any more."
    return "Another pair or suite: start the app with it to see these points."


def _places(study: Study) -> tuple[str, str, str]:
    return study.reference, study.policy, study.suite_path


def show(study: Study) -> None:
    """The other studies, each with its number of points and how it stands to this one."""
    store = access.engine().store
    found = [other for other in store.studies() if other.key != study.key]
    if not found:
        return
    st.markdown("**Also in this store**")
    splits = _splits(study)
    for other in sorted(found, key=lambda o: o.key not in splits):
        count = text.count(store.revision(replace(other, num_items=1)), "point")
        pair = f"{Path(other.reference).name} → {Path(other.policy).name}"
        items = f"up to {other.num_items} {other.split} items"
        st.caption(
            f"**{text.plain(other.title)}** · {text.plain(pair)} · {text.plain(items)} · {count}.  \n"
            f"{text.plain(standing(other, study, splits))}"
        )
    st.caption("Only points of one pair, suite and set of items stand on one chart; these are kept, and never mixed in.")


def _splits(study: Study) -> dict[str, str]:
    """The titles of the open pair's and suite's splits, by their studies' keys."""
    found = {}
    for split, title in SPLITS.items():
        try:
            found[access.study(split, study.size).key] = title
        except HmaError:
            continue  # A suite need not have both.
    return found
