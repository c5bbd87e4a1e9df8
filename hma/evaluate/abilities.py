"""Abilities: lm-eval tasks whose requests are built once and answered by any weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.utils import normalize_gen_kwargs
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.statistics import Result
from hma.errors import SuiteError
from hma.evaluate.ability import Ability
from hma.evaluate.generation import AnswerPlan, Progress, no_progress
from hma.evaluate.likelihood import LikelihoodPlan
from hma.evaluate.metrics import by_document, open_metric, rehearse, values_of
from hma.evaluate.tasks import build_requests, open_task

_KEPT = {"until", "do_sample", "temperature", "max_gen_toks", "top_p", "top_k"}
"""Generation settings that greedy decoding obeys, or that mean nothing to it."""


class AbilityTask:
    """One lm-eval task with its requests tokenised and batched.

    The task's own documents, prompts, filters and metric decide; only the model calls are ours.
    """

    def __init__(
        self,
        ability: Ability,
        split: str,
        num_items: int,
        tokenizer: PreTrainedTokenizerBase,
        device: torch.device,
        context_length: int | None = None,
    ) -> None:
        """Builds the first ``num_items`` documents of ``split``. Raises SuiteError for a task that cannot be used."""
        self.name = ability.axis.name
        self._task = open_task(ability, split, num_items)
        self._metric = open_metric(self._task, ability)
        self._requests = build_requests(self._task, ability, split, num_items)
        rehearse(self._task, self._metric, self._requests, ability, split)
        try:
            self._plans = _plans(self._requests, tokenizer, device, context_length)
        except SuiteError as error:
            raise SuiteError(f"{self.name}: {error}") from None
        self._ids = _ids(self._requests)

    @property
    def model_seconds(self) -> float:
        """Seconds that the last ``responses`` spent in the model itself."""
        return sum(plan.model_seconds for plan, _ in self._plans)

    def result(self, model: PreTrainedModel, progress: Progress = no_progress) -> Result:
        """Measure the model on every item of the task."""
        return self.scored(self.responses(model, progress))

    def responses(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[Any]:
        """The model's answer to each request: a text, or a log-likelihood with whether it is the greedy choice."""
        responses: list[Any] = [None] * len(self._requests)
        before = 0
        for plan, places in self._plans:

            def of_all(done: int, total: int, before: int = before) -> None:
                progress(before + done, len(responses))

            found = plan.scores(model, of_all) if isinstance(plan, LikelihoodPlan) else plan.answers(model, of_all)
            for place, response in zip(places, found, strict=True):
                responses[place] = response
            before += len(places)
        return responses

    def scored(self, responses: list[Any]) -> Result:
        """The metric's per-item results of ``responses``, with the texts among them."""
        texts = tuple(response for response in responses if isinstance(response, str))
        items = self._metric.items(values_of(self._task, self._metric, self._requests, responses))
        return Result(self._metric.aggregation, items, self._ids, texts if len(texts) == len(items) else None)


def _plans(
    requests: Sequence[Instance], tokenizer: PreTrainedTokenizerBase, device: torch.device, context_length: int | None
) -> list[tuple[LikelihoodPlan | AnswerPlan, list[int]]]:
    """A plan for each kind of request that the task makes, with the places of these requests among all."""
    kinds: dict[str, list[int]] = {}
    for place, request in enumerate(requests):
        kinds.setdefault(request.request_type, []).append(place)
    plans: list[tuple[LikelihoodPlan | AnswerPlan, list[int]]] = []
    for kind, places in kinds.items():
        asked = [requests[place] for place in places]
        if kind == "loglikelihood":
            pairs = [request.args for request in asked]
            plans.append((LikelihoodPlan(pairs, tokenizer, device, context_length=context_length), places))
        elif kind == "generate_until":
            plans.append((_answer_plan(asked, tokenizer, device, context_length), places))
        else:
            raise SuiteError(f"It asks for '{kind}' requests. Supported are loglikelihood and generate_until.")
    return plans


def _answer_plan(
    requests: Sequence[Instance], tokenizer: PreTrainedTokenizerBase, device: torch.device, context_length: int | None
) -> AnswerPlan:
    said = requests[0].args[1]
    if any(request.args[1] != said for request in requests):
        raise SuiteError("It asks for other generation settings from item to item. Use one setting.")
    settings = normalize_gen_kwargs(said)
    if settings["do_sample"] and settings.get("temperature", 1.0) > 0:
        raise SuiteError("It samples its answers. Abilities are decoded greedily: set do_sample to false.")
    if unknown := sorted(set(settings) - _KEPT):
        raise SuiteError(f"It asks for the generation setting '{unknown[0]}', which is not supported. Leave it out.")
    return AnswerPlan(
        [request.args[0] for request in requests],
        tokenizer,
        device,
        max_new_tokens=settings["max_gen_toks"],
        stops=settings["until"],
        context_length=context_length,
    )


def _ids(requests: Sequence[Instance]) -> tuple[str, ...]:
    """A name for each document: its own ``id`` where all have one of their own, else its place."""
    documents = {document: members[0].doc for document, members in by_document(requests).items()}
    own = [doc.get("id") if isinstance(doc, dict) else None for doc in documents.values()]
    return tuple(map(str, own if None not in own and len(set(map(str, own))) == len(own) else documents))
