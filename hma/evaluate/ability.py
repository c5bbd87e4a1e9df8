"""Abilities as a suite's file names them: which task, which of its items, and the one metric of it that counts."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hma.core.study import Axis
from hma.errors import SuiteError
from hma.evaluate import installed, sources
from hma.evaluate.fields import axis_of, refuse_unknown

FIELDS = ("name", "title", "unit", "group", "task", "metric", "out_of", "settings", "splits", "shuffle")
"""What an ability's entry in a suite may say."""

SPLITS = ("validation", "test")

_PLAIN = (
    "num_fewshot",
    "generation_kwargs",
    "training_split",
    "validation_split",
    "test_split",
    "fewshot_split",
    "dataset_kwargs",
)
"""Settings that no code is in. Templates are code, lm-eval does not confine them; and its own scorers trust their data."""

_PART = re.compile(r"([^\[\]:]+)(?:\[(-?\d+%?)?:(-?\d+%?)?\])?")


@dataclass(frozen=True)
class Part:
    """Consecutive items of one split of a data set, written as ``datasets`` writes it: ``train[:2000]``, ``test[50%:]``."""

    split: str
    low: str | None = None
    high: str | None = None

    @classmethod
    def parsed(cls, text: str) -> Part:
        """Raises ValueError for a text of another form."""
        found = _PART.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no part of a split: expected a name, or such as train[:2000] or test[50%:]")
        return cls(*found.groups())

    def items(self, num_items: int) -> range:
        """The places of these items among all ``num_items`` of the split."""
        return range(num_items)[self._place(self.low, num_items) : self._place(self.high, num_items)]

    @staticmethod
    def _place(bound: str | None, num_items: int) -> int | None:
        if bound is None:
            return None
        return round(num_items * int(bound[:-1]) / 100) if bound.endswith("%") else int(bound)

    @property
    def is_whole(self) -> bool:
        return self.low is None and self.high is None

    def __str__(self) -> str:
        return self.split if self.is_whole else f"{self.split}[{self.low or ''}:{self.high or ''}]"


