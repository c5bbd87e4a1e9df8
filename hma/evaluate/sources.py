"""The files that a suite's scores depend on: found and hashed without importing any of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from hma.errors import SuiteError

_LOCAL_FORMATS = ("json", "csv", "parquet", "text", "arrow")
"""What lm-eval's ``dataset_path`` says when the data are files."""

_WEIGHTS = (".safetensors", ".bin")
_WHOLE, _WINDOWS, _WINDOW = 1 << 26, 64, 1 << 16
"""Weights up to the first many bytes are hashed whole; of larger ones, evenly spaced windows. All else is hashed whole."""


class Function(str):
    """The text of a task's ``!function`` entry; ``file`` is the Python file beside the task that it is written in, if any."""

    file: Path | None = None


def read_task(task: Path, _seen: tuple[Path, ...] = ()) -> tuple[dict[str, Any], list[Path]]:
    """A task's settings with those it includes under its own, and the YAML files they stand in.

    ``!function`` entries are ``Function`` texts. Raises SuiteError for a file that is no YAML of settings.
    """

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        pass

    Loader.add_constructor("!function", lambda loader, node: _function(loader.construct_scalar(node), task.parent))
    if task in _seen:
        raise SuiteError(f"The task {_seen[0]} includes itself by way of {task}. Break the circle.")
    try:
        settings = dict(yaml.load(task.read_text(encoding="utf-8"), Loader=Loader))
    except (OSError, yaml.YAMLError, TypeError, ValueError) as error:
        raise SuiteError(f"The task {task} cannot be read as YAML: {error}") from None
    merged: dict[str, Any] = {}
    files = [task]
    for name in listed(settings.pop("include", None)):
        included, more = read_task((task.parent / str(name)).resolve(), (*_seen, task))
        merged.update(included)
        files += more
    return {**merged, **settings}, files


def _function(text: str, folder: Path) -> Function:
    function = Function(text)
    file = folder / (text.rpartition(".")[0].replace(".", "/") + ".py")
    function.file = file.resolve() if file.is_file() else None
    return function


def anchored(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Settings of a task whose data files or data set's folder, where they lie at ``folder``, are named in full.

    A ``data_dir`` is a folder of files, and ``data_files`` are within it, unless the settings name a data set that it is in.
    """
    settings = dict(settings)
    kwargs, path = settings.get("dataset_kwargs"), settings.get("dataset_path")
    if isinstance(kwargs, Mapping):
        kwargs, within = dict(kwargs), folder
        if isinstance(kwargs.get("data_dir"), str) and path in (None, *_LOCAL_FORMATS):
            within = (folder / Path(kwargs["data_dir"]).expanduser()).resolve()
            kwargs |= {"data_dir": str(within)} if within.is_dir() else {}
        if kwargs.get("data_files"):
            kwargs["data_files"] = _named(kwargs["data_files"], within)
        settings["dataset_kwargs"] = kwargs
    if isinstance(path, str) and path not in _LOCAL_FORMATS and (found := folder / Path(path).expanduser()).is_dir():
        settings["dataset_path"] = str(found.resolve())
    return settings


def _named(names: Any, folder: Path) -> Any:
    if isinstance(names, Mapping):
        return {split: _named(value, folder) for split, value in names.items()}
    files = [str(file) for name in listed(names) for file in _matching(folder, str(name))]
    return files or names


def _matching(folder: Path, name: str) -> list[Path]:
    """The files that a data file's name or pattern means; none for an address elsewhere."""
    path = Path(name)
    try:
        found = Path(path.anchor).glob(str(path.relative_to(path.anchor))) if path.is_absolute() else folder.glob(name)
        return sorted(file for file in found if file.is_file())
    except (ValueError, NotImplementedError, OSError):
        return []


def task_files(settings: Mapping[str, Any], files: Iterable[Path], splits: Collection[str | None]) -> list[Path]:
    """Every local file that a task's items and scores come from: its YAML ``files``, its data, and Python beside it.

    ``settings`` are anchored; ``splits`` are those of the data set that are used.
    """
    files = list(files)
    data = [f for name, found in data_files(settings).items() if name in ("", *splits) for f in found]
    data += folder_files(settings)
    programs = {program for file in files for program in file.parent.glob("*.py")}
    programs |= {value.file for value in _values(settings) if isinstance(value, Function) and value.file}
    return [*files, *data, *sorted(programs)]


def _values(value: Any) -> Iterator[Any]:
    """Everything within nested mappings and lists."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else None
    if inner is None:
        yield value
    else:
        for part in inner:
            yield from _values(part)


def data_files(settings: Mapping[str, Any]) -> dict[str, list[Path]]:
    """The local data files of anchored settings by the data set's own splits; under ``""`` those of every split."""
    named = (settings.get("dataset_kwargs") or {}).get("data_files") or {}
    by_split = named if isinstance(named, Mapping) else {"": named}
    return {split: [path for path in map(Path, listed(names)) if path.is_file()] for split, names in by_split.items()}


def folder_files(settings: Mapping[str, Any]) -> list[Path]:
    """The files of the folder that anchored settings name as their data set, or as its ``data_dir`` without ``data_files``.

    None where they name no folder.
    """
    kwargs = settings.get("dataset_kwargs") or {}
    folder = Path(str(settings.get("dataset_path")))
    if not folder.is_absolute():
        folder = Path(str(kwargs.get("data_dir")))
    if not folder.is_absolute() or (settings.get("dataset_path") in _LOCAL_FORMATS and kwargs.get("data_files")):
        return []
    return sorted(f for f in folder.rglob("[!.]*") if f.is_file() and not f.relative_to(folder).parts[0].startswith("."))


def data_are_local(settings: Mapping[str, Any]) -> bool:
    """Whether anchored settings name data that need nothing from a hub: files, or a folder that holds a data set."""
    path, found = settings.get("dataset_path"), data_files(settings)
    if path in _LOCAL_FORMATS:
        return all(found.values()) if found else bool(folder_files(settings))
    return Path(str(path)).is_absolute()


def listed(value: Any) -> list[Any]:
    """A YAML value that may be one, several or none, as a list."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def hash_of(path: Path) -> str:
    """A hash of a file's contents; of large weights, of samples of them."""
    stat = path.stat()
    if stat.st_size <= _WHOLE:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return _hash_of_large(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hash_of_large(path: Path, size: int, written: int) -> str:
    """Read once while its size and time of writing stay: data sets of gigabytes are asked for again and again."""
    with path.open("rb") as stream:
        if path.suffix not in _WEIGHTS:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        hasher = hashlib.sha256(str(size).encode())
        for i in range(_WINDOWS):
            stream.seek(i * (size - _WINDOW) // (_WINDOWS - 1))
            hasher.update(stream.read(_WINDOW))
    return hasher.hexdigest()


def hashes_of(paths: Iterable[Path]) -> list[list[str]]:
    """(name, hash) of files, in their order."""
    return [[path.name, hash_of(path)] for path in paths]
