"""The page Present: one lever through the front's measured points, what each keeps in a sentence, and what it says.

It reads the store and nothing else, so that it can be shown to anybody: no button here starts work.
"""

from __future__ import annotations

import base64
from html import escape

import streamlit as st

from hma import drawing, handout, look, samples, telling, text
from hma.board import Board
from hma.core.kept import kept
from hma.core.point import Point
from hma.core.study import Study
from hma.samples import Sample
from hma.ui import access, selection, state
from hma.ui.guard import shown

_SEEN = 60
"""Characters of a prompt that the list shows."""

_MADE = "Every stop of the lever is a model that was made and measured; nothing is said of what lies between."


def show(study: Study) -> None:
    """The whole page for one study."""
    board = access.board(study)
    selection.follow(board)
    st.markdown("#### What RLHF gained, and what it cost")
    st.markdown(telling.TAX)
    if board.reference is None or board.policy is None:
        _nothing(board)
        return
    at = _lever(board)
    point = board.front[at]
    left, right = st.columns([5, 4], gap="medium")
    with left, shown():
        _picture(board, point)
        st.caption(f"{_MADE} {text.plain(telling.scored_on(study))}")
    with right, shown():
        with st.container(border=True, key="present_said", gap="xsmall"):
            st.caption(f"**{text.point_name(point)}**  ·  {at + 1} of {len(board.front)}")
            st.markdown(telling.sentence(board, point))
        read = _samples(board)
        _answers(board, point, read)
    with shown():
        _table(board)
        _export(board, point, read)


def _nothing(board: Board) -> None:
    """What stands here before both ends are measured: where this can be done."""
    missing = [name for name, end in (("reference", board.reference), ("policy", board.policy)) if end is None]
    with st.container(border=True, height=260, vertical_alignment="center", horizontal_alignment="center", key="empty"):
        st.markdown("#### There is nothing to present yet", width="content")
        st.markdown(
            f"What a merge keeps is told against both ends, and the {' and the '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not measured on these {board.study.num_items} {board.study.split} items. "
            "Explore measures them; nothing can be started here.",
            text_alignment="center",
        )
        st.page_link("pages/explore.py", label="Go to Explore", width="content")


def _lever(board: Board) -> int:
    """The place on the front that the lever stands on: the selected point's, or that of the one most like it."""
    at = place(board, board.point(state.view().selected))
    last = len(board.front) - 1
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="lever"):
        move = {"on_click": _move, "width": "content"}
        st.button("Previous", key="stop_back", shortcut="P", args=(board, max(0, at - 1)), disabled=at == 0, **move)
        if last:
            key = _key(board)
            st.slider(
                "Measured models, from before RLHF to after", 1, last + 1, at + 1, key=key, on_change=_slid, args=(board, key),
                label_visibility="collapsed",
            )  # fmt: skip
        st.button("Next", key="stop_on", shortcut="N", args=(board, min(last, at + 1)), disabled=at == last, **move)
    st.html(
        '<div class="hma-ends"><span>towards before RLHF: more ability</span><span>towards after RLHF: more reward</span></div>'
    )
    return at


def place(board: Board, selected: Point | None) -> int:
    """Where on the front the selected point stands; if it is not on it, where the front's point does that is most like it."""
    keys = [point.key for point in board.front]
    near = board.nearest(selected.recipe, keys) if selected else None
    if selected and selected.key in keys:
        near = selected
    return keys.index(near.key) if near else 0


def _key(board: Board) -> str:
    return f"lever_{board.study.view}_{board.revision}_{state.view().listing}"


def _move(board: Board, at: int) -> None:
    state.pick(board.front[at].key)


def _slid(board: Board, key: str) -> None:
    if key == _key(board):  # An older lever may still speak up.
        state.pick_from_list(board.front[st.session_state[key] - 1].key)


def _picture(board: Board, point: Point) -> None:
    """The front with a ring on the point. As an image: it is light enough to be drawn again at every move."""
    theme = st.context.theme.type or "light"
    words = f"{look.alt(board.points, board.front)} The ring is on {text.point_name(point)}: {telling.sentence(board, point)}"
    images = []
    for shape in drawing.SHAPES:  # The page shows the one that fits it.
        drawn = drawing.front(board, point, words, drawing.of_theme(theme), shape)
        data = base64.b64encode(drawn.encode()).decode()
        images.append(f'<img class="hma-drawing hma-{shape.name}" alt="{escape(words)}" src="data:image/svg+xml;base64,{data}">')
    st.html("".join(images))
    st.caption(look.legend(board.points, board.front))


