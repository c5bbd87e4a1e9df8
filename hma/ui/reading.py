"""Answers side by side: prompts found and put in order, one of them read, and all of them as a table."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from hma import samples, text
from hma.core.difference import difference
from hma.samples import Sample
from hma.ui import access, marked, state
from hma.ui.cast import Cast, Side
from hma.ui.guard import shown

_ORDERS = {
    samples.AS_ASKED: "In the suite's order",
    samples.GAIN: "Largest gain in reward over the reference",
    samples.LOSS: "Largest loss in reward against the policy",
    samples.LONGEST: "Longest answers first",
    samples.UNLIKE: "Where the answers differ most",
}
_NEEDED = {samples.GAIN: "reference", samples.LOSS: "policy"}
"""Whose answers an order needs beside the point's."""


def show(cast: Cast) -> None:
    """The prompt that is read with its answers, and below it how prompts are found, and the table of all that were."""
    read, listed = st.container(key="samples_read", gap="small"), st.container(key="samples_list", gap="small")
    with read:
        against, is_marked, pager = _comparing(cast)
    with listed, shown():
        order, sought = _finding(cast)
        kept = [sample for sample in cast.samples if sample.holds(sought)]
        other = against.point.key if against else None
        found = samples.ordered(kept, order, cast.one.point.key, cast.key("reference"), cast.key("policy"), other)
        if not found:
            st.info(f"No prompt and no answer holds {text.plain(repr(sought))}. Clear the search to see all {len(cast.samples)}.")
            return
        _begun(found)
        _table(cast, found, against)
    with read, shown():
        with pager:
            sample = _turned(cast, found)
        _prompt(sample)
        _cards(cast, sample, against if is_marked else None)
        if against:
            st.caption(_summary(cast, against))


def _comparing(cast: Cast) -> tuple[Side | None, bool, DeltaGenerator]:
    """With whom the point is compared, and whether what differs is marked; and the place of the buttons before these."""
    others = cast.others
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="samples_bar"):
        pager = st.container(horizontal=True, vertical_alignment="center", gap="small", key="samples_pager")
        if not others:
            return None, False, pager
        with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
            st.caption("Compare with", width="content")
            name = st.segmented_control(
                "Compare with", list(others), format_func=lambda n: _short(n, cast), default=next(iter(others)), required=True,
                key=f"against_{'_'.join(others)}", label_visibility="collapsed", width="content",
            )  # fmt: skip
        is_marked = st.toggle("Mark what differs", True, key="marked", width="content")
    return others[name or next(iter(others))], is_marked, pager


def _finding(cast: Cast) -> tuple[str, str]:
    """The order of the prompts, and the words that are sought."""
    here = {side.name for side in cast.others.values()}
    orders = [name for name in _ORDERS if name not in _NEEDED or _NEEDED[name] in here]
    orders = [name for name in orders if here or name != samples.UNLIKE]
    left, right = st.columns(2, gap="small")
    with left:
        sought = st.text_input("Search", key="samples_sought", on_change=_begin, placeholder="words in prompts and answers")
    with right:
        order = st.selectbox("Order", orders, format_func=_ORDERS.get, key=f"order_{'_'.join(orders)}", on_change=_begin)
    return order or samples.AS_ASKED, sought.strip()


def _short(name: str, cast: Cast) -> str:
    return {"reference": "the reference", "policy": "the policy", "other": "B"}.get(name, cast.one.title)


def _begin() -> None:
    """Have the first of the list read: it is another list now."""
    st.session_state["samples_begin"] = True


def _summary(cast: Cast, against: Side) -> str:
    """How the rewards of the two differ on average, and on how many prompts one or the other is better."""
    one, other = cast.one.point, against.point
    found = difference(one.reward, other.reward)
    gains = [gain for sample in cast.samples if (gain := sample.gain(one.key, other.key)) is not None]
    better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    drawn = access.chat(cast.board.study).generation
    how = f"sampled at temperature {drawn.temperature:g} with seed {drawn.seed}" if drawn.temperature else "greedy, not sampled"
    shown_to_be = "" if found.is_shown else "; no difference is shown"
    return (
        f"**{cast.one.title}** against {_short(against.name, cast)}: reward {text.signed(found.value, found.half_width)} "
        f"(95 %: {text.interval(found.low, found.high)}) on these {len(gains)} {cast.board.study.split} prompts{shown_to_be}. "
        f"Better on {better}, worse on {worse}, the same on {len(gains) - better - worse}. One answer each, {how}, the same for "
        "every model."
    )


def _begun(found: list[Sample]) -> None:
    """Have one of these prompts read: the first, where the list is new or lacks the one that was."""
    if st.session_state.pop("samples_begin", False) or state.view().prompt not in {sample.place for sample in found}:
        _read(found[0].place)


