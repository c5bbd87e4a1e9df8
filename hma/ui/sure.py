"""How sure the page is: what its items can tell apart, how firmly a point is on the front, and its robust tax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.difference import Difference, difference
from hma.core.point import MEAN, REWARD, Point
from hma.core.power import POWER, Spread
from hma.core.robust import RobustTax, most
from hma.core.statistics import NUM_RESAMPLES
from hma.ui import access
from hma.ui.guard import shown

_NAMED = 3
"""Points that are named one by one; of more, the number is said."""

_STEPS = 20
"""In which the slider goes from the mean tax to the worst task's."""


def show_power(board: Board) -> None:
    """One line: the differences that this study's items can tell apart, once points say how their items vary."""
    said = _power_line(board, _power(str(access.engine().store.path), board.study.view, board.revision, board))
    if said:
        st.caption(said, help=_power_help(board))


@st.cache_resource(show_spinner=False, max_entries=8)
def _power(store: str, study: str, revision: int, _board: Board) -> dict[str, Spread]:
    """The board's power, reckoned once a revision: the controls are drawn again at every look at the jobs."""
    return _board.power(access.engine().store)


def _power_line(board: Board, spreads: Mapping[str, Spread]) -> str:
    reward, ability = (spreads[name].detectable() if name in spreads else None for name in (REWARD, MEAN))
    if reward is None or ability is None:
        return ""
    sizes = [f"±{text.fixed(size, text.decimals(size))}" for size in (reward, ability)]
    return (
        f"These {board.study.num_items} {board.study.split} items can tell apart differences of about {sizes[0]} reward and "
        f"{sizes[1]} ability points ({text.share(POWER)} power)."
    )


def _power_help(board: Board) -> str:
    used = "of the two ends" if board.has_only_the_ends else "of neighbours on the front"
    return (
        f"A true difference of this size between two points is shown in {text.share(POWER)} of runs, at two-sided 5 %. Told from "
        f"the items {used}. Four times the items halve it; `python -m hma power` says it for each task."
    )


def show_place(board: Board, point: Point) -> None:
    """How firmly the point is on the front or off it, and which points there it cannot be told apart from."""
    is_there = board.is_on_front(point)
    alike = _alike(board.indistinguishable(point), is_there, len(board.front) > is_there)
    st.caption(f"{_membership(board, point)} {alike}")


def _membership(board: Board, point: Point) -> str:
    share = board.sureness.shares[point.key]
    items = f"{NUM_RESAMPLES:,} resamples of these {board.study.num_items} {board.study.split} items"
    if board.is_on_front(point):
        return f"**On the front**, and still in {text.share(share)} of {items}."
    return f"**Not on the front**, and on it in {text.share(share) if share else 'none'} of {items}."


def _alike(others: Sequence[Point], is_there: bool, has_others: bool) -> str:
    if not others:
        other = "other " if is_there else ""
        return f"Reward or mean ability tells it apart from every {other}point on the front." if has_others else ""
    names = [text.point_name(other) for other in others[:_NAMED]]
    rest = [f"{len(others) - _NAMED} more on the front"] if len(others) > _NAMED else []
    *first, last = names + rest
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"**Indistinguishable from** {listed}: neither reward nor mean ability is shown to differ."


def show_robust(board: Board, point: Point) -> None:
    """The robust tax with a slider from the mean tax to the worst task's, drawn only once it is opened."""
    if board.reference is None or len(board.study.abilities) < 2:
        return
    opened = st.expander("Robust tax: when the worst tasks count for more", key="robust_tax", on_change="rerun")
    if opened.open:
        with opened:
            st.fragment(_robust, key="robust_fragment")(board, point)


def _robust(board: Board, point: Point) -> None:
    with shown():
        top = most(board.study.groups)
        rho = st.slider(
            "How much the worst tasks count", 0.0, top, top / 2, step=top / _STEPS, format="ρ = %.2f", key="robust_rho",
            label_visibility="collapsed",
        )  # fmt: skip
        st.html('<div class="hma-ends"><span>mean</span><span>worst task</span></div>')
        found = board.robust_tax(access.engine().store, point, rho)
        if found is not None and board.reference is not None:
            st.caption(_robust_line(board, found, difference(board.reference.ability, point.ability)))


def _robust_line(board: Board, found: RobustTax, mean: Difference) -> str:
    weights = (f"{text.plain(axis.title)} {100 * found.weights[axis.name]:.0f}\u00a0%" for axis in board.study.abilities)
    value = text.signed(found.value, (found.high - found.low) / 2)
    return (
        f"**Robust tax {value}** ({text.interval(found.low, found.high)}) on these {board.study.num_items} {board.study.split} "
        f"items; the mean tax is {text.signed(mean.value, mean.half_width)}. Worst weights: {', '.join(weights)} "
        f"(ρ = {text.fixed(found.rho, 2)})."
    )
