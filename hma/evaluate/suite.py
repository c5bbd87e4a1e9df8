"""Suites: the reward and abilities to measure, with sizes, prompts, seeds and decoding settings."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hma.core.recipe import digest
from hma.core.study import Axis
from hma.errors import SuiteError

SPLITS = ("validation", "test")

VERSION = 1
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
    """A suite at one split and size. ``num_items`` items of each task and as many chat prompts."""

    path: Path
    title: str
    reward: Reward
    abilities: tuple[Ability, ...]
    split: str
    size: str
    num_items: int
    fingerprint: str


def load_suite(path: str | Path, split: str = "validation", size: str = "quick") -> Suite:
    """The suite in a JSON file (or a folder's ``suite.json``), without importing torch or lm-eval.

    ``size`` is one of the names under ``sizes``; a smaller size is a prefix of a larger one.
    Raises SuiteError for a missing file or field, an unknown split or size, or too few prompts.
    """
    path = Path(path).expanduser().resolve()
    path = path / "suite.json" if path.is_dir() else path
    data = _read_json(path)
    if split not in SPLITS:
        raise SuiteError(f"Split '{split}' is unknown. Choose validation (to choose alphas) or test (to report).")
    try:
        if size not in data["sizes"]:
            raise SuiteError(f"Size '{size}' is not in {path}. It offers: {', '.join(data['sizes'])}.")
        num_items = int(data["sizes"][size])
        reward = _reward(data["reward"], path, split, num_items)
        abilities = tuple(_ability(entry, path) for entry in data["abilities"])
        title = data["title"]
    except (KeyError, TypeError, ValueError) as error:
        raise SuiteError(f"{path} is not a suite: {error!r} is missing or malformed. See the shipped suite.json.") from None
    names = [a.axis.name for a in abilities]
    if not names or len(set(names)) < len(names) or "reward" in names:
        raise SuiteError(f"{path} needs abilities with distinct names, none of them 'reward'; it has {names}.")
    fingerprint = digest([VERSION, data, split, num_items, _content(reward, abilities, split)])
    return Suite(path, title, reward, abilities, split, size, num_items, fingerprint)


def suite_sizes(path: str | Path) -> dict[str, int]:
    """The sizes that a suite file offers, by name."""
    path = Path(path).expanduser().resolve()
    return dict(_read_json(path / "suite.json" if path.is_dir() else path).get("sizes", {}))


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
        judge = data["function"]
    elif kind == "reward_model":
        local = path.parent / data["model"]
        judge = str(local) if local.exists() else data["model"]
    else:
        raise SuiteError(f"{path} names a reward of kind '{kind}'. Known kinds: program, reward_model.")
    prompts = load_prompts(path.parent / data["prompts"][split])
    if len(prompts) < num_items:
        raise SuiteError(f"{path} asks for {num_items} {split} prompts and the file holds {len(prompts)}. Use a smaller size.")
    axis = Axis("reward", data.get("title", "Alignment reward"), data.get("unit", "points"))
    return Reward(kind, judge, axis, prompts[:num_items], Generation(**data["generation"]))


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
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SuiteError(f"The prompts in {path} cannot be read: {error.strerror or error}.") from None
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
    """Hashes of everything the scores depend on beside the suite file itself."""
    hashes: list[Any] = [[p.id, p.text] for p in reward.prompts]
    if reward.kind == "program":
        hashes += [[name, _hash(file)] for name, file in sorted(program_files(reward.judge).items())]
    elif Path(reward.judge).is_dir():
        hashes.append([[f.name, _hash(f)] for f in sorted(Path(reward.judge).iterdir()) if f.is_file()])
    for ability in abilities:
        hashes.append(_hash(ability.task))
        hashes += [[f.name, _hash(f)] for f in task_files(ability.task, split)]
    return hashes


def program_files(judge: str) -> dict[str, Path]:
    """The files that a reward program ``module:function`` is written in, by module: its own, and those that
    it imports from its own package, however indirectly. Raises SuiteError when there is no such module.
    """
    module, _, function = judge.partition(":")
    first = _source(module)
    if not function or first is None:
        raise SuiteError(f"The reward program '{judge}' cannot be found. Write it as module:function.")
    package = module.partition(".")[0]
    files, waiting = {module: first}, [first]
    while waiting:
        for name in _imported(waiting.pop()):
            if name not in files and name.partition(".")[0] == package and (file := _source(name)) is not None:
                files[name] = file
                waiting.append(file)
    return files


def _source(module: str) -> Path | None:
    """The Python file of a module, found without importing anything, or None where there is none."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    roots = (spec.submodule_search_locations or []) if spec else []
    found = [Path(root, *rest) for root in roots] if rest else [Path(spec.origin)] if spec and spec.origin else []
    files = [file for path in found for file in (path, path.with_suffix(".py"), path / "__init__.py")]
    return next((file for file in files if file.suffix == ".py" and file.is_file()), None)


def _imported(file: Path) -> set[str]:
    """Names that a file may import as modules by absolute imports, whether or not they are modules."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def task_files(task: Path, split: str) -> list[Path]:
    """The local data files that a task's YAML names for a split, and the Python files beside it."""
    files = read_task(task).get("dataset_kwargs", {}).get("data_files", {})
    named = files.get(split, []) if isinstance(files, dict) else files
    named = [named] if isinstance(named, str) else named
    local = [task.parent / name for name in named if (task.parent / name).is_file()]
    return local + sorted(task.parent.glob("*.py"))


def read_task(task: Path) -> dict[str, Any]:
    """A task's YAML with ``!function`` entries left as text."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    try:
        return dict(yaml.load(task.read_text(encoding="utf-8"), Loader=Loader))
    except (OSError, yaml.YAMLError, TypeError, ValueError) as error:
        raise SuiteError(f"The task {task} cannot be read as YAML: {error}") from None


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
