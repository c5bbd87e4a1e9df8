"""Blind A/B: two answers to a prompt without who wrote which, votes, and what came of them.

Until a round is over nothing on the page hangs on who stands left, but for the two texts: no key, no number, no download.
"""

from __future__ import annotations

import csv
import io
import secrets

import streamlit as st

from hma import text
from hma.core.ballot import LEFT, ONE, RIGHT, SKIP, TIE, Ballot
from hma.samples import Sample
from hma.ui.cast import Cast, Side

_SAID = {LEFT: ("Left is better", "1"), TIE: ("Tie", "2"), RIGHT: ("Right is better", "3"), SKIP: ("Skip", "S")}
"""Votes as buttons, each with its key."""

_WORDS = {LEFT: "left", RIGHT: "right", TIE: "tie", SKIP: "skipped", None: "not asked"}

_REWARDS = ("reward left", "reward right")
_TWO_DIGITS = st.column_config.NumberColumn(format="%.2f")


def show(cast: Cast) -> None:
    """The round between the selected point and another, as far as it has come."""
    others = cast.others
    if not others:
        st.info("A blind comparison takes two points with answers. Pin a second one above, or measure an end on Explore.")
        return
    name = st.segmented_control(
        "The selected point against", list(others), format_func=lambda n: _title(others[n]), default=next(iter(others)),
        required=True, key=f"blind_against_{'_'.join(others)}",
    )  # fmt: skip
    other = others[name or next(iter(others))]
    asked = _differing(cast, other)
    if not asked:
        st.info(f"Both gave the same answer to each of the {len(cast.samples)} prompts: there is nothing to choose between.")
        return
    ballot = _ballots().get(_place(cast, other))
    if ballot is None:
        _offer(cast, other, asked)
    elif ballot.is_over:
        _reveal(cast, other, ballot, asked)
    else:
        _ask(cast, other, ballot, asked)


def _differing(cast: Cast, other: Side) -> dict[str, Sample]:
    """The samples by id to which the two wrote other words: none else can be voted on."""
    keys = cast.one.point.key, other.point.key
    answers = {s.id: [s.answers[k].words for k in keys] for s in cast.samples if all(k in s.answers for k in keys)}
    return {s.id: s for s in cast.samples if s.id in answers and answers[s.id][0] != answers[s.id][1]}


def _ballots() -> dict[tuple[str, str, str], Ballot]:
    """This session's rounds. They are kept on the server: the browser is sent what is drawn, and nothing else."""
    return st.session_state.setdefault("ballots", {})


def _place(cast: Cast, other: Side) -> tuple[str, str, str]:
    return cast.board.study.view, cast.one.point.key, other.point.key


def _begin(place: tuple[str, str, str], items: list[str]) -> None:
    _ballots()[place] = Ballot.drawn(items, secrets.randbits(63))


def _change(place: tuple[str, str, str], change: str, *arguments: str) -> None:
    _ballots()[place] = getattr(_ballots()[place], change)(*arguments)


def _title(side: Side) -> str:
    return {"reference": "the reference", "policy": "the policy"}.get(side.name, side.title)


def _offer(cast: Cast, other: Side, asked: dict[str, Sample]) -> None:
    same = len(cast.samples) - len(asked)
    left_out = f" Left out: {_counted(same, 'prompt')} to which both gave the same answer." if same else ""
    st.markdown(
        f"You are shown two answers to each of {_counted(len(asked), 'prompt')}, one by **{cast.one.title}** and one by "
        f"**{_title(other)}**, and not told which is whose: for each prompt that is drawn by lot."
    )
    st.caption(
        f"Stop whenever you like: what the votes say is shown then, and who wrote what.{left_out} Votes are kept in this tab's "
        "session alone, until it is closed or loaded again; they can be downloaded once the round is over."
    )
    st.button("Begin", type="primary", key="blind_begin", on_click=_begin, args=(_place(cast, other), list(asked)))


