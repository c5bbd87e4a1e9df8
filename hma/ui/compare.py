"""The page Compare fronts: what each method found, chosen on validation items and reported on test items."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

from hma import contest, look, text
from hma.board import SWAPPED, Board
from hma.contenders import HMA, MA, Contender, contenders
from hma.contest import Contest
from hma.core.recipe import digest
from hma.core.study import Study
from hma.text import plain
from hma.ui import access, contested, diagram, fronts, growing, plans, verdict
from hma.ui.guard import shown


def show(study: Study) -> None:
    """The whole page for one size of the pair and suite; the items that choose are always the validation items."""
    choosing, reporting_on = (_board(access.study(split, study.size)) for split in ("validation", "test"))
    everyone = _contenders(str(access.engine().store.path), choosing.study.view, choosing.revision, choosing)
    if choosing.looks_swapped:
        st.warning(SWAPPED)
    if study.split == "test":
        st.caption(
            "The study bar is on test items, which are for reporting. What is compared is still chosen on the "
            f"{choosing.study.num_items} validation items of the same size."
        )
    if not everyone:
        contested.show_empty(choosing, reporting_on)
        growing.show(choosing, reporting_on)
        return
    entered, is_equal = _settings(everyone)
    if not entered:
        st.info("Pick two methods, or more, to compare their fronts.")
        return
    found = _contest(
        str(access.engine().store.path), _made_of(choosing), _made_of(reporting_on), tuple(c.name for c in entered), is_equal,
        choosing, reporting_on, entered,
    )  # fmt: skip
    _compare(found, choosing, reporting_on, everyone)


def _made_of(board: Board) -> tuple[str, int]:
    return board.study.view, board.revision


def _board(of: Study) -> Board:
    store = access.engine().store
    return _read(str(store.path), of.view, store.revision(of), of)


# Both splits are looked at in every run, and ``access.board`` keeps one study. What is kept here is the same for every person.
@st.cache_resource(show_spinner=False, max_entries=8)
def _read(store: str, view: str, revision: int, _study: Study) -> Board:
    return Board.read(access.engine().store, _study)


@st.cache_resource(show_spinner=False, max_entries=8)
def _contenders(store: str, view: str, revision: int, _board: Board) -> list[Contender]:
    return contenders(_board.points)


@st.cache_resource(show_spinner=False, max_entries=32)
def _contest(
    store: str, choosing: tuple[str, int], reporting: tuple[str, int], names: tuple[str, ...], is_equal: bool,
    _choosing: Board, _reporting: Board, _entered: Sequence[Contender],
) -> Contest:  # fmt: skip
    return contest.held(_choosing, _reporting, _entered, is_equal)


def _settings(everyone: Sequence[Contender]) -> tuple[list[Contender], bool]:
    """Who is compared, in their own order, and whether with equal numbers of points."""
    names = [contender.name for contender in everyone]
    first = [name for name in (MA, HMA) if name in names]
    first += [name for name in names if name not in first][: 2 - len(first)]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="compared"):
        picked = st.pills(
            "Methods to compare", names, selection_mode="multi", default=first, key=f"compared_{digest(names)}",
            format_func=lambda name: plain(plans.method_title(name)), persist_state="session", wrap=True,
        )  # fmt: skip
        is_equal = st.toggle("Equal numbers of points", key="equal_numbers", persist_state="session", help=_EQUAL)
    return [contender for contender in everyone if contender.name in (picked or [])], is_equal


_EQUAL = (
    "Each method then has as many points as the one with the fewest. They are picked without a look at their scores: both ends, "
    "and at evenly spaced mean shares the nearest point; of equally near ones that whose key (a hash of its recipe) comes first. "
    "The same points every time, but a subset: another pick would give other numbers."
)


def _compare(found: Contest, choosing: Board, reporting_on: Board, everyone: Sequence[Contender]) -> None:
    titles = {name: plans.method_title(name) for name in found.drawn}
    marked = {name: plain(title) for name, title in titles.items()}
    _say(found, marked)
    if len(everyone) == 1:
        contested.show_alone(found, marked)
    elif len(found.drawn) == 1:
        st.info("Pick one more method to compare it with.")
    growing.show(choosing, reporting_on)
    with shown():
        contested.show_next(found, choosing, reporting_on)
    left, right = st.columns([3, 2], gap="medium")
    with left, shown():
        _chart(found, titles, [contender.name for contender in everyone])
    with right, shown():
        st.html(verdict.table(found, titles))
        _downloads(found, titles)
    with shown():
        contested.show_points(found, reporting_on, titles)
    with st.expander("How to read this comparison"):
        st.markdown(contested.READING)


def _say(found: Contest, titles: dict[str, str]) -> None:
    """The verdict in words, with what it rests on."""
    with st.container(key="verdict", gap="xsmall"):
        st.markdown(verdict.badge(found))
        told = verdict.verdicts(found, titles)
        for one in told:
            st.markdown(f"##### {one.claim}" if len(told) == 1 else f"**{one.claim}**")
            st.markdown(" ".join((one.by, *one.at_equal_reward)))
        st.caption(verdict.budgets(found, titles) + (f" {_SUBSET}" if found.is_equal and len(found.drawn) > 1 else ""))


_SUBSET = (
    "Of a method with more, these are a subset, spread evenly over the mean share without a look at scores: another pick would "
    "give other numbers."
)


def _chart(found: Contest, titles: dict[str, str], everyone: Sequence[str]) -> None:
    with st.container(key="contest_plot", gap="xsmall"):
        diagram.draw(_figure(found, titles, everyone), "contest_chart", fronts.alt(found, titles), view=found.study.view)
        with st.container(key="facts"):
            st.caption(_facts(found))


def _figure(found: Contest, titles: dict[str, str], everyone: Sequence[str]) -> dict:
    """The figure, made again only when results or settings changed."""
    theme = st.context.theme.type or "light"
    kept = st.session_state.get("contest_figure")
    if kept is None or kept[0] is not found or kept[1] != theme:
        styles = {name: look.front_style(name, everyone) for name in titles}
        kept = st.session_state["contest_figure"] = found, theme, fronts.figure(found, titles, styles, theme)
    return kept[2]


def _facts(found: Contest) -> str:
    """Which items, and the corner, which is the same for all."""
    said = f"{found.study.num_items} {found.study.split} items. Filled: on its method's front. Open: chosen, and beaten here."
    reference, policy = found.ends
    if reference is None or policy is None:
        return f"{said} No hypervolume yet: it needs both ends measured."
    return (
        f"{said} One corner for all, the worse of both ends: {text.corner([reference, policy])}. The box from there to the "
        "better of both ends is 100 %."
    )


def _downloads(found: Contest, titles: dict[str, str]) -> None:
    if found.comparison is None:
        return
    name, rest = f"fronts-{found.study.split}-{found.study.num_items}", {"on_click": "ignore"}
    with st.container(horizontal=True, gap="small", key="contest_downloads"):
        st.download_button("Table (CSV)", lambda: contest.to_csv(found), f"{name}.csv", "text/csv", **rest)
        st.download_button(
            "Comparison (JSON)", lambda: _json(found, titles), f"{name}.json", "application/json", on_click="ignore"
        )


def _json(found: Contest, titles: dict[str, str]) -> str:
    return json.dumps(contest.to_dict(found, verdict.words(found, titles)), indent=2, ensure_ascii=False)
