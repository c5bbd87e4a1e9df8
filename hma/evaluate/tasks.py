"""lm-eval's tasks, built as it builds them itself, with the suite's choice of items as those to evaluate."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
from huggingface_hub.constants import HF_HOME
from jinja2 import UndefinedError
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.defaults import DEFAULT_OTHER_SEED
from lm_eval.tasks._yaml_loader import load_yaml

from hma.checkpoints.hub import hub_or_cache
from hma.core.recipe import digest
from hma.errors import SuiteError
from hma.evaluate import sources
from hma.evaluate.ability import SPLITS, Ability, Part
from hma.evaluate.lines import check_fields, check_not_empty, lines_of

SUPPORTED = ("multiple_choice", "loglikelihood", "generate_until")
"""Output types that can be measured."""


def open_task(ability: Ability, split: str, num_items: int) -> ConfigurableTask:
    """The task whose ``eval_docs`` are the items of the suite's ``split``, of which ``num_items`` will be used.

    Everything else is as in lm-eval's ``simple_evaluate``, the seed of the few-shot examples too.
    Raises SuiteError for a task that cannot be built or used.
    """
    settings = ability.all_settings()
    part = ability.part(split, settings)
    check_not_empty(settings)
    lines = lines_of(settings, part.split)
    if lines is not None:
        check_fields(settings, [lines[place] for place in ability.places(split, len(lines))[:num_items]])
    why = ""
    try:
        with contextlib.ExitStack() as stack:
            why = "" if ability.is_local else stack.enter_context(hub_or_cache())
            stack.enter_context(quiet())
            task = _built(ability, part)
            documents = _documents(task, part)
    except SuiteError:
        raise
    except UndefinedError as error:  # lm-eval fills in the templates for the first item of all as soon as it has read them.
        own = lines is None or settings.get("process_docs") is not None
        place = f"The first item of {part.split}" if own else "{}, line {}".format(*lines[0])
        raise SuiteError(f"{place} cannot be asked by the task {ability.task}: {said(error)}.") from error
    except Exception as error:  # lm-eval and datasets raise whatever the files lead them to
        if why and isinstance(error, OSError):
            raise SuiteError(_not_reached(settings, why)) from error
        raise SuiteError(f"The task {ability.task} cannot be built: {said(error)}.{_advice(ability, error)}") from error
    _check_apart(ability, settings, len(documents))
    places = ability.places(split, len(documents))
    if len(places) < num_items:
        raise SuiteError(
            f"The suite asks for {num_items} items of {ability.axis.name} and {ability.task.name} has {len(places)}"
            f"{'' if part.is_whole else f' in {part}'}. Choose a smaller size."
        )
    chosen = documents.select(places) if hasattr(documents, "select") else [documents[place] for place in places]
    task.has_test_docs, task.test_docs = (lambda: True), (lambda: chosen)
    _check_usable(task, ability)
    if task.get_config("num_fewshot") is None:
        task.set_config("num_fewshot", 0)
    task.set_fewshot_seed(DEFAULT_OTHER_SEED)
    return task


def build_requests(task: ConfigurableTask, ability: Ability, split: str, num_items: int) -> list[list[Instance]]:
    """What the model is asked about each of the first ``num_items`` items.

    Raises SuiteError naming the item of which it cannot be asked.
    """

    def build(count: int) -> Exception | None:
        task.set_fewshot_seed(DEFAULT_OTHER_SEED)
        try:
            with quiet():
                task.build_all_requests(limit=count, rank=0, world_size=1)
        except Exception as error:  # The task's own code and templates raise what they like.
            return error
        return None

    error = build(num_items)
    if error is None:
        documents: list[list[Instance]] = [[] for _ in range(num_items)]
        for request in task.instances:
            documents[request.doc_id].append(request)
        return [sorted(requests, key=lambda request: request.idx) for requests in documents]
    fine, failing = 0, num_items
    while failing - fine > 1:
        middle = (fine + failing) // 2
        failed = build(middle)
        fine, failing, error = (fine, middle, failed) if failed else (middle, failing, error)
    raise SuiteError(
        f"{place_of(ability, split, failing - 1)} cannot be asked by the task {ability.task}: {said(error)}."
    ) from error


def place_of(ability: Ability, split: str, item: int) -> str:
    """Where an item of a split stands: file and line, or its number (from 0) in the data set's split."""
    settings = ability.all_settings()
    part = ability.part(split, settings)
    lines = lines_of(settings, part.split)
    if lines is not None and settings.get("process_docs") is None:
        file, number, _ = lines[ability.places(split, len(lines))[item]]
        return f"{file}, line {number}"
    return (
        f"Item {item} of {part}{'' if ability.shuffle is None else ', shuffled,'} in {settings.get('dataset_path', 'the data')}"
    )


def said(error: BaseException) -> str:
    """What an error of another library says, and what led to it, on one line."""
    own = f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}"
    return f"{own} ({said(error.__cause__)})" if error.__cause__ else own


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """lm-eval and datasets draw progress bars and log on standard error; a worker's log stays readable."""
    loggers = {logger: logger.level for logger in map(logging.getLogger, ("lm_eval", "datasets"))}
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, level in loggers.items():
            logger.setLevel(level)


