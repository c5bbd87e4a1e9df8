"""The page Export: which points, under which names, whether they fit on the disk, and the button that has them written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from hma import exports, text
from hma.board import Board
from hma.core.point import Point
from hma.core.study import Study
from hma.errors import ExportError, HmaError
from hma.ui import access, away, exported, onward, progress, selection, state, table
from hma.ui.guard import shown
from hma.ui.studybar import SPLITS

_NAMED = 6
"""Points up to which each can be given a name; more have the names that are suggested."""

_WHICH = {"selected": "The selected point", "front": "The front", "several": "Several"}
_TOKENIZERS = {"policy": "The policy's, as measured", "reference": "The reference's"}


@dataclass(frozen=True)
class Wanted:
    """A point to be exported under a name: its folder, or the ``problem`` with it; ``exists`` where an earlier export is."""

    point: Point
    name: str
    folder: Path | None = None
    problem: str = ""
    exists: bool = False


def wanted(points: Sequence[Point], names: Mapping[str, str], allowed: Path) -> list[Wanted]:
    """The points with their names, by key, checked against what the allowed folder holds."""
    often = Counter(names[point.key].lower() for point in points)
    return [_checked(point, names[point.key], allowed, often[names[point.key].lower()] > 1) for point in points]


def _checked(point: Point, name: str, allowed: Path, is_twice: bool) -> Wanted:
    if is_twice:
        return Wanted(point, name, problem=f"'{name}' is the name of two of these points. Give each a name of its own.")
    try:
        folder = exports.folder_in(allowed, name)
    except ExportError as error:
        return Wanted(point, name, problem=str(error))
    if not folder.exists():
        return Wanted(point, name, folder)
    try:
        exports.read(folder)
    except ExportError:
        problem = f"{folder} exists and is not an earlier export, so it stays. Give another name, or remove it yourself."
        return Wanted(point, name, problem=problem)
    return Wanted(point, name, folder, exists=True)


def show(study: Study) -> None:
    """The whole page for one study."""
    board = selection.board(study)
    left, right = st.columns([1, 1], gap="large")
    with left, shown():
        st.markdown("**Export a merge as a model folder**")
        if access.is_read_only():
            st.caption(f"{access.READ_ONLY}, and nothing exported.")
        elif board.points:
            _form(board)
        else:
            _empty()
    with right:
        if not access.is_read_only():
            with shown():
                st.markdown("**Now**")
                progress.show(study)
        if board.points:
            with shown():
                away.show(board)
    with shown():
        exported.show()


def _empty() -> None:
    st.caption("Nothing is measured yet on these items. Measure a point first, and see what it does before you export it.")
    st.page_link("pages/explore.py", label="Go to Explore", width="content")


def _form(board: Board) -> None:
    """Which points, whose tokenizer, the names, the room on the disk, and the button."""
    points = _chosen(board)
    tokenizer = st.selectbox(
        "Tokenizer, chat template and generation settings", list(_TOKENIZERS), format_func=_TOKENIZERS.get,
        key="export_tokenizer",
    )  # fmt: skip
    if not points:
        st.caption("Choose a point to export.")
        return
    allowed = access.exports_root()
    found = wanted(points, _names(points), allowed)
    for entry in found:
        if entry.problem:
            st.error(text.plain(entry.problem))
        if lost := text.lost(entry.point.recipe, entry.point.effective_alphas):
            st.warning(text.plain(lost))
    replace = _replace([entry for entry in found if entry.exists])
    room = exports.Room(max(access.needed_bytes(board.study, p.recipe, tokenizer) for p in points), exports.free_bytes(allowed))
    _say_room(room, len(points), allowed)
    going = [entry for entry in found if _is_going(entry)]
    blocked = any(entry.problem or (entry.exists and not replace) for entry in found) or not room.holds(len(points))
    st.button(
        f"Export {text.count(len(points), 'point')}", type="primary", key="export", disabled=blocked or bool(going),
        on_click=_export, args=(board, [(entry.point, entry.name) for entry in found], tokenizer, replace),
    )  # fmt: skip
    if going:
        st.caption("It is being written." if len(going) == 1 else f"{len(going)} of them are being written.")


def _chosen(board: Board) -> list[Point]:
    """The points to export."""
    which = st.segmented_control(
        "Points", list(_WHICH), format_func=lambda w: f"The front ({len(board.front)})" if w == "front" else _WHICH[w],
        default="selected", required=True, key="export_which", label_visibility="collapsed", width="content",
    )  # fmt: skip
    if which == "front":
        return list(board.front)
    if which == "several":
        names = {p.key: text.printable(text.point_name(p)) for p in sorted(board.points, key=lambda p: -p.reward.value)}
        keys = st.multiselect("Points", list(names), format_func=names.get, key=f"export_several_{board.study.view}")
        return [point for key in keys if (point := board.point(key))]
    table.choose(board)
    selected = board.point(state.view().selected)
    if selected is None:
        return []
    st.caption(table.shares(selected))
    onward.to_test(board, selected)
    return [selected]


def _names(points: Sequence[Point]) -> dict[str, str]:
    """The folders' names by the points' keys, as suggested unless a person gives others."""
    names = {point.key: exports.suggested(point.recipe) for point in points}
    if len(points) > _NAMED:
        st.caption(f"The folders are named after their shares: {text.plain(', '.join(list(names.values())[:3]))}, …")
        return names
    for point in points:
        title = "Folder's name" if len(points) == 1 else f"Folder's name of {text.plain(text.point_name(point))}"
        names[point.key] = st.text_input(title, names[point.key], key=f"export_name_{point.key}").strip()
    return names


def _replace(there: Sequence[Wanted]) -> bool:
    if not there:
        return False
    named = text.plain(", ".join(entry.name for entry in there[:3])) + (", …" if len(there) > 3 else "")
    many = len(there) > 1
    again = "To write again, give another name, or tick this to replace."
    if {str(entry.folder) for entry in there} <= exported.just_written():
        st.info(f"{named} {'are' if many else 'is'} written now, and listed below. {again}")
    else:
        st.info(f"{named} {'are' if many else 'is'} there already. {again}")
    label = f"Replace {len(there)} earlier exports" if many else "Replace the earlier export"
    return st.checkbox(label, key=f"export_replace_{'_'.join(entry.name for entry in there)}")


def _say_room(room: exports.Room, count: int, allowed: Path) -> None:
    each = f"about {text.size(room.needed)}"
    needed = f"{each} each, {text.size(room.needed * count)} together" if count > 1 else each
    said = f"Into {text.plain(str(allowed))}: {needed}; {text.size(room.free)} free."
    if room.holds(count):
        st.caption(said)
    else:
        st.error(
            f"The disk is too small. {said} Choose fewer points, free some space, or start the app with another folder: "
            "\\-\\-exports FOLDER."
        )


def _is_going(entry: Wanted) -> bool:
    jobs = access.engine().queue()
    return entry.folder is not None and any(job.target and job.target.folder == str(entry.folder) for job in jobs)


def _export(board: Board, chosen: Sequence[tuple[Point, str]], tokenizer: str, replace: bool) -> None:
    """Have the points written. The names are checked again: what a browser sends is no form's word."""
    with shown():
        engine, allowed = access.to_work(), access.exports_root()
        found = wanted([point for point, _ in chosen], {point.key: name for point, name in chosen}, allowed)
        for entry in found:
            if entry.problem or entry.folder is None:
                raise ExportError(entry.problem)
        measured = _boards(board.study)
        over = {job.id for job in engine.jobs() if job.state in ("failed", "cancelled")}
        state.change(dismissed=state.view().dismissed | over)
        for entry in found:
            engine.export(board.study, entry.point.recipe, entry.folder, measured, tokenizer, replace, state.asker())


def _boards(study: Study) -> list[Board]:
    """What the model card is to show: the boards of this pair and suite, test items first, then the more items."""
    studies = []
    for split in SPLITS:
        for size in access.sizes():
            try:
                studies.append(access.study(split, size))
            except HmaError:
                continue  # A suite need not have both splits.
    read = [Board.read(access.engine().store, s) for s in sorted(studies, key=lambda s: (s.split != "test", -s.num_items))]
    return [board for board in read if board.points]
