"""The front as one HTML file that can be handed on: it holds all it needs, asks for nothing, and shows measured points alone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from hma import drawing, look, schema, telling, text
from hma.board import Board
from hma.core.difference import difference
from hma.core.kept import Share, kept
from hma.core.point import Point, Score
from hma.core.statistics import NUM_RESAMPLES
from hma.errors import HmaError
from hma.evaluate import suite
from hma.evaluate.chat import Chat
from hma.samples import Answer, Sample

MOST_PROMPTS, FIRST_PROMPTS = 6, 5
"""How many prompts a file may hold, and how many of the suite's first it holds where nobody chose any."""

LONGEST = 4000
"""Characters of an answer from which on it is cut, so that the file stays small."""

_TEMPLATE = Path(__file__).with_name("handout.html")
_NOTE = (
    "Small figures are 95 % intervals; a positive tax is a loss. MA: one share of the model before RLHF everywhere; HMA: its "
    "share in each block of layers, from input to output."
)
_MARK = re.compile(r"@(\w+)@")


def page(board: Board, chat: Chat, samples: Sequence[Sample], is_picked: bool = False, first: Point | None = None) -> str:
    """The file's text: the board's front, and what its points and both ends answered to the prompts of ``samples``.

    ``is_picked`` says whether somebody chose these prompts; ``first`` is the point that the lever starts at. The same board
    gives the same text. Raises HmaError until both ends are measured.
    """
    if board.reference is None or board.policy is None:
        raise HmaError("A handout needs both ends: measure the reference and the policy first.")
    samples = samples[:MOST_PROMPTS]
    start = next((i for i, p in enumerate(board.front) if first and p.key == first.key), 0)
    shown, frames = board.front[start], [drawing.Frame(board, shape) for shape in drawing.SHAPES]
    data = {
        "stops": [_stop(board, frames, point, samples) for point in board.front],
        "prompts": [_prompt(board, sample) for sample in samples],
    }
    words = f"{look.alt(board.points, board.front)} The table below has the numbers of those on the front."
    parts = {
        "title": _shown(f"{board.study.title}: what RLHF gained, and what it cost"),
        "under": _shown(f"The models {telling.pair(board.study)}, and {len(board.front)} that no other measured one beats."),
        "tax": _shown(telling.TAX),
        "first": str(start),
        "last": str(len(board.front) - 1),
        "name": _shown(text.point_name(shown)),
        "count": f"{start + 1} of {len(board.front)}",
        "said": _shown(telling.sentence(board, shown)),
        "front": "".join(drawing.front(board, shown, words, drawing.OF_PAGE, shape) for shape in drawing.SHAPES),
        "legend": _shown(look.legend(board.points, board.front)),
        "picked": _shown(_picked(board, chat, samples, is_picked)),
        "hidden": "" if samples else "hidden",
        "prompts": "".join(f'<option value="{i}">{_shown(_short(s.prompt))}</option>' for i, s in enumerate(samples)),
        "asked": _shown(data["prompts"][0]["prompt"]) if samples else "",
        "answers": _cards(data, start) if samples else "",
        "note": _shown(_NOTE),
        "table": _table(board),
        "made": "".join(f"<dt>{_shown(what)}</dt><dd>{_shown(said)}</dd>" for what, said in _made(board, chat)),
        "unsaid": "".join(f"<p>{_shown(said)}</p>" for said in _unsaid(board)),
        "data": script_json(data),
    }
    # All at once: what one part says is never read for the mark of another.
    return _MARK.sub(lambda mark: parts[mark[1]] if mark[1] in parts else mark[0], _TEMPLATE.read_text(encoding="utf-8"))


def _shown(words: str) -> str:
    """The words as HTML that shows them as they stand, and does nothing else."""
    return escape(text.printable(words))