@dataclass(frozen=True)
class Ability:
    """An lm-eval task and the one metric of it that counts.

    ``task`` is its YAML file. ``metric`` is as lm-eval writes it: ``acc``, or ``exact_match,strict-match`` where the
    task has several filters. ``settings`` replace those of the task's YAML; ``parts`` are the items that the suite's
    splits stand for, where not the task's own splits, and ``shuffle`` is the seed that they are shuffled by, if any.
    ``out_of`` is the metric's best value: scores are shown out of 100.
    """

    axis: Axis
    task: Path
    metric: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    shuffle: int | None = None
    out_of: float = 1.0

    def all_settings(self) -> dict[str, Any]:
        """The task's settings with this ability's, data named in full, ``!function`` entries as texts."""
        return {**sources.anchored(sources.read_task(self.task)[0], self.task.parent), **self.settings}

    def part(self, split: str, settings: Mapping[str, Any] | None = None) -> Part:
        """The items that a split of the suite ("validation" or "test") stands for.

        Raises SuiteError where neither suite nor task says it, or where both splits are the same items.
        """
        settings = self.all_settings() if settings is None else settings
        parts = dict(self.parts)
        for name in SPLITS:
            if name not in parts and isinstance(settings.get(f"{name}_split"), str):
                parts[name] = Part(settings[f"{name}_split"])
        if split not in parts:
            named = [settings.get(f"{name}_split") for name in ("test", "validation", "training")]
            known = next((name for name in named if isinstance(name, str)), "test")
            raise SuiteError(
                f"{self.task.name} names no {split}_split, so '{self.axis.name}' has no {split} items. Add one to the file, or "
                f'cut another in the suite: "splits": {{"validation": "{known}[:50%]", "test": "{known}[50%:]"}}.'
            )
        if parts.get("validation") == parts.get("test"):
            raise SuiteError(
                f"The validation items of '{self.axis.name}' are its test items: both are {parts[split]}. Cut them in the suite: "
                f'"splits": {{"validation": "{parts[split].split}[:50%]", "test": "{parts[split].split}[50%:]"}}.'
            )
        return parts[split]

    def places(self, split: str, num_items: int) -> list[int]:
        """The places of a split's items, in the order of measuring, among the ``num_items`` of the data set's own split."""
        places = np.array(self.part(split).items(num_items), dtype=np.int64)
        return (places if self.shuffle is None else np.random.default_rng(self.shuffle).permutation(places)).tolist()

    @property
    def is_local(self) -> bool:
        """Whether it needs nothing from a hub. A task that is a Python class may fetch what it likes."""
        settings = self.all_settings()
        fetched = any(isinstance(m, dict) and m.get("hf_evaluate") for m in sources.listed(settings.get("metric_list")))
        return sources.data_are_local(settings) and "class" not in settings and not fetched

    @property
    def runs_own_code(self) -> bool:
        """Whether it may run what came with neither lm-eval nor this project: in a task's file, or in settings."""
        ours = (installed.folder(), Path(__file__).resolve().parents[2] / "data")
        if not any(self.task.is_relative_to(folder) for folder in ours) or set(self.settings) - set(_PLAIN):
            return True
        return bool(set(self.settings.get("dataset_kwargs") or {}) - {"revision"})

    def content(self, split: str) -> list[Any]:
        """Everything the scores of a split depend on: settings, and hashes of files."""
        own, files = sources.read_task(self.task)
        settings = {**sources.anchored(own, self.task.parent), **self.settings}
        part = self.part(split, settings)
        used = {part.split, settings.get("fewshot_split"), settings.get("training_split")}
        if settings.get("num_fewshot"):
            used.add(settings.get("validation_split"))
        said: dict[str, Any] = {}
        if self.settings:
            said["settings"] = _without_places(self.settings)
        if split in self.parts:
            said["part"] = str(part)
        if self.shuffle is not None:
            said["shuffle"] = self.shuffle
        if self.out_of != 1:
            said["out_of"] = self.out_of
        if self.task.is_relative_to(installed.folder()):
            said["lm_eval"] = installed.version()
        hashes = sources.hashes_of(sources.task_files(settings, files, used))
        return [[self.axis.name, self.axis.group, self.metric], hashes, *([said] if said else [])]


