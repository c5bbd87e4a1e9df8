"""What the models say: the same prompt to reference, merge and policy, and to a pinned point, as plain text."""

from __future__ import annotations

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.point import REWARD, Point
from hma.ui import access, state


def show(board: Board, point: Point) -> None:
    """A chosen prompt and the answers to it, each with its reward."""
    result = access.engine().store.results(point.key, board.study.num_items).get(REWARD)
    if result is None or result.outputs is None:
        st.caption("No answers were kept for this point.")
        return
    asked = {prompt.id: prompt.text for prompt in access.prompts(board.study)}
    place = _pager([asked.get(i, i) for i in result.ids], board.study.view)
    sides = _columns(board, point)
    for column, (side, title, of) in zip(st.columns(len(sides), gap="small"), sides, strict=True):
        with column:
            _answer(side, title, of, result.ids[place])


def _columns(board: Board, point: Point) -> list[tuple[str, str, Point | None]]:
    """Who answers: both ends, the selected point, and a pinned one that is none of these."""
    pinned = state.pinned(board)
    shown = {one.key for one in (board.reference, point, board.policy) if one}
    name, beside = text.point_name(point), []
    if pinned is not None and pinned.key not in shown:
        name, beside = f"A: {name}", [("pinned", f"B: {text.point_name(pinned)}", pinned)]
    return [("left", "Reference", board.reference), ("middle", name, point), *beside, ("right", "Policy", board.policy)]


def _pager(prompts: list[str], study: str) -> int:
    """The place of the prompt that is read, chosen from a list or one by one."""
    last = len(prompts) - 1
    key, place = _key(study), min(state.view().prompt, last)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.selectbox(
            "Prompt", range(len(prompts)), place, format_func=lambda i: f"{i + 1}. {prompts[i]}", key=key,
            on_change=_chosen, args=(key, study), label_visibility="collapsed",
        )  # fmt: skip
        st.button("‹", key="prompt_back", on_click=_turn, args=(place - 1, last), width="content", help="Previous prompt")
        st.button("›", key="prompt_on", on_click=_turn, args=(place + 1, last), width="content", help="Next prompt")
    return place


def _chosen(key: str, study: str) -> None:
    if key == _key(study):  # An older list may still speak up.
        state.change(prompt=st.session_state[key])


def _key(study: str) -> str:
    """New with the list's own words: the browser names a choice by its words, and another study has other prompts."""
    return f"prompt_{study}_{state.view().paging}"


def _turn(place: int, last: int) -> None:
    state.change(prompt=place % (last + 1), paging=state.view().paging + 1)


def _answer(side: str, title: str, point: Point | None, prompt: str) -> None:
    """One model's answer. It is never read as Markdown or HTML."""
    with st.container(border=True, height="stretch", key=f"answer_{side}"):
        result = access.engine().store.results(point.key).get(REWARD) if point else None
        if result is None or result.outputs is None or prompt not in result.ids:
            st.caption(f"**{title}**  \nnot measured yet")
            return
        place = result.ids.index(prompt)
        st.caption(f"**{title}**  \nreward {text.fixed(float(result.items[place, 0]), 2)}")
        st.text(result.outputs[place] or "(an empty answer)", width="stretch")
