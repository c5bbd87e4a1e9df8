"""Abilities: lm-eval tasks whose requests are built once and answered by any weights."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.utils import normalize_gen_kwargs
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.recipe import digest
from hma.core.statistics import Result
from hma.errors import SuiteError
from hma.evaluate.ability import Ability
from hma.evaluate.generation import AnswerPlan, Progress, no_progress
from hma.evaluate.likelihood import LikelihoodPlan
from hma.evaluate.metrics import open_metric, rehearse, values_of
from hma.evaluate.tasks import build_requests, open_task, place_of
from hma.evaluate.tiers import Plan, Planned, Tier

_OBEYED = {"until", "do_sample", "temperature", "max_gen_toks", "top_p", "top_k"}
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
        ends: Sequence[int] = (),
    ) -> None:
        """Builds the first ``num_items`` documents of ``split``, in tiers cut at ``ends``.

        Raises SuiteError for a task that cannot be used, before any forward pass.
        """
        self.name = ability.axis.name
        self._task = open_task(ability, split, num_items)
        self._metric = open_metric(self._task, ability)
        self._documents = build_requests(self._task, ability, split, num_items)
        rehearse(self._task, self._metric, self._documents, ability, split)
        self.ids = _ids(self._documents)
        """The items' ids, in their order."""
        self.hashes = tuple(map(_asked, self._documents))
        """A hash of what each item holds and asks."""

        def plan(tier: Tier) -> Plan:
            def where(item: int) -> str:
                return f"{place_of(ability, split, item)} (id '{self.ids[item]}')"

            try:
                return _plan(self._requests(*tier), tokenizer, device, context_length, self.name, where)
            except SuiteError as error:
                raise SuiteError(f"{self.name}: {error}") from None

        self._planned = Planned(plan, tuple(ends), num_items)

    @property
    def model_seconds(self) -> float:
        """Seconds that the last ``responses`` spent in the model itself."""
        return self._planned.model_seconds

    @property
    def note(self) -> str:
        """What a person should know of how the task was measured."""
        return self._planned.note

    def result(self, model: PreTrainedModel, progress: Progress = no_progress, start: int = 0) -> Result:
        """Measure the model on the task's items from ``start`` on."""
        return self.scored(self.responses(model, progress, start), start)

    def responses(self, model: PreTrainedModel, progress: Progress = no_progress, start: int = 0) -> list[Any]:
        """The model's answer to each request of the items from ``start`` on.

        A text, or a log-likelihood with whether it is the greedy choice.
        """
        return self._planned.responses(model, progress, start)

    def scored(self, responses: list[Any], start: int = 0) -> Result:
        """The metric's per-item results of ``responses`` to the items from ``start`` on, with the texts among these."""
        documents = self._documents[start:]
        values = values_of(self._task, self._metric, documents, responses)
        items = self._metric.items(values)
        self._metric.check(items, values)
        texts = tuple(response for response in responses if isinstance(response, str))
        outputs = texts if len(texts) == len(documents) else None
        return Result(self._metric.aggregation, items, self.ids[start:], outputs, self.hashes[start:])

    @property
    def requests(self) -> list[list[Instance]]:
        """What is asked about each item."""
        return self._documents

    @property
    def is_generated(self) -> bool:
        """Whether answers are written, and not chosen among options."""
        return self._documents[0][0].request_type == "generate_until"

    def picked(self, model: PreTrainedModel, seed: int) -> list[tuple[str, str]]:
        """Of each item that is chosen among options: what is asked, and an option drawn by the model's own likelihoods."""
        responses, draw = iter(self.responses(model)), random.Random(f"options/{seed}")
        picked = []
        for requests in self._documents:
            found = [next(responses)[0] for _ in requests]
            weights = [math.exp(likelihood - max(found)) for likelihood in found]
            picked.append(requests[draw.choices(range(len(found)), weights)[0]].args)
        return picked

    def right_answers(self) -> list[tuple[str, str]]:
        """Of each item: what is asked, and the right answer. Raises SuiteError for a task that names none."""
        found = []
        for requests in self._documents:
            doc = requests[0].doc
            target = self._task.doc_to_target(doc)
            if isinstance(target, int) and not self.is_generated and 0 <= target < len(requests):
                found.append(requests[target].args)
            elif isinstance(target, str) and target:
                found.append((requests[0].args[0], f"{self._task.config.target_delimiter}{target}"))
            else:
                raise SuiteError(f"The task {self.name} names no single right answer to an item, so nothing can be fitted on it.")
        return found

    def _requests(self, start: int, end: int | None = None) -> list[Instance]:
        return [request for requests in self._documents[start:end] for request in requests]