def _ask(cast: Cast, other: Side, ballot: Ballot, asked: dict[str, Sample]) -> None:
    """The prompt in hand, its two answers, and the votes."""
    place, at = _place(cast, other), len(ballot.votes)
    sample = asked[ballot.items[at]]
    keys = {writer: side.point.key for writer, side in zip((ONE, "other"), (cast.one, other), strict=True)}
    st.caption(f"Prompt {at + 1} of {len(ballot.items)}. Votes are kept in this tab's session alone.")
    with st.container(border=True, key="answer_prompt", gap="xsmall"):
        st.caption("**Prompt**")
        st.text(text.printable(sample.prompt), width="stretch")
    for column, side, writer in zip(st.columns(2, gap="small"), (LEFT, RIGHT), ballot.writers(at), strict=True):
        with column, st.container(border=True, height="stretch", key=f"answer_{side}"):
            st.caption(f"**{side.capitalize()}**")
            st.text(text.printable(sample.answers[keys[writer]].words) or "(an empty answer)", width="stretch")
    with st.container(horizontal=True, gap="small", key="votes"):
        for vote, (label, key) in _SAID.items():
            st.button(label, key=f"vote_{vote}", shortcut=key, on_click=_change, args=(place, "voted", vote), width="content")
    with st.container(horizontal=True, gap="small", key="blind_rest"):
        st.button("Take the last vote back", key="blind_back", on_click=_change, args=(place, "taken_back"), disabled=at == 0)
        st.button(
            "Stop and reveal", key="blind_reveal", on_click=_change, args=(place, "close"), disabled=not ballot.tally.num_votes
        )


def _reveal(cast: Cast, other: Side, ballot: Ballot, asked: dict[str, Sample]) -> None:
    """What the votes say, who wrote what, and the votes to be taken away."""
    st.markdown(_verdict(cast, other, ballot))
    st.caption(_caveat(cast, other, ballot, asked))
    rows = _rows(cast, other, ballot, asked)
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Download the votes", _csv(rows), "votes.csv", "text/csv", key="blind_download", on_click="ignore", width="content"
        )
        st.button("Begin a new round", key="blind_again", on_click=_begin, args=(_place(cast, other), list(asked)))
    st.dataframe(
        {name: [row[name] for row in rows] for name in rows[0]}, hide_index=True, height=320, key="votes_table", placeholder="–",
        column_config={"prompt": st.column_config.TextColumn(width="large"), **dict.fromkeys(_REWARDS, _TWO_DIGITS)},
    )  # fmt: skip


def _verdict(cast: Cast, other: Side, ballot: Ballot) -> str:
    tally = ballot.tally
    if tally.share is None:
        return "No vote was cast: nothing can be said."
    low, high = (f"{100 * end:.0f}" for end in tally.interval)
    verdict = "" if tally.is_shown else " **No preference is shown.**"
    ties, votes = _counted(tally.ties, "tie"), _counted(tally.num_votes, "vote")
    return (
        f"**{cast.one.title}** won {100 * tally.share:.0f} % of {votes} against {_title(other)} (95 %: {low} to {high} %)."
        f"{verdict} {tally.wins} for it, {tally.losses} against, {ties}, {tally.skipped} skipped."
    )


def _caveat(cast: Cast, other: Side, ballot: Ballot, asked: dict[str, Sample]) -> str:
    """How the share is reckoned, what it is of, and whether the reward would have voted alike."""
    keys = cast.one.point.key, other.point.key
    decided = [(ballot.preferred(i), asked[ballot.items[i]].gain(*keys)) for i in range(len(ballot.votes))]
    told = [(winner == ONE) == (gain > 0) for winner, gain in decided if winner and gain]
    agreed = f" The reward prefers the same answer in {sum(told)} of {len(told)} votes where it prefers one." if told else ""
    same = len(cast.samples) - len(asked)
    left_out = f"; {_counted(same, 'prompt')} with equal answers left out" if same else ""
    return (
        f"Wilson's interval; a tie is half a vote for each, a skip none{left_out}. It is one person's taste on these "
        f"{cast.board.study.split} prompts.{agreed}"
    )


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _rows(cast: Cast, other: Side, ballot: Ballot, asked: dict[str, Sample]) -> list[dict[str, object]]:
    """A row for each prompt that was voted on or skipped."""
    names = {ONE: text.point_name(cast.one.point), "other": text.point_name(other.point)}
    rows = []
    for at, vote in enumerate(ballot.votes):
        sample, (left, right), winner = asked[ballot.items[at]], ballot.writers(at), ballot.preferred(at)
        rewards = {w: sample.answers[s.point.key].reward for w, s in ((ONE, cast.one), ("other", other))}
        rows.append(
            {
                "item": sample.id,
                "prompt": text.printable(sample.prompt),
                "left": names[left],
                "right": names[right],
                "vote": _WORDS[vote],
                "preferred": names[winner] if winner else "",
                **dict(zip(_REWARDS, (rewards[left], rewards[right]), strict=True)),
            }
        )
    return rows


def _csv(rows: list[dict[str, object]]) -> str:
    """The rows as CSV. A text that a spreadsheet would take for a formula has an apostrophe before it."""
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) if isinstance(value, str) else value for name, value in row.items()})
    return written.getvalue()


def _harmless(words: str) -> str:
    return f"'{words}" if words.startswith(("=", "+", "-", "@", "\t", "\r")) else words
