"""What it saves to read a question once for all of its options, and from where on."""

from __future__ import annotations

import itertools
import json
import random
import statistics
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hma.checkpoints.pair import open_pair
from hma.study import SHIPPED
from hma.threads import one_thread

QUESTIONS, OPTIONS, WORDS = (10, 30, 100), (2, 4), (2, 10, 30)
"""Tokens of a question, options to it, and tokens of an option at most; drawn from 0.8 of them upwards."""

_HIDDEN, _LAYERS, _VOCABULARY = 256, 4, 8000


def prefix(
    count: Annotated[int, typer.Option("--questions", help="Questions of each shape.", min=1)] = 32,
    runs: Annotated[int, typer.Option(help="Times that each is done, in turns.", min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """How much faster options are scored when their question is read once for all of them, against a row for each.

    On a small random Llama on one core, for questions and options of several lengths; with the share of tokens that is
    spared, and whether the plan of a suite would do so.
    """
    from hma.checkpoints.loading import load_tokenizer  # These bring torch.
    from hma.evaluate.reuse import llama

    tokenizer = load_tokenizer(open_pair(SHIPPED / "reference", SHIPPED / "policy").policy)
    model = llama(_HIDDEN, _LAYERS, _VOCABULARY)
    shapes = list(itertools.product(QUESTIONS, OPTIONS, WORDS))
    with one_thread():
        found = [_compared(model, tokenizer, _pairs(tokenizer, count, *shape), runs, shape) for shape in shapes]
    if as_json:
        print(json.dumps(found))
    else:
        _print(found)


def _pairs(tokenizer: Any, count: int, question: int, options: int, words: int) -> list[tuple[str, str]]:
    """Questions with their options, of words that the tokenizer knows; the same every time."""
    draw = random.Random(0)
    known = sorted(word for word in tokenizer.get_vocab() if word.isalpha())

    def text(most: int) -> str:
        return " ".join(draw.choices(known, k=draw.randint(-(-most * 4 // 5), most)))

    asked = [text(question) for _ in range(count)]
    return [(context, f" {text(words)}") for context in asked for _ in range(options)]


def _compared(model: Any, tokenizer: Any, pairs: list[tuple[str, str]], runs: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """Seconds of both ways, whole rows over shared questions, and how far the scores are apart."""
    from hma.evaluate.likelihood import SPARED, LikelihoodPlan

    shared, whole = (LikelihoodPlan(pairs, tokenizer, model.device, spared=spared) for spared in (0.0, 1.0))
    answers = [plan.responses(model) for plan in (shared, whole)]
    seconds = []
    for _ in range(runs):
        for plan in (shared, whole):
            plan.responses(model)
        seconds.append((shared.model_seconds, whole.model_seconds))
    tokens = [sum(question.tokens(is_shared) for question in shared.questions) for is_shared in (True, False)]
    return {
        **dict(zip(("question", "options", "words"), shape, strict=True)),
        "spared": 1 - tokens[0] / tokens[1],
        "shares": sum(question.shares(SPARED) for question in shared.questions) / len(shared.questions),
        "seconds": [statistics.median(column) for column in zip(*seconds, strict=True)],
        "speedup": statistics.median(row / once for once, row in seconds),
        "difference": max(abs(a[0] - b[0]) for a, b in zip(*answers, strict=True)),
    }


def _print(found: list[dict[str, Any]]) -> None:
    table = Table(title="A question read once for all of its options, against a row for each", title_justify="left")
    for head in ("question", "options", "words in each", "tokens spared", "times as fast", "a suite does so"):
        table.add_column(head, justify="right")
    for shape in found:
        cells = [str(shape[name]) for name in ("question", "options", "words")]
        table.add_row(*cells, f"{shape['spared']:.0%}", f"{shape['speedup']:.2f}", f"{shape['shares']:.0%}")
    console = Console()
    console.print(table)
    console.print(f"The largest difference in a log-likelihood is {max(shape['difference'] for shape in found):.0e} nats.")
