"""Every point of a study with when, by which method, how long, on how many items and where: to filter, choose and take away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from hma import download, text
from hma.board import Board
from hma.core.point import Point
from hma.ui import access, state, table

_EVERY = ""
"""The choice of every method."""


@dataclass(frozen=True)
class Entry:
    """A point as a line of the list: what it is called, what measured it, and the items it has, whatever the size looked at."""

    point: Point
    name: str
    by: str
    num_items: int

    @property
    def when(self) -> str:
        return self.point.measured_at[:19].replace("T", " ")

    @property
    def words(self) -> str:
        """What a search looks through."""
        return f"{self.name} {self.point.key} {self.by} {self.point.device} {self.when}".lower()


def entries(points: Sequence[Point], num_items: Mapping[str, int]) -> list[Entry]:
    """The points as entries, newest first; of the same second, the later in the store first."""
    found = [
        Entry(p, text.printable(text.point_name(p)), table.measured_by(p.method), num_items.get(p.key, p.reward.num_items))
        for p in points
    ]
    found.reverse()
    return sorted(found, key=lambda entry: entry.point.measured_at, reverse=True)


def matching(listed: Sequence[Entry], by: str, search: str) -> list[Entry]:
    """The entries of a method, any by default, that have every word of a search somewhere."""
    words = search.lower().split()
    return [entry for entry in listed if by in ("", entry.by) and all(word in entry.words for word in words)]


def show(board: Board) -> None:
    """Filter and search, the list, the chosen point, and the downloads."""
    listed = entries(board.points, access.engine().store.num_items(board.study))
    by, search = _filters(listed)
    kept = matching(listed, by, search)
    if kept:
        _list(board, kept, f"{by}_{search}")
    else:
        st.caption("No point is so. Choose another method, or search for less.")
    count = f"{len(kept)} of {len(listed)} points" if len(kept) < len(listed) else text.count(len(listed), "point")
    st.caption(
        f"{count}, newest first. The seconds and items of a point that was measured again with more items are those of all "
        "its measurements. Choosing a row selects the point on every page."
    )
    if kept:
        _chosen(board, kept, f"{by}_{search}")
    _downloads(board)


def _filters(listed: Sequence[Entry]) -> tuple[str, str]:
    """The method and the words that are looked for."""
    counts = Counter(entry.by for entry in listed)
    left, right = st.columns([1, 2], gap="small")
    with left:
        by = st.selectbox(
            "Measured by", [_EVERY, *counts], key="measured_by",
            format_func=lambda name: f"{name[:1].upper()}{name[1:]}: {counts[name]}" if name else "Every method",
        )  # fmt: skip
    with right:
        search = st.text_input("Search", key="measured_search", placeholder="Shares, key, device or date, such as 0.2 2026-01")
    return by or _EVERY, search or ""


def _list(board: Board, kept: Sequence[Entry], filtered: str) -> None:
    keys = [entry.point.key for entry in kept]
    columns = {
        "measured at (UTC)": [entry.when for entry in kept],
        "point": [entry.name for entry in kept],
        "measured by": [entry.by for entry in kept],
        "took": [entry.point.elapsed_seconds for entry in kept],
        "items": [entry.num_items for entry in kept],
        "device": [text.printable(entry.point.device) or "not recorded" for entry in kept],
        "reward": [entry.point.reward.value for entry in kept],
        "mean ability": [entry.point.ability.value for entry in kept],
        "on the front": [board.is_on_front(entry.point) for entry in kept],
    }
    formats = {"took": "%.1f s", "reward": "%.2f", "mean ability": "%.1f"}
    shown = {name: st.column_config.NumberColumn(format=form) for name, form in formats.items()}
    # Left alone, a column is as wide as its first rows ask for, and cuts the names further down.
    shown["measured by"] = st.column_config.TextColumn(width=_width([entry.by for entry in kept]))
    selected = state.view().selected
    rows = [keys.index(selected)] if selected in keys else []
    # New with the rows and with a choice made elsewhere: the browser knows a row by its place alone.
    key = f"measured_{board.study.view}_{board.revision}_{filtered}_{st.session_state.get('measured_set', 0)}"
    st.dataframe(
        columns, hide_index=True, column_config=shown, key=key, selection_mode="single-row",
        height=min(360, 38 + 35 * len(kept)), selection_default={"selection": {"rows": rows, "columns": [], "cells": []}},
        on_select=lambda: _row_chosen(key, keys), alt=f"Table of {len(kept)} measured points, newest first.",
    )  # fmt: skip


def _width(texts: Sequence[str]) -> int:
    """Pixels that hold each of the texts, which a file may have made long."""
    return min(320, 30 + 7 * max(map(len, texts)))


def _row_chosen(key: str, keys: Sequence[str]) -> None:
    rows = st.session_state[key].selection.rows
    if rows:
        state.pick(keys[rows[0]])


def _chosen(board: Board, kept: Sequence[Entry], filtered: str) -> None:
    """The list as a select box, the keyboard's way in, and the way to the point on Explore."""
    names = {entry.point.key: f"{entry.name} · {entry.by} · {entry.when}" for entry in kept}
    selected = state.view().selected
    key = f"measured_choice_{board.study.view}_{board.revision}_{filtered}_{state.view().listing}"
    left, right = st.columns([3, 1], gap="small", vertical_alignment="bottom")
    with left:
        st.selectbox(
            "Selected point", list(names), list(names).index(selected) if selected in names else None, format_func=names.get,
            key=key, on_change=_picked, args=(key,), placeholder="The selected point is not among these",
        )  # fmt: skip
    with right:
        st.page_link("pages/explore.py", label="Look at it on Explore", disabled=selected not in names, width="content")


def _picked(key: str) -> None:
    chosen = st.session_state.get(key)
    if chosen and chosen != state.view().selected:  # An older list may still speak up.
        state.pick_from_list(chosen)
        st.session_state["measured_set"] = st.session_state.get("measured_set", 0) + 1


def _downloads(board: Board) -> None:
    """All points of the study to take away, made once a revision, and only once it is opened."""
    opened = st.expander("Download all points", key="points_away", on_change="rerun")
    if not opened.open:
        return
    made_of = (board.study.view, board.revision)
    # Not left to Streamlit to make at the click: while the page is drawn again, its browser asks for a file that is gone.
    if st.session_state.get("points_of") != made_of:
        st.session_state["points_of"] = made_of
        st.session_state["points_files"] = download.as_csv(board), download.as_json(board)
    table_text, json_text = st.session_state["points_files"]
    name = f"points-{board.study.split}-{board.study.num_items}"
    with opened, st.container(horizontal=True, gap="small"):
        st.download_button("All points as CSV", table_text, f"{name}.csv", "text/csv", key="points_csv", on_click="ignore")
        st.download_button(
            "All points as JSON", json_text, f"{name}.json", "application/json", key="points_json", on_click="ignore"
        )