def _turned(cast: Cast, found: list[Sample]) -> Sample:
    """The prompt that is read, with buttons and keys to turn to the next."""
    places = [sample.place for sample in found]
    at = places.index(state.view().prompt)
    step = {"on_click": _turn, "width": "content"}
    st.button("Previous", key="sample_back", shortcut="P", args=(places[at - 1],), **step)
    st.button("Next", key="sample_on", shortcut="N", args=(places[(at + 1) % len(places)],), **step)
    of = f"{len(found)} of {len(cast.samples)} prompts" if len(found) < len(cast.samples) else f"{len(found)} prompts"
    st.caption(f"{at + 1} of {of}", width="content")
    return found[at]


def _prompt(sample: Sample) -> None:
    with st.container(border=True, key="answer_prompt", gap="xsmall"):
        st.caption("**Prompt**")
        st.text(text.printable(sample.prompt), width="stretch")


def _read(place: int) -> None:
    """Turn to the prompt at a place of the suite; Explore reads it too."""
    state.change(prompt=place, paging=state.view().paging + 1)


def _turn(place: int) -> None:
    """Turn by a button; a row that was chosen in the table is chosen no more."""
    _read(place)
    if _chosen_rows():
        st.session_state["samples_listing"] = st.session_state.get("samples_listing", 0) + 1


def _cards(cast: Cast, sample: Sample, against: Side | None) -> None:
    """Each one's answer with its reward, in a card; the point's with what differs marked."""
    for column, side in zip(st.columns(len(cast.sides), gap="small"), cast.sides, strict=True):
        with column, st.container(border=True, height="stretch", key=f"answer_{side.name}"):
            _card(cast, sample, side, against if side == cast.one else None)


def _card(cast: Cast, sample: Sample, side: Side, against: Side | None) -> None:
    answer = sample.answers.get(side.point.key)
    if answer is None:
        st.caption(f"**{side.title}**  \nno answer to this prompt")
        return
    st.caption(f"**{side.title}**  \nreward {text.fixed(answer.reward, 2)}")
    before = sample.answers.get(against.point.key) if against else None
    if before is None or not (before.words or answer.words):
        st.text(text.printable(answer.words) or "(an empty answer)", width="stretch")
    elif before.words == answer.words:
        st.text(text.printable(answer.words), width="stretch")
        st.caption(f"Word for word the answer of {_short(against.name, cast)}.")
    else:
        st.html(marked.differences(before.words, answer.words))
        st.caption(f"Marked + only here, − only in the answer of {_short(against.name, cast)}.")


def _table(cast: Cast, found: list[Sample], against: Side | None) -> None:
    """All prompts that were found, in their order; choosing a row reads it."""
    key = _table_key(cast, found)
    one = cast.one.point.key
    columns = {"prompt": [text.printable(sample.prompt) for sample in found]}
    for side in cast.sides:
        answers = [sample.answers.get(side.point.key) for sample in found]
        columns[f"reward, {side.title}"] = [answer.reward if answer else None for answer in answers]
    if against:
        other, name = against.point.key, _short(against.name, cast)
        columns[f"gain over {name}"] = [sample.gain(one, other) for sample in found]
        differing = [sample.unlike(one, other) for sample in found]
        columns[f"words unlike {name}"] = [None if share is None else 100 * share for share in differing]
    columns["words"] = [sample.length(one) for sample in found]
    numbers = {name: st.column_config.NumberColumn(format=_format(name)) for name in columns if name != "prompt"}
    numbers["prompt"] = st.column_config.TextColumn(width="large")
    st.dataframe(
        columns, hide_index=True, column_config=numbers, key=key, selection_mode="single-row", height=320, placeholder="–",
        on_select=lambda: _row_chosen([sample.place for sample in found]),
    )  # fmt: skip


def _format(column: str) -> str:
    if column.startswith("gain"):
        return "%+.2f"
    return "%.2f" if column.startswith("reward") else "%.0f %%" if column.startswith("words unlike") else "%d"


def _table_key(cast: Cast, found: list[Sample]) -> str:
    """New with the list: a row that was chosen by its number is another one then."""
    shown_now = (tuple(sample.place for sample in found), tuple(side.point.key for side in cast.sides))
    if st.session_state.get("samples_table_of") != shown_now:
        st.session_state["samples_table_of"] = shown_now
        st.session_state["samples_listing"] = st.session_state.get("samples_listing", 0) + 1
    return f"samples_table_{st.session_state['samples_listing']}"


def _chosen_rows() -> list[int]:
    table = st.session_state.get(f"samples_table_{st.session_state.get('samples_listing', 0)}")
    return list(table.selection.rows) if table else []


def _row_chosen(places: list[int]) -> None:
    rows = _chosen_rows()
    if rows:
        _read(places[rows[0]])
