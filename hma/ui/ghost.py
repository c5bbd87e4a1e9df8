"""The ghost: what the measured points predict of the merge that the sliders stand on. Predicted, and marked as such.

The adviser fits the surrogate once a revision; its arrays are kept in the store, and here only numpy reads them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import streamlit as st

from hma import text
from hma.board import Board
from hma.core.partition import Partition
from hma.core.question import Question, predicting
from hma.core.recipe import Recipe
from hma.core.surrogate import BAND, Predictor
from hma.engine import Engine
from hma.ui import access, sketch

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_UNKNOWN = "The points measured so far do not say what other merges would do: nothing is predicted."
_NOTE = "Dashed: 95 % bands, by Gaussian processes over {count} measured points."

_asked: WeakKeyDictionary[Engine, set[str]] = WeakKeyDictionary()
"""The keys of the questions that an engine was asked. By itself and not by its id, which the next may have."""


@dataclass(frozen=True)
class Ghost:
    """A predicted place on the chart: reward and mean ability, each with its 95 % band."""

    reward: sketch.Band
    ability: sketch.Band


def show(board: Board, recipe: Recipe, is_measured: bool) -> None:
    """Draw what is predicted of the recipe; nothing where it was measured, or while nothing is known."""
    found = _found(board, recipe.partition)
    if found is None:
        return
    predictor, count = found
    if predictor is None:
        if not is_measured:
            st.caption(_UNKNOWN)
        return
    # Its place stays where there is none, so that nothing below moves: see the style sheet.
    drawn = "" if is_measured else _drawn(board, predicted(predictor, recipe.alphas), count)
    st.html(f'<div class="hma-ghost">{drawn}</div>')


def predicted(predictor: Predictor, alphas: tuple[float, ...]) -> Ghost:
    """The ghost at these alphas: the band is of what would be measured there, with the item noise of a typical point."""
    with _threads().limit(limits=1):
        means, deviations = (row[0] for row in predictor.predict([alphas]))
    (reward, ability), (across, up) = means.tolist(), (BAND * np.hypot(deviations, predictor.noise)).tolist()
    return Ghost((reward, reward - across, reward + across), (ability, max(0.0, ability - up), min(100.0, ability + up)))


@functools.cache
def _threads() -> ThreadpoolController:
    """Numpy's threads: several wait for one another on cores that a worker uses, a hundred times as long as one would take."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def words(ghost: Ghost) -> str:
    """What is predicted, with its bands, at the digits that these support."""
    reward, ability = (f"{_rounded(*band)} ({text.interval(*band[1:])})" for band in (ghost.reward, ghost.ability))
    return f"Predicted, not measured: reward {reward}, mean ability {ability}"


def _rounded(value: float, low: float, high: float) -> str:
    return text.fixed(value, text.decimals((high - low) / 2))


def _drawn(board: Board, ghost: Ghost, count: int) -> str:
    said = words(ghost)
    picture = sketch.front(board, ghost.reward, ghost.ability, said, st.context.theme.type or "light")
    return f'<p class="hma-note"><b>{said}</b></p>{picture}<p class="hma-note"><small>{_NOTE.format(count=count)}</small></p>'


def _found(board: Board, partition: Partition) -> tuple[Predictor | None, int] | None:
    """The board's predictor, or None where it knows nothing, with how many points it is of; None while there is no answer.

    Read once a revision; where the store has none, it is asked for.
    """
    made_of = (*st.session_state["board_of"], partition)
    kept = st.session_state.get("ghost")
    if kept is None or kept[0] != made_of:
        kept = st.session_state["ghost"] = (made_of, predicting(board.points, partition), None)
    _, question, found = kept
    if found is None and question is not None:
        stored = access.engine().store.kept([question.key])
        if question.key in stored:
            data = stored[question.key]
            found = (Predictor.from_dict(data) if data else None, len(question.observed))
            st.session_state["ghost"] = (made_of, question, found)
        else:
            _ask(board, question)
    return found


def _ask(board: Board, question: Question) -> None:
    """Ask what is predicted, once; while a run goes on, only when it is over: its every point would be another question."""
    engine = access.engine()
    asked = _asked.setdefault(engine, set())
    if not access.is_read_only() and not access.runs().is_busy and question.key not in asked:
        asked.add(question.key)
        access.to_work().ask(board.study, question)