class _Several:
    """Plans for the several kinds of request that a task makes of each document, as one."""

    def __init__(self, plans: Sequence[tuple[Plan, Sequence[int]]]) -> None:
        """``plans`` come with the places of their requests among all."""
        self._plans = plans
        self._total = sum(len(places) for _, places in plans)

    @property
    def model_seconds(self) -> float:
        return sum(plan.model_seconds for plan, _ in self._plans)

    @property
    def note(self) -> str:
        return next((plan.note for plan, _ in self._plans if plan.note), "")

    def responses(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[Any]:
        """The model's answer to each request, in the order of all."""
        found: list[Any] = [None] * self._total
        before = 0
        for plan, places in self._plans:

            def share(done: int, total: int, before: int = before) -> None:
                progress(before + done, self._total)

            for place, response in zip(places, plan.responses(model, share), strict=True):
                found[place] = response
            before += len(places)
        return found


def _plan(
    requests: Sequence[Instance],
    tokenizer: PreTrainedTokenizerBase,
    device: torch.device,
    context_length: int | None,
    name: str,
    where: Callable[[int], str],
) -> Plan:
    """The plan of requests; ``where`` names an item by its number."""
    kinds: dict[str, list[int]] = {}
    for place, request in enumerate(requests):
        kinds.setdefault(request.request_type, []).append(place)
    plans: list[tuple[Plan, list[int]]] = []
    for kind, places in kinds.items():
        asked = [requests[place] for place in places]

        def of_request(place: int, asked: Sequence[Instance] = asked) -> str:
            return where(asked[place].doc_id)

        if kind == "loglikelihood":
            pairs = [request.args for request in asked]
            plan = LikelihoodPlan(pairs, tokenizer, device, context_length=context_length, name=name, where=of_request)
        elif kind == "generate_until":
            plan = answer_plan(asked, tokenizer, device, context_length, name, of_request)
        else:
            raise SuiteError(f"It makes '{kind}' requests. Supported are loglikelihood and generate_until.")
        plans.append((plan, places))
    return plans[0][0] if len(plans) == 1 else _Several(plans)


def answer_plan(
    requests: Sequence[Instance],
    tokenizer: PreTrainedTokenizerBase,
    device: torch.device,
    context_length: int | None,
    name: str,
    where: Callable[[int], str],
    temperature: float = 0.0,
    seed: int = 0,
    ids: Sequence[str] | None = None,
) -> AnswerPlan:
    """A plan of one kind of requests, decoded as their task says: greedily, unless a ``temperature`` is given to sample at.

    ``ids`` as in ``AnswerPlan``.
    """
    said = requests[0].args[1]
    if any(request.args[1] != said for request in requests):
        raise SuiteError("It asks for other generation settings from item to item. Use one setting.")
    settings = normalize_gen_kwargs(said)
    if settings["do_sample"] and settings.get("temperature", 1.0) > 0:
        raise SuiteError("It samples its answers. Abilities are decoded greedily: set do_sample to false.")
    if unknown := sorted(set(settings) - _OBEYED):
        raise SuiteError(f"It asks for the generation setting '{unknown[0]}', which is not supported. Leave it out.")
    return AnswerPlan(
        [request.args[0] for request in requests],
        tokenizer,
        device,
        max_new_tokens=settings["max_gen_toks"],
        temperature=temperature,
        seed=seed,
        stops=settings["until"],
        context_length=context_length,
        ids=ids,
        name=name,
        where=where,
    )


def _ids(documents: Sequence[Sequence[Instance]]) -> tuple[str, ...]:
    """A name for each document: its own ``id``, or its place where it has none or an earlier one has the same."""
    ids: dict[str, None] = {}
    for place, requests in enumerate(documents):
        doc = requests[0].doc
        own = str(doc.get("id", place) if isinstance(doc, dict) else place)
        ids[own if own not in ids else f"{own} ({place})"] = None
    return tuple(ids)


def _asked(requests: Sequence[Instance]) -> str:
    """A hash of a document and its requests."""
    return digest(json.dumps([requests[0].doc, [request.args for request in requests]], sort_keys=True, default=str))
