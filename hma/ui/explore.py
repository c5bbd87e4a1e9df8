"""The Explore page: chart and controls, then the selected point, its answers, and all points."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from hma.board import Board
from hma.core.study import Study
from hma.ui import access, answers, controls, onward, pinned, plot, selection, state, sure, table
from hma.ui.guard import shown

_BEGIN = "Begin with the two ends: the model before RLHF and the one after."

_READING = """
- **Across**: the alignment reward. **Up**: the mean ability kept, the plain mean of the ability groups (our own aggregate).
- The **reference** is the model before RLHF, the **policy** the one after. RLHF moves a model to the right, and down: how far
  it falls below the dashed line is the **alignment tax**.
- Every other point is a merge of the two, truly measured. **MA** uses one share of pre-RLHF weights everywhere; **HMA** uses a
  share per block of layers. The thin dashed line joins the MA points in the order of their share. **Own points** are those that
  somebody asked for one by one, with the sliders or by `python -m hma measure`, and not by a method.
- The **front** holds the points that no other point beats on both axes. Its steps pass through measured points only.
- **Range** says what the axes span. Drag the chart to move it, zoom with its buttons: that stays when a point arrives, and while
  you look at other pages; a double click takes it back.
- The bars are 95 % intervals over the items. Two points whose bars overlap may still differ, since they answered the same items:
  **indistinguishable** are those of which neither the paired difference in reward nor that in mean ability is shown.
- **Resamples** draw the items again with replacement, the same for all points: how often a point is on the front then says how
  firmly it is there. Points that are nearly alike take the place from one another.
- The **suggested** point is the front's knee: the one farthest above the line between the front's two ends, both axes scaled
  to the front's range. It is a place to start, not a verdict, and only on validation items.
- The **hypervolume** is the area between the front and the corner: the worse reward and the worse ability of the two ends. A
  front picks the best of many by luck too; its 95 % interval takes that back.
- The **robust tax** weighs the tasks as badly as they may be weighed within a distance ρ of the mean: from the mean tax to the
  worst task's.
- A dashed, hollow **ghost** under the sliders is no point: it says what the measured points predict there, with 95 % bands that
  hold the noise of the items. Only measuring makes a point.
- Points are chosen on validation items; report what you chose on test items.
"""


def show(study: Study) -> None:
    """The whole page for one study."""
    board = selection.board(study)
    left, right = st.columns([2, 1], gap="medium")
    place = None
    with left, shown():
        if board.points:
            place = plot.show(board)
            _selected(board)
        else:
            _empty(board)
    with right, shown():
        controls.show(board)
        _missing_end(board)
    _rest(board)
    if place is not None:
        plot.draw(place, board)


def _shorter(study: Study) -> None:
    """Say how many points wait to be extended to this size."""
    count = access.engine().store.num_shorter(study)
    if count:
        points = "1 point has" if count == 1 else f"{count} points have"
        st.caption(
            f"{points} fewer items than these {study.num_items} and {'is' if count == 1 else 'are'} not shown here. Measured "
            "again at this size, only the further items are asked."
        )


def _empty(board: Board) -> None:
    """What stands in the chart's place before anything is measured."""
    study = board.study
    with st.container(border=True, height=360, vertical_alignment="center", horizontal_alignment="center", key="empty"):
        st.markdown("#### Nothing is measured yet in this study", width="content")
        begin = f"{access.READ_ONLY}." if access.is_read_only() else _BEGIN
        st.markdown(
            f"A chart needs points measured on these {study.num_items} {study.split} items. {begin}", text_alignment="center"
        )
        _ends_button(board, "Measure the two ends", "primary")
        others = access.other_points(study)
        if others:
            st.caption(f"The store holds {others} points of other studies (other items or settings); they are never mixed in.")


def _missing_end(board: Board) -> None:
    missing = controls.ends_missing(board)
    if board.points and missing:
        names = " and the ".join("policy" if r.alphas[0] == 0 else "reference" for r in missing)
        verb = "are" if len(missing) > 1 else "is"
        st.caption(f"The {names} {verb} not measured yet, so there is no tax and no hypervolume.")
        _ends_button(board, f"Measure the {names}", "secondary")


def _ends_button(board: Board, label: str, kind: str) -> None:
    """The button that has the missing ends measured, idle while they are; none where nothing can be measured."""
    if access.is_read_only():
        return
    missing = controls.ends_missing(board)
    st.button(
        label, type=kind, on_click=controls.measure, args=(board, *missing), key="measure_ends",
        disabled=controls.are_waited_for(board.study, *missing),
    )  # fmt: skip


def _selected(board: Board) -> None:
    """What the selected point says, its scores, how sure its place is, where to go from it, and a second point to pin beside it.

    All of it under the chart, for beside it the sliders' column keeps room for what is predicted.
    """
    point = board.point(state.view().selected)
    if point is None:
        return
    with st.container(key="selected_answers"), shown():
        answers.show(board, point)
    with st.container(key="selected_point"), shown():
        table.choose(board)
        table.show_point(board, point)
        left, right = st.columns(2, gap="medium")
        with left:
            sure.show_place(board, point)
        with right:
            sure.show_robust(board, point)
        with st.container(horizontal=True, gap="small", vertical_alignment="center", key="onward"):
            onward.to_test(board, point)
            onward.to_export()
            _link(board)
        pinned.show(board, point)


def _link(board: Board) -> None:
    """The address of the selected point, to be copied: it opens the pair, suite and items that the point belongs to, and B."""
    with st.popover("Link to this point"):
        address = f"{(st.context.url or '').partition('?')[0]}?{urlencode(selection.link(board))}"
        st.code(address, language=None, wrap_lines=True)


def _rest(board: Board) -> None:
    _shorter(board.study)
    if board.points:
        with shown():
            table.show_all(board)
    with st.expander("How to read this chart"):
        st.markdown(_READING)
