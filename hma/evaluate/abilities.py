"""Abilities: lm-eval tasks whose requests are built once and answered by any weights."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml
from sacrebleu.metrics import BLEU
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.recipe import digest
from hma.core.statistics import Result
from hma.errors import MeasureError, SuiteError
from hma.evaluate.generation import AnswerPlan, Progress, no_progress
from hma.evaluate.likelihood import LikelihoodPlan
from hma.evaluate.sources import local_files
from hma.evaluate.suite import Ability
from hma.evaluate.tiers import Planned, Tier

_AGGREGATIONS = {"mean": "mean", "nanmean": "mean", "bleu": "bleu"}


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

        Raises SuiteError for a task that cannot be used.
        """
        self.name = ability.axis.name
        self._metric = ability.metric
        self._task = _task(ability, split)
        self._aggregation = _aggregation(self._task, ability)
        self._build(num_items, ability)
        if self._task.OUTPUT_TYPE not in ("multiple_choice", "generate_until"):
            raise SuiteError(
                f"The task {self.name} asks for '{self._task.OUTPUT_TYPE}' requests. "
                "Supported are multiple_choice and generate_until."
            )
        self._num_items, self._ends = num_items, tuple(ends)
        self._documents: list[list[Any]] = [[] for _ in range(num_items)]
        """Each document's requests."""
        for request in self._task.instances:
            self._documents[request.doc_id].append(request)
        self.ids = tuple(str(requests[0].doc.get("id", i)) for i, requests in enumerate(self._documents))
        """The items' ids, in their order."""
        self.hashes = tuple(map(_asked, self._documents))
        """A hash of what each item holds and asks."""

        def plan(tier: Tier) -> LikelihoodPlan | AnswerPlan:
            requests = self._requests(*tier)
            if self._task.OUTPUT_TYPE == "multiple_choice":
                return LikelihoodPlan([r.args for r in requests], tokenizer, device, context_length=context_length)
            return _answer_plan(requests, tokenizer, device, context_length, ability)

        self._planned = Planned(plan, self._ends, num_items)

    @property
    def model_seconds(self) -> float:
        """Seconds that the last ``responses`` spent in the model itself."""
        return self._planned.model_seconds

    def result(self, model: PreTrainedModel, progress: Progress = no_progress, start: int = 0) -> Result:
        """Measure the model on the task's items from ``start`` on."""
        return self.scored(self.responses(model, progress, start), start)

    def responses(self, model: PreTrainedModel, progress: Progress = no_progress, start: int = 0) -> list[Any]:
        """The model's answer to each request of the items from ``start`` on.

        A text, or a log-likelihood with whether it is the greedy choice.
        """
        return self._planned.responses(model, progress, start)

    def scored(self, responses: list[Any], start: int = 0) -> Result:
        """The metric's per-item results of ``responses`` to the items from ``start`` on."""
        outputs = None if self._task.OUTPUT_TYPE == "multiple_choice" else tuple(responses)
        per_item = self._processed(responses, start)
        if self._aggregation == "bleu":
            items = _bleu_statistics(per_item)
        else:
            items = 100.0 * np.array(per_item, dtype=np.float64).reshape(-1, 1)
            if not ((items >= 0) & (items <= 100)).all():
                raise MeasureError(f"The metric {self._metric} of {self.name} left the range 0..1. Use another metric.")
        return Result(self._aggregation, items, self.ids[start:], outputs, self.hashes[start:])

    def _requests(self, start: int, end: int | None = None) -> list[Any]:
        return [request for requests in self._documents[start:end] for request in requests]

    def _build(self, num_items: int, ability: Ability) -> None:
        available = len(self._task.eval_docs)
        if available < num_items:
            raise SuiteError(
                f"The suite asks for {num_items} items of {self.name} and {ability.task.name} has {available}. "
                "Choose a smaller size."
            )
        with _quiet():
            self._task.build_all_requests(limit=num_items, rank=0, world_size=1)

    def _processed(self, responses: list[Any], start: int) -> list[Any]:
        """The metric's per-item values by lm-eval's own filters and ``process_results``."""
        requests = self._task._instances = self._requests(start)
        for request, response in zip(requests, responses, strict=True):
            request.resps = [response]
            request.filtered_resps = {}
        self._task.apply_filters()
        chain = next(iter(requests[0].filtered_resps))
        values = []
        for document in self._documents[start:]:
            members = sorted(document, key=lambda request: request.idx)
            metrics = self._task.process_results(members[0].doc, [m.filtered_resps[chain] for m in members])
            values.append(metrics[self._metric])
        return values


