"""The files that a suite's scores depend on: found and hashed without importing any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hma.errors import SuiteError

_LOCAL_FORMATS = ("json", "csv", "parquet", "text", "arrow")
"""What lm-eval's ``dataset_path`` says when the data are files."""

_WHOLE, _WINDOWS, _WINDOW = 1 << 26, 64, 1 << 16
"""Files up to the first many bytes are hashed whole; of larger ones, evenly spaced windows."""


def read_task(task: Path, _seen: tuple[Path, ...] = ()) -> tuple[dict[str, Any], list[Path]]:
    """A task's settings with those it includes under its own, and the YAML files they stand in.

    ``!function`` entries stay text. Raises SuiteError for a file that is no YAML of settings.
    """

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    if task in _seen:
        raise SuiteError(f"The task {_seen[0]} includes itself by way of {task}. Break the circle.")
    try:
        settings = dict(yaml.load(task.read_text(encoding="utf-8"), Loader=Loader))
    except (OSError, yaml.YAMLError, TypeError, ValueError) as error:
        raise SuiteError(f"The task {task} cannot be read as YAML: {error}") from None
    merged: dict[str, Any] = {}
    files = [task]
    for name in _listed(settings.pop("include", None)):
        included, more = read_task((task.parent / str(name)).resolve(), (*_seen, task))
        merged.update(included)
        files += more
    return {**merged, **settings}, files


def task_files(task: Path, split: str) -> list[Path]:
    """Every local file that a task's items and scores come from at a split ("validation" or "test")."""
    settings, files = read_task(task)
    splits = {settings.get(f"{name}_split") for name in (split, "fewshot", "training")}
    data = [f for name, found in data_files(task, settings).items() if name in ("", *splits) for f in found]
    programs = sorted({program for file in files for program in file.parent.glob("*.py")})
    return [*files, *data, *programs]


def data_files(task: Path, settings: Mapping[str, Any]) -> dict[str, list[Path]]:
    """The local data files of a task by the data set's own splits; under ``""`` those of every split."""
    named = (settings.get("dataset_kwargs") or {}).get("data_files") or {}
    by_split = named if isinstance(named, Mapping) else {"": named}
    return {split: [file for name in _listed(names) for file in local_files(task, name)] for split, names in by_split.items()}


def local_files(task: Path, name: Any) -> list[Path]:
    """The files that a data file's name or pattern means beside a task's YAML; none for an address elsewhere."""
    path = Path(str(name))
    if path.is_absolute():
        return [path] if path.is_file() else []
    try:
        return sorted(file for file in task.parent.glob(str(name)) if file.is_file())
    except (ValueError, NotImplementedError):
        return []


def task_is_local(task: Path) -> bool:
    """Whether a task needs nothing from a hub."""
    settings, _ = read_task(task)
    found = data_files(task, settings)
    return settings.get("dataset_path") in _LOCAL_FORMATS and bool(found) and all(found.values())


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def hash_of(path: Path) -> str:
    """A hash of a file's contents."""
    size = path.stat().st_size
    if size <= _WHOLE:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    hasher = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        for i in range(_WINDOWS):
            stream.seek(i * (size - _WINDOW) // (_WINDOWS - 1))
            hasher.update(stream.read(_WINDOW))
    return hasher.hexdigest()


def hashes_of(paths: Iterable[Path]) -> list[list[str]]:
    """(name, hash) of files, in their order."""
    return [[path.name, hash_of(path)] for path in paths]
