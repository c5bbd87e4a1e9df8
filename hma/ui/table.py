"""Tables: the selected point against both ends, and all points of the study."""

from __future__ import annotations

from html import escape

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.alphas import mean_alpha
from hma.core.difference import Difference, difference
from hma.core.point import MEAN, REWARD, Point, Score
from hma.core.study import Axis
from hma.core.tax import taxes
from hma.ui import access, state

_METHODS = {
    "sweep": "an MA sweep",
    "grid": "a grid",
    "partwise": "a partwise sweep",
    "proxy": "a fit by proxy distillation (HMA)",
    "two-sided": "a two-sided fit (uses task prompts)",
    "two-sided-free": "a two-sided fit without task prompts",
    "adamerging": "a fit to labels (AdaMerging)",
    "search": "a search",
    "surveyed-search": "a search after a survey (uses task prompts)",
    "compare": "a comparison",
    "slider": "own choice (sliders)",
    "single": "own choice (command line)",
    "again": "a measurement with more items",
}


def measured_by(method: str) -> str:
    """What a point was measured by, in words."""
    return _METHODS.get(method, text.printable(method)) or "own choice"


def choose(board: Board) -> None:
    """The list of all points as a select box: the chart's twin for the keyboard."""
    names, key = names_of(board), _key(board)
    st.selectbox(
        "Selected point: all points from the highest reward down", list(names), list(names).index(state.view().selected),
        format_func=names.get, key=key, on_change=_chosen, args=(board, key), label_visibility="collapsed",
    )  # fmt: skip


def names_of(board: Board) -> dict[str, str]:
    """What the board's points are called in a list, by key, from the highest reward down."""
    return _names(str(access.engine().store.path), board.study.view, board.revision, board)


@st.cache_resource(show_spinner=False, max_entries=4)
def _names(store: str, study: str, revision: int, _board: Board) -> dict[str, str]:
    """Worded once a revision, since there may be thousands."""
    return {p.key: listed(_board, p) for p in sorted(_board.points, key=lambda p: -p.reward.value)}


def _chosen(board: Board, key: str) -> None:
    # An older list may still speak up, and a new one repeats what is selected: the sliders are not to be set for that.
    if key == _key(board) and st.session_state[key] != state.view().selected:
        state.pick_from_list(st.session_state[key])


def _key(board: Board) -> str:
    """New with the list's own words: the browser names a choice by its words, and old ones may mean nothing any more."""
    return f"point_choice_{board.study.view}_{board.revision}_{state.view().listing}"


def listed(board: Board, point: Point) -> str:
    """A point's name in a list, with its scores and where it stands."""
    suggested = board.suggested
    marks = ["on the front"] if board.is_on_front(point) else []
    marks += ["suggested"] if suggested and suggested.key == point.key else []
    scores = f"reward {text.rounded(point.reward)}, ability {text.rounded(point.ability)}"
    return f"{text.point_name(point)} · {scores}{''.join(f' · {m}' for m in marks)}"


def show_point(board: Board, point: Point) -> None:
    """The point's scores beside those of both ends, with its tax."""
    if text.lost(point.recipe, point.effective_alphas):
        st.warning(text.lost(point.recipe, point.effective_alphas))
    st.html(_scores(board, point))
    st.caption(_origin(board, point))


def _scores(board: Board, point: Point) -> str:
    """The table of scores as HTML; every text from a suite is escaped."""
    store = access.engine().store
    lost: dict[str, Difference] = {}
    gain: Difference | None = None
    if board.reference is not None:
        before, here = (store.results(p.key, board.study.num_items, outputs=False) for p in (board.reference, point))
        lost = taxes(before, here, board.study.groups)
        gain = difference(point.reward, board.reference.reward)
    rows = [_row(board.study.reward, point, board, REWARD, None)]
    rows += [_row(axis, point, board, axis.name, lost.get(axis.name)) for axis in board.study.abilities]
    rows.append(_row(Axis(MEAN, "Mean ability", "points"), point, board, MEAN, lost.get(MEAN)))
    rows += [_row(axis, point, board, axis.name, None) for axis in board.study.extras]
    head = "".join(f"<th>{h}</th>" for h in ("Score", "This point", "Tax", "Reference", "Policy", "Items"))
    note = f'<p class="hma-note">Reward against the reference: {shown_difference(gain)}, on the same prompts.</p>' if gain else ""
    return f'<div class="hma-scores"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>{note}'


