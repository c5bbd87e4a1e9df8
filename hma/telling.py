"""Points in plain sentences, for people who have not seen the words of this program before."""

from __future__ import annotations

from pathlib import Path

from hma import text
from hma.board import Board
from hma.core.difference import difference
from hma.core.kept import Share, kept
from hma.core.point import Point
from hma.core.study import Study

TAX = (
    "RLHF is training on what people like. The alignment tax is what it costs: the ability that the model had before it and "
    "lacks now, in points of mean ability. A merge averages the weights of both models, to have much of the one and lose little "
    "of the other."
)


def sentence(board: Board, point: Point) -> str:
    """What the point keeps and gives back, with 95 % intervals; what cannot be said is said to be so.

    Raises ValueError until both ends are measured.
    """
    if board.reference is None or board.policy is None:
        raise ValueError("a share of RLHF's gain needs both ends")
    if point.recipe.is_end:
        return _end(board, point)
    found = kept(board.reference, board.policy, point)
    kind = "This merge" if not point.recipe.is_extrapolation else "This extrapolation"
    keeps = (
        f"keeps {share(found.reward)} of the reward gain"
        if found.reward
        else "cannot be said to keep a share of the reward gain, since none is shown on these items"
    )
    gives = (
        f"gives back {share(found.ability)} of the lost ability"
        if found.ability
        else "no loss of ability is shown that it could give back"
    )
    return f"{kind} {keeps}, and {gives}."


def _end(board: Board, point: Point) -> str:
    assert board.reference and board.policy
    if point.recipe.alphas[0] == 1:
        return "This is the model before RLHF: nothing of the reward gain, and nothing lost."
    gain, lost = difference(point.reward, board.reference.reward), difference(board.reference.ability, point.ability)
    return (
        f"This is the model after RLHF: the whole gain in reward, {text.signed(gain.value, gain.half_width)} "
        f"(95 %: {text.interval(gain.low, gain.high)}), and the whole loss of ability, "
        f"{text.fixed(lost.value, text.decimals(lost.half_width))} points (95 %: {text.interval(lost.low, lost.high)})."
    )


def share(found: Share) -> str:
    """A share in per cent with its interval, at the digits that this supports."""
    digits = text.decimals(50 * (found.high - found.low)) if found.high > found.low else 0
    value, low, high = (text.fixed(100 * part, digits) for part in (found.value, found.low, found.high))
    return f"{value}\u00a0% (95 %: {low} to {high}\u00a0%)"


def scored_on(study: Study) -> str:
    """Which items the numbers are of, and what that means for who reads them."""
    tasks = ", ".join(axis.title for axis in study.abilities)
    meaning = (
        "They are validation items, by which merges are chosen: on other items the chosen ones do a little worse."
        if study.split == "validation"
        else "They are test items, kept for reporting; still, a front holds the best of several on these very items."
    )
    return f"Scored on {study.num_items} {study.split} items of each task ({tasks}) and {study.num_items} chat prompts. {meaning}"


def pair(study: Study) -> str:
    """The two models by name, without the folders they lie in."""
    return f"{_name(study.reference)} (before RLHF) and {_name(study.policy)} (after)"


def _name(place: str) -> str:
    return Path(place).name if Path(place).is_absolute() else place