def script_json(value: Any) -> str:
    """The value as JSON that cannot end the script element it stands in, nor begin anything else there."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


def _stop(board: Board, frames: Sequence[drawing.Frame], point: Point, samples: Sequence[Sample]) -> dict[str, Any]:
    answers = [_answer(sample.answers.get(point.key)) for sample in samples]
    places = [frame.place(point) for frame in frames]  # One in each drawing of the front.
    return {"name": text.point_name(point), "said": telling.sentence(board, point), "places": places, "answers": answers}


def _prompt(board: Board, sample: Sample) -> dict[str, Any]:
    before, after = (_answer(sample.answers.get(end.key)) for end in (board.reference, board.policy) if end)
    return {"prompt": text.printable(sample.prompt), "before": before, "after": after}


def _answer(answer: Answer | None) -> dict[str, str]:
    if answer is None:
        return {"reward": "", "words": "(no answer was kept)"}
    words = text.printable(answer.words) or "(an empty answer)"
    cut = len(words) - LONGEST
    words = f"{words[:LONGEST]} … (cut: {cut} more characters)" if cut > 0 else words
    return {"reward": f"reward {text.fixed(answer.reward, 2)}", "words": words}


def _cards(data: dict[str, Any], start: int) -> str:
    """The three answers to the first prompt, as they stand before any script runs."""
    stop, prompt = data["stops"][start], data["prompts"][0]
    titles = {"before": "Before RLHF", "here": stop["name"], "after": "After RLHF"}
    answers = {"before": prompt["before"], "here": stop["answers"][0], "after": prompt["after"]}
    return "".join(
        f'<div><h3 id="title-{side}">{_shown(title)}</h3>'
        f'<div class="quiet" id="reward-{side}">{_shown(answers[side]["reward"])}</div>'
        f'<p class="words" id="words-{side}">{_shown(answers[side]["words"])}</p></div>'
        for side, title in titles.items()
    )


def _short(prompt: str) -> str:
    line = " ".join(text.printable(prompt).split())
    return line if len(line) <= 90 else f"{line[:89]}…"


def _picked(board: Board, chat: Chat, samples: Sequence[Sample], is_picked: bool) -> str:
    if not samples:
        return "No answers were kept for these points."
    how = "chosen by who made this file" if is_picked else "the suite's first, not chosen for what they show"
    drawn = chat.generation
    sampled = f"one answer each, at temperature {drawn.temperature:g} with seed {drawn.seed}, the same for every model"
    return f"{len(samples)} of {board.study.num_items} prompts, {how}; {sampled if drawn.temperature else 'greedy, not sampled'}."


def _table(board: Board) -> str:
    head = ("Model", "Reward", "Mean ability", "Tax", "Reward gain kept", "Lost ability given back")
    rows = "".join(_row(board, point) for point in board.front)
    columns = "".join(f'<th scope="col">{name}</th>' for name in head)
    return f"<table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table>"


def _row(board: Board, point: Point) -> str:
    assert board.reference and board.policy
    found, lost = kept(board.reference, board.policy, point), difference(board.reference.ability, point.ability)
    tax = f"{text.signed(lost.value, lost.half_width)} <small>{text.interval(lost.low, lost.high)}</small>"
    shares = "".join(f"<td>{_share(share)}</td>" for share in (found.reward, found.ability))
    scores = "".join(f"<td>{_score(score)}</td>" for score in (point.reward, point.ability))
    return f'<tr><th scope="row">{_shown(text.point_name(point))}</th>{scores}<td>{tax}</td>{shares}</tr>'


def _score(score: Score) -> str:
    return f"{text.rounded(score)} <small>{text.interval(score.low, score.high)}</small>"


def _share(share: Share | None) -> str:
    if share is None:
        return "not shown"
    digits = text.decimals(50 * (share.high - share.low)) if share.high > share.low else 0
    low, value, high = (text.fixed(100 * part, digits) for part in (share.low, share.value, share.high))
    return f"{value}\u00a0% <small>{low} to {high}</small>"


def _made(board: Board, chat: Chat) -> list[tuple[str, str]]:
    """How the numbers came about, line by line."""
    study, drawn = board.study, chat.generation
    days = sorted({point.measured_at[:10] for point in board.points if point.measured_at})
    devices = sorted({point.device for point in board.points if point.device})
    tasks = ", ".join(f"{axis.title} ({axis.unit})" for axis in study.abilities)
    decoding = f"temperature {drawn.temperature:g}, top p {drawn.top_p:g}, seed {drawn.seed}"
    paired = "the same for all models, so that differences and shares are paired"
    return [
        ("Models", f"{telling.pair(study)}; fingerprint of the pair {study.pair}"),
        ("Items", telling.scored_on(study)),
        ("Suite", f"{study.title}, fingerprint {study.suite}; study {study.key}"),
        ("Reward", f"{study.reward.title} ({study.reward.unit}), larger is better"),
        ("Mean ability", f"the plain mean of {tasks}, by groups: our own aggregate"),
        ("Answers", f"{decoding}, at most {drawn.max_new_tokens} tokens"),
        ("Points", f"{len(board.points)} measured, {len(board.front)} on the front{_span(days)}"),
        ("Devices", ", ".join(devices) or "not recorded"),
        ("Intervals", f"95 %, from {NUM_RESAMPLES:,} resamples of the items (seed 0), {paired}"),
        ("Versions", f"evaluation {suite.VERSION}, store {schema.VERSION}"),
    ]


def _span(days: Sequence[str]) -> str:
    if not days:
        return ""
    return f", measured on {days[0]}" if len(days) == 1 else f", measured from {days[0]} to {days[-1]}"


def _unsaid(board: Board) -> list[str]:
    """What the file does not say, so that nobody reads it from it."""
    return [
        "Every stop of the lever is a model that was made and measured. Nothing between two stops is said: no line is a promise "
        "of what a merge there would do.",
        "The front holds the best of all that were tried, on these very items: on others its points lie a little lower. Each "
        "interval stands by itself; of many, one in twenty misses.",
        f"The numbers are about these two models and these {board.study.num_items} items of each task, not about RLHF as such.",
    ]