def _row(axis: Axis, point: Point, board: Board, name: str, lost: Difference | None) -> str:
    own = _score(point, name)
    ends = [_score(end, name) if end else None for end in (board.reference, board.policy)]
    cells = [
        f"<th>{escape(axis.title)} <small>{escape(axis.unit)}</small></th>",
        f"<td><b>{text.rounded(own)}</b> {_interval(own)}</td>",
        f"<td>{shown_difference(lost)}</td>" if lost else "<td>–</td>",
        *(f"<td>{f'{text.rounded(s)} {_interval(s)}' if s else 'not measured'}</td>" for s in ends),
        f"<td>{own.num_items}</td>",
    ]
    style = ' class="hma-sum"' if name in (REWARD, MEAN) else ""
    return f"<tr{style}>{''.join(cells)}</tr>"


def _interval(score: Score) -> str:
    return f"<small>{text.interval(score.low, score.high)}</small>"


def _score(point: Point, name: str) -> Score:
    return point.ability if name == MEAN else point.scores[name]


def shown_difference(found: Difference) -> str:
    """A signed difference with its interval, faint where the interval holds zero."""
    value = text.signed(found.value, found.half_width)
    shown = f"{value} <small>{text.interval(found.low, found.high)}</small>"
    return shown if found.is_shown else f'<span class="hma-faint">{shown}</span>'


def shares(point: Point) -> str:
    """A point's shares in words: each with its block's name, and as they were after rounding."""
    names = point.recipe.partition.block_names()
    said = ", ".join(f"{n} {text.alpha(a)}" for n, a in zip(names, point.recipe.alphas, strict=True))
    said += "".join(f", {part}" for part in text.beside_alphas(point.recipe))
    if point.effective_alphas:
        said += f" (effective {', '.join(f'{a:.3f}' for a in point.effective_alphas)})"
    return f"Share of pre-RLHF weights: {said}."


def _origin(board: Board, point: Point) -> str:
    when = point.measured_at[:16].replace("T", " ")
    by = text.plain(measured_by(point.method))
    suggested = board.suggested
    knee = "The suggested point, the knee of the front. " if suggested and suggested.key == point.key else ""
    return (
        f"{knee}{shares(point)} Measured {text.plain(when)} UTC by {by} on {text.plain(point.device)}, in "
        f"{point.elapsed_seconds:.1f} s. Small figures are 95 % intervals; tax is the reference's ability minus this one's, "
        f"paired on the same {board.study.num_items} {board.study.split} items, faint where its interval holds zero. Mean "
        "ability is our own aggregate: the plain mean of the groups."
    )


def show_all(board: Board) -> None:
    """All points as a table, drawn only once it is opened; choosing a row selects the point."""
    opened = st.expander(
        f"All points on these {board.study.num_items} {board.study.split} items", key="all_points", on_change="rerun"
    )
    if not opened.open:
        return
    ordered = sorted(board.points, key=lambda p: -p.reward.value)
    others = (*board.study.abilities, *board.study.extras)
    columns = {
        "point": [text.point_name(p) for p in ordered],
        "reward": [p.reward.value for p in ordered],
        "mean ability": [p.ability.value for p in ordered],
        **{axis.title: [p.scores[axis.name].value for p in ordered] for axis in others},
        "tax": [board.reference.ability.value - p.ability.value if board.reference else None for p in ordered],
        "mean share": [mean_alpha(p.recipe.alphas) for p in ordered],
        "on the front": [board.is_on_front(p) for p in ordered],
        "stays on it": [100 * board.sureness.shares[p.key] for p in ordered],
        "measured by": [measured_by(p.method) for p in ordered],
        "measured at (UTC)": [p.measured_at[:19].replace("T", " ") for p in ordered],
    }
    formats = {"reward": "%.2f", "tax": "%+.1f", "mean share": "%.2f", "mean ability": "%.1f", "stays on it": "%.0f %%"}
    formats |= {axis.title: "%.1f" if axis in board.study.abilities else "%.2f" for axis in others}
    numbers = {name: st.column_config.NumberColumn(format=form) for name, form in formats.items()}
    with opened:
        st.dataframe(
            columns, hide_index=True, column_config=numbers, key="table", selection_mode="single-row",
            on_select=lambda: _row_chosen([p.key for p in ordered]), height=360, placeholder="–",
        )  # fmt: skip


def _row_chosen(keys: list[str]) -> None:
    rows = st.session_state["table"].selection.rows
    if rows:
        state.pick(keys[rows[0]])