def _asked(requests: list[Any]) -> str:
    """A hash of a document and its requests."""
    return digest(json.dumps([requests[0].doc, [request.args for request in requests]], sort_keys=True, default=str))


def _task(ability: Ability, split: str) -> ConfigurableTask:
    """The task, with data files found beside its YAML and ``split`` as the one to evaluate."""
    try:
        config = dict(load_yaml(ability.task, resolve_func=True))
        source = config.get(f"{split}_split")
        if source is None:
            raise SuiteError(f"{ability.task} names no {split}_split. Add one, with items of its own.")
        config["test_split"], config["validation_split"] = source, None
        config["dataset_kwargs"] = _absolute(config, ability)
        with _quiet():
            return ConfigurableTask(config=config)
    except SuiteError:
        raise
    except Exception as error:  # lm-eval and datasets raise whatever the file leads them to
        raise SuiteError(f"The task {ability.task} cannot be built: {type(error).__name__}: {error}") from error


def _absolute(settings: Mapping[str, Any], ability: Ability) -> dict[str, Any]:
    """The task's ``dataset_kwargs`` with the data files that lie beside its YAML named in full."""

    def named(names: Any) -> Any:
        if isinstance(names, Mapping):
            return {split: named(value) for split, value in names.items()}
        files = [str(f) for name in ([names] if isinstance(names, str) else names) for f in local_files(ability.task, name)]
        return files or names

    kwargs = dict(settings.get("dataset_kwargs") or {})
    return {**kwargs, "data_files": named(kwargs["data_files"])} if kwargs.get("data_files") else kwargs


def _aggregation(task: ConfigurableTask, ability: Ability) -> str:
    aggregations = task.aggregation()
    if ability.metric not in aggregations:
        raise SuiteError(f"{ability.task} has no metric '{ability.metric}'. It has: {', '.join(aggregations)}.")
    if not task.higher_is_better().get(ability.metric, True):
        raise SuiteError(f"In {ability.task} a smaller '{ability.metric}' is better. Choose a metric where larger is better.")
    name = getattr(aggregations[ability.metric], "__name__", "?")
    if name not in _AGGREGATIONS:
        raise SuiteError(f"The metric '{ability.metric}' of {ability.task} is aggregated by '{name}'. Supported: mean, bleu.")
    return _AGGREGATIONS[name]


def _answer_plan(
    requests: list[Any],
    tokenizer: PreTrainedTokenizerBase,
    device: torch.device,
    context_length: int | None,
    ability: Ability,
) -> AnswerPlan:
    settings = requests[0].args[1]
    if any(request.args[1] != settings for request in requests):
        raise SuiteError(f"{ability.task} asks for other generation settings from item to item. Use one setting.")
    if settings.get("do_sample") and settings.get("temperature", 1.0) > 0:
        raise SuiteError(f"{ability.task} samples its answers. Abilities are decoded greedily: set do_sample to false.")
    until = settings.get("until") or []
    return AnswerPlan(
        [request.args[0] for request in requests],
        tokenizer,
        device,
        max_new_tokens=int(settings.get("max_gen_toks", 256)),
        stops=[until] if isinstance(until, str) else until,
        context_length=context_length,
    )


def _bleu_statistics(pairs: list[tuple[Any, str]]) -> np.ndarray:
    """Per-item BLEU statistics ``(num_items, 10)`` of lm-eval's (references, answer) pairs."""
    metric = BLEU()
    rows = []
    for references, answer in pairs:
        references = [references] if isinstance(references, str) else list(references)
        score = metric.corpus_score([answer], [[reference] for reference in references])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=np.float64)


@contextlib.contextmanager
def _quiet():
    """lm-eval and datasets draw progress bars and log on standard error; a worker's log stays readable."""
    logger, level = logging.getLogger("lm_eval"), logging.getLogger("lm_eval").level
    logger.setLevel(logging.ERROR)
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
