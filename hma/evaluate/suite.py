"""Suites: the reward and abilities to measure, with sizes, prompts, seeds and decoding settings."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hma.core.recipe import digest
from hma.core.study import Axis
from hma.errors import SuiteError
from hma.evaluate import sources

SPLITS = ("validation", "test")

VERSION = 2
"""To be raised when evaluation itself comes to give other scores, so that old points are not mixed with new ones."""


@dataclass(frozen=True)
class Prompt:
    """A chat prompt: the person's text, before any chat template."""

    id: str
    text: str


@dataclass(frozen=True)
class Generation:
    """Decoding settings of the chat answers. Temperature 0 is greedy."""

    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int


@dataclass(frozen=True)
class Reward:
    """How chat answers are judged: ``kind`` "program" with a ``module:function``, or "reward_model" with a folder."""

    kind: str
    judge: str
    axis: Axis
    prompts: tuple[Prompt, ...]
    generation: Generation


@dataclass(frozen=True)
class Ability:
    """An lm-eval task by its YAML file, and the one metric of it that counts."""

    axis: Axis
    task: Path
    metric: str


@dataclass(frozen=True)
class Suite:
    """A suite at one split and size. ``num_items`` items of each task and as many chat prompts.

    ``ends`` are the numbers of items of its sizes: see ``hma.evaluate.tiers``. The fingerprint is the same for every
    size, since a larger one only adds items.
    """

    path: Path
    title: str
    reward: Reward
    abilities: tuple[Ability, ...]
    split: str
    size: str
    num_items: int
    ends: tuple[int, ...]
    fingerprint: str

    @property
    def is_local(self) -> bool:
        """Whether it needs nothing from a hub."""
        judged = self.reward.kind == "program" or Path(self.reward.judge).is_dir()
        return judged and all(sources.task_is_local(ability.task) for ability in self.abilities)


def load_suite(path: str | Path, split: str = "validation", size: str | None = None) -> Suite:
    """The suite in a JSON file (or a folder's ``suite.json``), without importing torch or lm-eval.

    ``size`` is one of the names under ``sizes``, the first of them by default; a smaller size is a prefix
    of a larger one.
    Raises SuiteError for a missing file or field, an unknown split or size, or too few prompts.
    """
    path = Path(path).expanduser().resolve()
    path = path / "suite.json" if path.is_dir() else path
    data = _read_json(path)
    if split not in SPLITS:
        raise SuiteError(f"Split '{split}' is unknown. Choose validation (to choose alphas) or test (to report).")
    try:
        size = next(iter(data["sizes"]), None) if size is None else size
        if size not in data["sizes"]:
            raise SuiteError(f"Size '{size}' is not in {path}. It offers: {', '.join(data['sizes'])}.")
        num_items = _number(data["sizes"], size, int, 1)
        ends = tuple(sorted({_number(data["sizes"], name, int, 1) for name in data["sizes"]}))
        reward = _reward(data["reward"], path, split, num_items)
        abilities = tuple(_ability(entry, path) for entry in data["abilities"])
        title = data["title"]
    except KeyError as error:
        raise SuiteError(f"{path} is not a suite: it has no {error}. See the shipped suite.json.") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise SuiteError(f"{path} is not a suite: {error}. See the shipped suite.json.") from None
    names = [a.axis.name for a in abilities]
    if not names or len(set(names)) < len(names) or "reward" in names:
        raise SuiteError(f"{path} needs abilities with distinct names, none of them 'reward'; it has {names}.")
    fingerprint = digest([VERSION, split, _content(reward, abilities, split)])
    reward = replace(reward, prompts=reward.prompts[:num_items])
    return Suite(path, title, reward, abilities, split, size, num_items, ends, fingerprint)


