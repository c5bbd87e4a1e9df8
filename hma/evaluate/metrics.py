"""The metric of an lm-eval task that counts, item by item: lm-eval's own filters, ``process_results`` and aggregation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lm_eval.api.instance import Instance
from lm_eval.api.registry import AGGREGATION_REGISTRY
from lm_eval.api.task import ConfigurableTask
from sacrebleu.metrics import BLEU

from hma.errors import MeasureError, SuiteError
from hma.evaluate.ability import Ability
from hma.evaluate.tasks import place_of, quiet, said

_KINDS = {"mean": "mean", "nanmean": "mean", "bleu": "bleu"}
"""lm-eval's own aggregations that items can be kept for."""


@dataclass(frozen=True)
class Metric:
    """How one metric's per-document values become items.

    ``kind`` is "mean" (each value counts by itself), "bleu" (n-gram statistics add up), or "own": the task's own
    aggregation is asked about each document alone, and the mean of that must be what it says of all.
    """

    task: str
    name: str
    chain: str
    kind: str
    aggregate: Callable[[Sequence[Any]], float]
    out_of: float

    @property
    def aggregation(self) -> str:
        """What ``Result`` calls it: "mean" or "bleu"."""
        return "bleu" if self.kind == "bleu" else "mean"

    def items(self, values: Sequence[Any]) -> np.ndarray:
        """Items ``(num_items, width)`` of lm-eval's per-document values; means are in 0..100.

        Raises MeasureError for values beyond 0..``out_of``.
        """
        if self.kind == "bleu":
            return _bleu_statistics(values)
        scores = np.array([self._alone(value) for value in values], dtype=np.float64)
        if not ((scores >= 0) & (scores <= self.out_of)).all():
            worst = next(score for score in scores if not 0 <= score <= self.out_of)
            hint = (
                ' Say "out_of": 100 in its entry of the suite.'
                if self.out_of == 1 and 1 < worst <= 100
                else " Use another metric."
            )
            raise MeasureError(f"The metric {self.name} of {self.task} says {worst:g}, beyond 0..{self.out_of:g}.{hint}")
        return 100.0 * scores.reshape(-1, 1) / self.out_of

    def check(self, items: np.ndarray, values: Sequence[Any]) -> None:
        """Raises MeasureError where the task's own aggregation of all ``values`` is not the mean of their ``items``."""
        if self.kind != "own":
            return
        mean, whole = items.mean() * self.out_of / 100, float(self.aggregate(values))
        if not np.isclose(mean, whole, rtol=1e-9, atol=1e-9):
            raise MeasureError(
                f"The metric {self.name} of {self.task} is no mean over items: {whole:g} over all, and {mean:g} as the mean of "
                "each alone. Use another metric."
            )

    def _alone(self, value: Any) -> float:
        return float(self.aggregate([value]) if self.kind == "own" else value)


def open_metric(task: ConfigurableTask, ability: Ability) -> Metric:
    """The suite's metric of a task.

    Raises SuiteError for one that the task lacks, that lm-eval would drop, or that is more than its items.
    """
    name, _, chain = ability.metric.partition(",")
    chains = [ensemble.name for ensemble in task._filters]
    if chain not in chains and (chain or len(chains) > 1):
        offered = ", ".join(f"'{name},{chain}'" for chain in chains)
        raise SuiteError(f"{ability.task} has no metric '{ability.metric}'. By its filters it has: {offered}.")
    aggregations = task.aggregation()
    if name not in aggregations:
        raise SuiteError(f"{ability.task} has no metric '{name}'. It has: {', '.join(aggregations)}.")
    dropped = name in task._metric_fn_list and task._metric_fn_list[name] is None and task.config.process_results is None
    if dropped or aggregations[name] is None:
        raise SuiteError(f"lm-eval cannot compute the metric '{name}' of {ability.task}, and would drop it. Use another metric.")
    if not task.higher_is_better().get(name, True):
        raise SuiteError(f"In {ability.task} a smaller '{name}' is better. Choose a metric where larger is better.")
    aggregate = aggregations[name]
    known = next((known for known, function in AGGREGATION_REGISTRY.items() if function is aggregate), None)
    if known is not None and known not in _KINDS:
        raise SuiteError(
            f"The metric '{name}' of {ability.task} is aggregated by '{known}', of which no items can be kept. "
            "Supported are means over items, and bleu."
        )
    return Metric(ability.axis.name, name, chain or chains[0], _KINDS.get(known, "own"), aggregate, ability.out_of)