def _without_places(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without where local data lie: what is in them counts, by its hash."""
    kept = dict(settings)
    if Path(str(kept.get("dataset_path"))).is_absolute():
        del kept["dataset_path"]
    if isinstance(kept.get("dataset_kwargs"), Mapping):
        places = ["data_files"] if any(sources.data_files(kept).values()) else []
        places += ["data_dir"] if Path(str(kept["dataset_kwargs"].get("data_dir"))).is_absolute() else []
        kept["dataset_kwargs"] = {k: v for k, v in kept["dataset_kwargs"].items() if k not in places}
    return kept


def read_ability(data: Mapping[str, Any], suite: Path) -> Ability:
    """The ability of an entry of a suite's file.

    Raises SuiteError for what can be seen without lm-eval: a task that does not exist, a metric that the task does not
    have or lm-eval would drop. Raises KeyError, TypeError or ValueError for a missing or wrong field.
    """
    refuse_unknown("an ability", data, FIELDS)
    axis = axis_of(data["name"], data["title"], data["unit"], data.get("group", data["name"]))
    settings = data.get("settings", {})
    if not isinstance(settings, dict):
        raise TypeError(f"the settings of '{axis.name}' are {settings!r}, expected an object")
    if not isinstance(settings.get("dataset_kwargs") or {}, dict):
        raise TypeError(f"the dataset_kwargs of '{axis.name}' are {settings['dataset_kwargs']!r}, expected an object")
    parts = {split: Part.parsed(text) for split, text in data.get("splits", {}).items()}
    refuse_unknown(f"'splits' of '{axis.name}'", parts, SPLITS)
    out_of = data.get("out_of", 1)
    if isinstance(out_of, bool) or not isinstance(out_of, int | float) or not 0 < out_of <= sys.float_info.max:
        raise ValueError(f"'out_of' of '{axis.name}' is {out_of!r}, expected the metric's best value, such as 1 or 100")
    shuffle = data.get("shuffle")
    if shuffle is not None and (isinstance(shuffle, bool) or not isinstance(shuffle, int) or shuffle < 0):
        raise ValueError(f"'shuffle' of '{axis.name}' is {shuffle!r}, expected a seed: a whole number, 0 or more")
    task = find_task(str(data["task"]), suite)
    settings = sources.anchored(settings, suite.parent)
    ability = Ability(axis, task, str(data["metric"]), settings, parts, shuffle, float(out_of))
    _check_metric(ability)
    _check_counts(ability)
    return ability


def find_task(name: str, suite: Path) -> Path:
    """The YAML file of a task: a file or folder beside the suite (``folder#task`` of several), else one of lm-eval's by name.

    Raises SuiteError when there is none, or several.
    """
    place, _, wanted = name.partition("#")
    path = (suite.parent / Path(place).expanduser()).resolve()
    if path.is_file():
        return path
    if path.is_dir():
        return _in_folder(path, wanted, suite)
    if "/" in name or name.endswith((".yaml", ".yml")):
        raise SuiteError(f"{suite} names the task {path}, which does not exist. Correct it, or name a task of lm-eval.")
    return installed.find_task(name)


def _in_folder(folder: Path, wanted: str, suite: Path) -> Path:
    files = sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file())
    tasks = {file: sources.read_task(file)[0].get("task") for file in files}
    tasks = {file: name for file, name in tasks.items() if isinstance(name, str)}
    found = [file for file, name in tasks.items() if wanted in ("", name)]
    if len(found) == 1:
        return found[0]
    if not tasks:
        raise SuiteError(f"{suite} names the folder {folder}, which holds no YAML file with a 'task'. Name another.")
    names = ", ".join(f"'{folder.name}#{name}'" for name in tasks.values())
    raise SuiteError(f"{suite} names the folder {folder} with {len(tasks)} tasks. Name one of them: {names}.")


def _check_counts(ability: Ability) -> None:
    """Raises SuiteError for a number of few-shot examples that is none, and for questions that are asked again and again."""
    settings, name = ability.all_settings(), ability.axis.name
    shots, repeats = settings.get("num_fewshot"), settings.get("repeats")
    if shots is not None and (isinstance(shots, bool) or not isinstance(shots, int) or shots < 0):
        raise SuiteError(f"'num_fewshot' of '{name}' is {shots!r}, expected a number of examples: 0 or more.")
    if repeats not in (None, 1):
        raise SuiteError(
            f"'repeats' of '{name}' is {repeats!r}, expected 1: abilities are decoded greedily, so an answer would only be "
            'counted again. Set it in the suite: "settings": {"repeats": 1}.'
        )


def _check_metric(ability: Ability) -> None:
    """Raises SuiteError for a metric that the task's YAML does not have, or that lm-eval would silently drop."""
    settings = ability.all_settings()
    name, _, chain = ability.metric.partition(",")
    chains = [str(chain["name"]) for chain in settings.get("filter_list") or [] if isinstance(chain, dict) and "name" in chain]
    if chains and (chain not in chains if chain else len(chains) > 1):
        offered = ", ".join(f"'{name},{chain}'" for chain in chains)
        raise SuiteError(f"{ability.task} has no metric '{ability.metric}': its answers are filtered. It has: {offered}.")
    metrics = settings.get("metric_list")
    if not isinstance(metrics, list) or "class" in settings:
        return
    entries = {
        str(m["metric"]).rpartition(".")[2] if isinstance(m["metric"], sources.Function) else str(m["metric"]): m
        for m in metrics
        if isinstance(m, dict) and "metric" in m
    }
    if name not in entries:
        raise SuiteError(f"{ability.task} has no metric '{name}'. It has: {', '.join(entries)}.")
    said = entries[name]
    is_own = settings.get("process_results") is not None or isinstance(said["metric"], sources.Function)
    if not is_own and not said.get("hf_evaluate") and name not in installed.known_metrics():
        raise SuiteError(
            f"lm-eval has no metric '{name}', which {ability.task} lists, and would drop it without a word. It has: "
            f"{', '.join(sorted(installed.known_metrics()))}. Or compute it in the task's own process_results."
        )