def suite_sizes(path: str | Path) -> dict[str, int]:
    """The sizes that a suite file offers, by name."""
    path = Path(path).expanduser().resolve()
    data = _read_json(path / "suite.json" if path.is_dir() else path)
    sizes = data.get("sizes") if isinstance(data, dict) else None
    if not isinstance(sizes, dict) or not sizes:
        raise SuiteError(f"{path} is not a suite: it has no sizes. See the shipped suite.json.")
    return sizes


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SuiteError(f"There is no suite at {path}. Give the path of a suite.json or of its folder.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SuiteError(f"{path} cannot be read as JSON: {error}. Correct the file.") from None


def _reward(data: dict[str, Any], path: Path, split: str, num_items: int) -> Reward:
    kind = data["kind"]
    if kind == "program":
        judge = str(data["function"])
    elif kind == "reward_model":
        local = path.parent / data["model"]
        judge = str(local) if local.exists() else str(data["model"])
    else:
        raise SuiteError(f"{path} names a reward of kind '{kind}'. Known kinds: program, reward_model.")
    prompts = load_prompts(path.parent / data["prompts"][split])
    if len(prompts) < num_items:
        raise SuiteError(f"{path} asks for {num_items} {split} prompts and the file holds {len(prompts)}. Use a smaller size.")
    axis = Axis("reward", data.get("title", "Alignment reward"), data.get("unit", "points"))
    return Reward(kind, judge, axis, prompts, _generation(data["generation"]))


def _generation(data: dict[str, Any]) -> Generation:
    return Generation(
        max_new_tokens=_number(data, "max_new_tokens", int, 1),
        temperature=_number(data, "temperature", float, 0),
        top_p=_number(data, "top_p", float, 0, 1),
        seed=_number(data, "seed", int, 0),
    )


def _number(data: dict[str, Any], name: str, kind: type[int] | type[float], low: float, high: float = float("inf")) -> Any:
    """A number of the suite file. Raises ValueError outside of ``low`` to ``high``, TypeError for anything else."""
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise TypeError(f"'{name}' is {value!r}, expected {'a whole number' if kind is int else 'a number'}")
    if not low <= value <= high:
        raise ValueError(f"'{name}' is {value}, expected {low} {'or more' if high == float('inf') else f'to {high}'}")
    return kind(value)


def _ability(data: dict[str, Any], path: Path) -> Ability:
    axis = Axis(data["name"], data["title"], data["unit"], data.get("group", data["name"]))
    task = (path.parent / data["task"]).resolve()
    if not task.is_file():
        raise SuiteError(f"{path} names the task {task}, which does not exist.")
    return Ability(axis, task, data["metric"])


def load_prompts(path: Path) -> tuple[Prompt, ...]:
    """Prompts from a JSONL file of ``{"id", "prompt"}``; SuiteError names the line that is wrong."""
    prompts = []
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"The prompts in {path} cannot be read: {error}.") from None
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            prompts.append(Prompt(str(entry["id"]), str(entry["prompt"])))
        except (json.JSONDecodeError, KeyError, TypeError):
            raise SuiteError(f'{path}, line {number}: expected {{"id": …, "prompt": …}}, found {line[:60]!r}.') from None
    if len({p.id for p in prompts}) < len(prompts):
        raise SuiteError(f"{path} holds the same prompt id twice. Give every prompt an id of its own.")
    return tuple(prompts)


def _content(reward: Reward, abilities: tuple[Ability, ...], split: str) -> list[Any]:
    """Everything the scores depend on: settings, and hashes of files. Titles and other sizes are not among it."""
    content: list[Any] = [reward.kind, [[p.id, p.text] for p in reward.prompts], asdict(reward.generation)]
    if reward.kind == "program":
        files = sources.program_files(reward.judge)
        content.append([reward.judge, [[name, sources.hash_of(file)] for name, file in sorted(files.items())]])
    elif Path(reward.judge).is_dir():
        content.append(sources.hashes_of(sorted(f for f in Path(reward.judge).iterdir() if f.is_file())))
    else:
        content.append(reward.judge)
    for ability in abilities:
        content.append([ability.axis.name, ability.axis.group, ability.metric])
        content.append(sources.hashes_of(sources.task_files(ability.task, split)))
    return content