def _samples(board: Board) -> tuple[Sample, ...]:
    """What both ends and the front's points wrote, read again only when the study gained a point."""
    if st.session_state.get("presented_of") != st.session_state["board_of"]:
        prompts = {prompt.id: prompt.text for prompt in access.prompts(board.study)}
        points = [board.reference, board.policy, *board.front]
        st.session_state["presented"] = samples.read(access.engine().store, board.study, prompts, points)
        st.session_state["presented_of"] = st.session_state["board_of"]
    return st.session_state["presented"]


def _answers(board: Board, point: Point, read: tuple[Sample, ...]) -> None:
    """A chosen prompt and the answers before RLHF, of this point, and after RLHF."""
    if not read:
        st.caption("No answers were kept for these points.")
        return
    key = f"present_prompt_{board.study.view}"
    at = st.selectbox("Prompt", range(len(read)), format_func=lambda i: _named(i, read[i]), key=key)
    if len(read[at or 0].prompt) > _SEEN:
        st.text(text.printable(read[at or 0].prompt), width="stretch")
    ends = ("before", "Before RLHF", board.reference), ("after", "After RLHF", board.policy)
    for side, title, of in (ends[0], ("here", text.point_name(point), point), ends[1]):
        with st.container(border=True, key=f"answer_{side}"):
            answer = read[at or 0].answers.get(of.key)
            if answer is None:
                st.caption(f"**{title}**  \nno answer was kept")
            else:
                st.caption(f"**{title}**  \nreward {text.fixed(answer.reward, 2)}")
                st.text(text.printable(answer.words) or "(an empty answer)", width="stretch")


def _table(board: Board) -> None:
    """The numbers of every stop, reckoned once a revision."""
    if st.session_state.get("stops_of") != st.session_state["board_of"]:
        st.session_state["stops"] = stops(board)
        st.session_state["stops_of"] = st.session_state["board_of"]
    with st.expander(f"All {len(board.front)} models on the front"):
        forms = {"reward": "%.2f", "mean ability": "%.1f", "tax": "%+.1f"}
        numbers = {name: st.column_config.NumberColumn(format=form) for name, form in forms.items()}
        st.dataframe(st.session_state["stops"], hide_index=True, column_config=numbers, key="stops_table")


def stops(board: Board) -> dict[str, list]:
    """The front's points as columns of a table, from the reference's side to the policy's."""
    assert board.reference and board.policy
    found = [kept(board.reference, board.policy, point) for point in board.front]
    return {
        "model": [text.point_name(point) for point in board.front],
        "reward": [point.reward.value for point in board.front],
        "mean ability": [point.ability.value for point in board.front],
        "tax": [board.reference.ability.value - point.ability.value for point in board.front],
        "reward gain kept": [telling.share(share.reward) if share.reward else "not shown" for share in found],
        "lost ability given back": [telling.share(share.ability) if share.ability else "not shown" for share in found],
    }


def _named(place: int, sample: Sample) -> str:
    return f"{place + 1}. {text.printable(sample.prompt)}"


def _export(board: Board, point: Point, read: tuple[Sample, ...]) -> None:
    """The same as one file, with a handful of prompts."""
    with st.expander("Take it with you: one HTML file that works offline"):
        most, few = handout.MOST_PROMPTS, handout.FIRST_PROMPTS
        chosen = st.multiselect(
            f"Prompts in the file, {most} at most; none: the suite's first {few}", range(len(read)),
            format_func=lambda i: _named(i, read[i]), max_selections=most,
            key=f"handout_prompts_{board.study.view}",
        )  # fmt: skip
        picked = [read[i] for i in chosen] or read[:few]
        chat = access.chat(board.study)
        st.download_button(
            "Download the file", lambda: handout.page(board, chat, picked, bool(chosen), point), "alignment-tax.html",
            "text/html", key="handout", on_click="ignore",
        )  # fmt: skip
        st.caption(
            "It holds the front, the lever, these answers, every interval and how all was made; it asks nothing of any network."
        )
