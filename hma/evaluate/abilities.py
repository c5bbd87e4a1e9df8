"""Abilities: lm-eval tasks whose requests are built once and answered by any weights."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml
from sacrebleu.metrics import BLEU
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.statistics import Result
from hma.errors import MeasureError, SuiteError
from hma.evaluate.generation import AnswerPlan, Progress, no_progress
from hma.evaluate.likelihood import LikelihoodPlan
from hma.evaluate.sources import local_files
from hma.evaluate.suite import Ability

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
    ) -> None:
        """Builds the first ``num_items`` documents of ``split``. Raises SuiteError for a task that cannot be used."""
        self.name = ability.axis.name
        self._metric = ability.metric
        self._task = _task(ability, split)
        self._aggregation = _aggregation(self._task, ability)
        self._build(num_items, ability)
        requests = self._task.instances
        if self._task.OUTPUT_TYPE == "multiple_choice":
            pairs = [request.args for request in requests]
            self._plan: LikelihoodPlan | AnswerPlan = LikelihoodPlan(pairs, tokenizer, device, context_length=context_length)
        elif self._task.OUTPUT_TYPE == "generate_until":
            self._plan = _answer_plan(requests, tokenizer, device, context_length, ability)
        else:
            raise SuiteError(
                f"The task {self.name} asks for '{self._task.OUTPUT_TYPE}' requests. "
                "Supported are multiple_choice and generate_until."
            )
        docs = {request.doc_id: request.doc for request in requests}
        self._ids = tuple(str(docs[i].get("id", i)) for i in sorted(docs))

    @property
    def model_seconds(self) -> float:
        """Seconds that the last ``responses`` spent in the model itself."""
        return self._plan.model_seconds

    def result(self, model: PreTrainedModel, progress: Progress = no_progress) -> Result:
        """Measure the model on every item of the task."""
        return self.scored(self.responses(model, progress))

    def responses(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[Any]:
        """The model's answer to each request: a text, or a log-likelihood with whether it is the greedy choice."""
        if isinstance(self._plan, LikelihoodPlan):
            return self._plan.scores(model, progress)
        return self._plan.answers(model, progress)

    def scored(self, responses: list[Any]) -> Result:
        """The metric's per-item results of ``responses``."""
        outputs = None if isinstance(self._plan, LikelihoodPlan) else responses
        per_item = self._processed(responses)
        if self._aggregation == "bleu":
            items = _bleu_statistics(per_item)
        else:
            items = 100.0 * np.array(per_item, dtype=np.float64).reshape(-1, 1)
            if not ((items >= 0) & (items <= 100)).all():
                raise MeasureError(f"The metric {self._metric} of {self.name} left the range 0..1. Use another metric.")
        return Result(self._aggregation, items, self._ids, None if outputs is None else tuple(outputs))

    def _build(self, num_items: int, ability: Ability) -> None:
        available = len(self._task.eval_docs)
        if available < num_items:
            raise SuiteError(
                f"The suite asks for {num_items} items of {self.name} and {ability.task.name} has {available}. "
                "Choose a smaller size."
            )
        with _quiet():
            self._task.build_all_requests(limit=num_items, rank=0, world_size=1)

    def _processed(self, responses: list[Any]) -> list[Any]:
        """The metric's per-item values by lm-eval's own filters and ``process_results``."""
        requests = self._task.instances
        for request, response in zip(requests, responses, strict=True):
            request.resps = [response]
            request.filtered_resps = {}
        self._task.apply_filters()
        chain = next(iter(requests[0].filtered_resps))
        by_document: dict[int, list[Any]] = {}
        for request in requests:
            by_document.setdefault(request.doc_id, []).append(request)
        values = []
        for document in sorted(by_document):
            members = sorted(by_document[document], key=lambda request: request.idx)
            metrics = self._task.process_results(members[0].doc, [m.filtered_resps[chain] for m in members])
            values.append(metrics[self._metric])
        return values


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
