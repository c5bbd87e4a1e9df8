"""Who answers on the page Samples: the selected point, a pinned one, and both ends, with what they wrote."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from hma import samples, text
from hma.board import Board
from hma.core.point import Point
from hma.samples import Sample
from hma.ui import access, state


@dataclass(frozen=True)
class Side:
    """Who answers: a name for the program, a title for people, and the point."""

    name: str
    title: str
    point: Point


@dataclass(frozen=True)
class Cast:
    """Whose answers stand on the page: ``one`` is the selected point; ``sides`` are all, from the reference to the policy."""

    board: Board
    one: Side
    sides: tuple[Side, ...]
    samples: tuple[Sample, ...]

    @property
    def others(self) -> dict[str, Side]:
        """Whom the selected point can be compared with, by name."""
        return {side.name: side for side in self.sides if side != self.one}

    def key(self, name: str) -> str | None:
        """The key of the point that is called so, if it is here."""
        return next((side.point.key for side in self.sides if side.name == name), None)


def cast(board: Board, one: Point, having: frozenset[str]) -> Cast:
    """The selected point with both ends and the pinned point, as far as these have answers, and what they wrote."""
    other = state.pinned(board)
    lettered = other is not None and other.key in having and other.key != one.key
    title = f"A: {text.point_name(one)}" if lettered else text.point_name(one)
    named = [("reference", "Reference", board.reference), ("one", title, one)]
    if lettered:
        named.append(("other", f"B: {text.point_name(other)}", other))
    sides = [Side(*side) for side in [*named, ("policy", "Policy", board.policy)] if side[2] and side[2].key in having]
    sides = [side for side in sides if side.name in ("one", "other") or not _is_there(side, one, other if lettered else None)]
    return Cast(board, next(s for s in sides if s.name == "one"), tuple(sides), _read(board, sides))


def _is_there(end: Side, *chosen: Point | None) -> bool:
    """Whether an end stands on the page already, as the selected or the pinned point."""
    return any(point is not None and point.key == end.point.key for point in chosen)


def _read(board: Board, sides: list[Side]) -> tuple[Sample, ...]:
    """The samples of these points, read again only when points or results change. The selected point's prompts come first."""
    points = sorted((side.point for side in sides), key=lambda p: p.key != state.view().selected)
    made_of = (st.session_state["board_of"], tuple(p.key for p in points))
    if st.session_state.get("samples_of") != made_of:
        prompts = {prompt.id: prompt.text for prompt in access.prompts(board.study)}
        st.session_state["samples"] = samples.read(access.engine().store, board.study, prompts, points)
        st.session_state["samples_of"] = made_of
    return st.session_state["samples"]


def answered(board: Board) -> frozenset[str]:
    """The keys of the board's points that have answers, read again only when it gained a point."""
    if st.session_state.get("answered_of") != st.session_state["board_of"]:
        st.session_state["answered"] = access.engine().store.answered(board.study)
        st.session_state["answered_of"] = st.session_state["board_of"]
    return st.session_state["answered"]