def _built(ability: Ability, part: Part) -> ConfigurableTask:
    """The task as lm-eval's factory makes it of these settings."""
    config = {**sources.anchored(load_yaml(ability.task, resolve_func=True), ability.task.parent), **ability.settings}
    config = {name: value for name, value in config.items() if name not in ("tag", "group", "task_list")}
    if files := sources.folder_files(config):
        # datasets keeps what it reads of a folder under the folder's name alone, and would go on with the old contents.
        kept = Path(datasets.config.HF_DATASETS_CACHE) / f"folder-{digest(sources.hashes_of(files))[:16]}"
        config["dataset_kwargs"] = {"cache_dir": str(kept), **(config.get("dataset_kwargs") or {})}
    if "class" in config:
        return _of_class(config, ability)
    config["test_split"] = part.split
    _settle_examples(config)
    return ConfigurableTask(config=config)


def _settle_examples(config: dict[str, Any]) -> None:
    """Where few-shot examples come from: nowhere without any, and never the item itself that is asked."""
    if not config.get("num_fewshot"):
        # Else lm-eval makes a list of the whole training split, which can take a minute.
        config["fewshot_split"], config["fewshot_config"] = None, {"samples": []}
    elif not config.get("fewshot_split") and "samples" not in (config.get("fewshot_config") or {}):
        # lm-eval takes these by itself, but leaves the item out of its examples only where the split is named.
        names = ("training_split", "validation_split", "test_split")
        config["fewshot_split"] = next(config[name] for name in names if config.get(name))


_OF_CLASS = ("dataset_path", "dataset_name", "dataset_kwargs")
"""What can be set of a task that is written as a Python class, which takes no settings."""


def _of_class(config: dict[str, Any], ability: Ability) -> ConfigurableTask:
    """A task that is written as a Python class. Of its settings only the data set can be another."""
    if other := sorted(set(ability.settings) - set(_OF_CLASS)):
        raise SuiteError(f"{ability.task} is a Python class, whose '{other[0]}' cannot be set. What can: {', '.join(_OF_CLASS)}.")
    kind, own = config["class"], config.get("dataset_kwargs") or {}

    def download(self: ConfigurableTask, dataset_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        kind.download(self, {**(dataset_kwargs or {}), **own}, **kwargs)

    places = {name.upper(): config[name] for name in ("dataset_path", "dataset_name") if name in ability.settings}
    changed = type(kind.__name__, (kind,), {**places, "download": download})
    task = changed(config=config) if "config" in inspect.signature(kind.__init__).parameters else changed()
    task.config.task = config["task"]
    return task


def _documents(task: ConfigurableTask, part: Part) -> Any:
    """The documents of the data set's split that a part is of, as the task makes them."""
    if type(task) is ConfigurableTask:
        return task.test_docs()
    has, read = {
        "train": (task.has_training_docs, task.training_docs),
        "validation": (task.has_validation_docs, task.validation_docs),
        "test": (task.has_test_docs, task.test_docs),
    }.get(part.split, (lambda: False, None))
    if not has():
        raise SuiteError(f"The task {task.config.task} has no {part.split} items. Name another split in the suite's 'splits'.")
    return read()


def _check_apart(ability: Ability, settings: dict[str, Any], num_items: int) -> None:
    """Raises SuiteError where validation and test share items of one split, which holds ``num_items``."""
    parts = []
    for name in SPLITS:
        with contextlib.suppress(SuiteError):  # Only one of them need be there.
            parts.append(ability.part(name, settings))
    if len({part.split for part in parts}) < len(parts) and set(parts[0].items(num_items)) & set(parts[1].items(num_items)):
        raise SuiteError(
            f"Validation and test items of '{ability.axis.name}' overlap: {parts[0]} and {parts[1]}. What chooses alphas must "
            "not report them: cut the suite's 'splits' apart."
        )


def _check_usable(task: ConfigurableTask, ability: Ability) -> None:
    if getattr(task, "UNSAFE_CODE", False):
        raise SuiteError(f"{ability.task} runs code that the model wrote (unsafe_code). Such tasks are not measured here.")
    if getattr(task, "MULTIMODAL", False):
        raise SuiteError(f"{ability.task} asks about pictures or sound. Choose a task of text.")
    if task.OUTPUT_TYPE not in SUPPORTED:
        raise SuiteError(
            f"The task {ability.axis.name} asks for '{task.OUTPUT_TYPE}' requests. Supported are {', '.join(SUPPORTED)}."
        )
    if "acc_mutual_info" in task.aggregation():
        raise SuiteError(f"{ability.task} asks for acc_mutual_info, which is not supported. Leave it out of the metric_list.")


def _advice(ability: Ability, error: Exception) -> str:
    if ability.is_local or not isinstance(error, OSError):
        return ""
    path = ability.all_settings().get("dataset_path", "its data set")
    return (
        f" The data set is {path}: fetch it once where there is a network, or name a folder that holds it in the suite: "
        '"settings": {"dataset_path": …}.'
    )


def _not_reached(settings: dict[str, Any], why: str) -> str:
    return (
        f"The data set {settings.get('dataset_path')} of the task {settings.get('task')} could not be reached: {why}. Measure "
        f"once where there is a network and copy the hub's cache from there (HF_HOME, here {HF_HOME}), or name a folder that "
        'holds the data set in the suite: "settings": {"dataset_path": …}.'
    )
