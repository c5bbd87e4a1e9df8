"""Models of the lab measured with the app's own evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hma.core import point
from hma.core.statistics import Result, value
from hma.evaluate.suite import load_suite

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from hma.evaluate.evaluator import Evaluator

Scores = dict[str, float]
"""``reward``, each ability, and ``ability``, their mean."""


def evaluator(suite: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, split: str) -> Evaluator:
    """The evaluator of a miniature's suite at its full size; it measures whatever weights ``model`` holds."""
    from hma.evaluate.evaluator import Evaluator

    return Evaluator(load_suite(suite, split, "full"), model, tokenizer)


def scores_of(results: Mapping[str, Result]) -> Scores:
    """Values of one measurement."""
    groups = {name: [name] for name in results if name != "reward"}
    _, ability = point.scores_of([results], groups)[0]
    return {**{name: value(result) for name, result in results.items()}, "ability": ability.value}