def values_of(
    task: ConfigurableTask, metric: Metric, documents: Sequence[Sequence[Instance]], responses: Sequence[Any]
) -> list[Any]:
    """lm-eval's value of the metric for each document, from the model's ``responses`` to the requests of all, in order."""
    requests = [request for members in documents for request in members]
    for request, response in zip(requests, responses, strict=True):
        request.resps = [response] * (request.repeats or 1)
        request.filtered_resps = {}
    for ensemble in task._filters:
        ensemble.apply(requests)
    values = []
    for members in documents:
        found = task.process_results(members[0].doc, [member.filtered_resps[metric.chain] for member in members])
        if metric.name not in found:
            raise KeyError(f"{metric.name} is not among what the task computes: {', '.join(found)}")
        values.append(found[metric.name])
    return values


def rehearse(
    task: ConfigurableTask, metric: Metric, documents: Sequence[Sequence[Instance]], ability: Ability, split: str
) -> None:
    """Raises SuiteError for what would fail only once the model has answered: each item is scored with a made-up answer.

    The right answer to every other question, that of the one before to the rest; every option is chosen in its turn.
    """
    values: list[Any] = []
    items: list[np.ndarray] = []
    answer = ""
    try:
        with quiet():
            for place, members in enumerate(documents):
                _check_label(task, members[0].doc)
                answer = _target(task, members[0].doc) if place % 2 == 0 else answer
                responses = [_made_up(request, i, place, len(members), answer) for i, request in enumerate(members)]
                values += values_of(task, metric, [members], responses)
                items.append(metric.items(values[-1:]))
        metric.check(np.concatenate(items), values)
    except MeasureError as error:
        raise SuiteError(str(error)) from None
    except Exception as error:  # The task's own code raises what it likes.
        where = place_of(ability, split, min(len(items), len(documents) - 1))
        raise SuiteError(f"{where} cannot be scored by the task {ability.task}: {said(error)}.") from error


def _made_up(request: Instance, option: int, place: int, count: int, answer: str) -> Any:
    if request.request_type == "generate_until":
        return answer
    chosen = (option + place) % count == 0
    return (-1.0 if chosen else -2.0, chosen)


def _target(task: ConfigurableTask, document: Any) -> str:
    target = task.doc_to_target(document)
    if isinstance(target, int) and task.config.doc_to_choice is not None:
        target = task.doc_to_choice(document)[target]
    return str(target[0] if isinstance(target, list | tuple) and target else target)


def _check_label(task: ConfigurableTask, document: Any) -> None:
    """Raises ValueError for a right answer that is none of the options: lm-eval would count every answer as wrong."""
    if task.OUTPUT_TYPE != "multiple_choice" or callable(task.config.process_results):
        return
    options = task.doc_to_choice(document)
    right = task.doc_to_text(document) if task.multiple_input else task.doc_to_target(document)
    for one in right if isinstance(right, list) else [right]:
        if not (0 <= one < len(options) if isinstance(one, int) else one in options):
            raise ValueError(f"its right answer is {one!r}, which is none of its {len(options)} options")


def _bleu_statistics(pairs: Sequence[tuple[Any, str]]) -> np.ndarray:
    """Per-item BLEU statistics ``(num_items, 10)`` of lm-eval's (references, answer) pairs."""
    metric = BLEU()
    rows = []
    for references, answer in pairs:
        references = [references] if isinstance(references, str) else list(references)
        score = metric.corpus_score([answer], [[reference] for reference in references])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=np.float64)
