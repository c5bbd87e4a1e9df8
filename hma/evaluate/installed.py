"""The tasks of the installed lm-eval, found by their names without importing it (which takes seconds; its own index, tens)."""

from __future__ import annotations

import difflib
import importlib.metadata
import os
import re
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path

from hma.errors import SuiteError
from hma.evaluate.sources import listed, read_task

_KEY = re.compile(r"""^["']?(task|group|class)["']?[ \t]*:[ \t]*(.*)$""", re.MULTILINE)
_METRIC = re.compile(r"""@register_metric\(\s*metric="([^"]+)\"""")


def version() -> str:
    """The installed lm-eval's version."""
    return importlib.metadata.version("lm_eval")


@lru_cache(maxsize=1)
def folder() -> Path:
    """The folder of the installed lm-eval."""
    spec = PathFinder.find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise SuiteError("lm-eval is not installed. Install what requirements.txt names.")
    return Path(spec.origin).resolve().parent


@lru_cache(maxsize=1)
def known_metrics() -> frozenset[str]:
    """The metrics that the installed lm-eval knows by name."""
    return frozenset(_METRIC.findall((folder() / "api" / "metrics.py").read_text(encoding="utf-8")))


@lru_cache(maxsize=256)
def find_task(name: str) -> Path:
    """The YAML file of the task ``name`` of the installed lm-eval.

    Raises SuiteError for a name that it does not have, with those that come close, and for one that means several
    tasks (a group or a tag), with theirs.
    """
    path, is_group = _found(name)
    if path is not None and not is_group:
        return path
    texts = {file: _text(file) for file, _ in _files()} if path is None else {}
    members = _members(path) if path is not None else _tagged(name, texts)
    if members:
        shown = ", ".join(members[:12]) + (f" and {len(members) - 12} more" if len(members) > 12 else "")
        raise SuiteError(
            f"'{name}' is no single task of lm-eval {version()}; it stands for {shown}. Give each that you want an ability of "
            f'its own, with "group": "{name}": a group counts as the plain mean of its tasks.'
        )
    names = [found[0] for found in map(_name, texts.values()) if found]
    close = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
    raise SuiteError(
        f"There is no task '{name}' in lm-eval {version()}, and no such file or folder beside the suite. "
        + (f"Close to it: {', '.join(close)}." if close else "`lm-eval ls tasks` lists all.")
    )


def _found(name: str) -> tuple[Path | None, bool]:
    """The YAML file that holds a name, and whether it is a group's. Files whose path has the name's words are read first."""
    words = _words(name)
    for path, _ in sorted(_files(), key=lambda file: len(file[1] ^ words)):
        text = _text(path)
        if name in text and (found := _name(text)) and found[0] == name:
            return folder() / "tasks" / path, found[1]
    return None, False


@lru_cache(maxsize=1)
def _files() -> tuple[tuple[str, frozenset[str]], ...]:
    """Every YAML file of the installed lm-eval's tasks, relative to their folder, with the words of its path."""
    root = str(folder() / "tasks")
    found = (f"{top}/{file}"[len(root) + 1 :] for top, _, files in os.walk(root) for file in files)
    return tuple((path, _words(path.removesuffix(".yaml"))) for path in sorted(found) if path.endswith(".yaml"))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.split(r"[^a-z0-9]+", text.lower()))


def _text(path: str) -> str:
    return (folder() / "tasks" / path).read_text(encoding="utf-8", errors="replace")


def _name(text: str) -> tuple[str, bool] | None:
    """The name that lm-eval knows a YAML file by, and whether it is a group's; None for a file that others include."""
    keys: dict[str, str] = {}
    for key, value in _KEY.findall(text):
        keys.setdefault(key, re.sub(r"\s+#.*$", "", value).strip().strip("\"'"))
    is_group = "group" in keys and "class" not in keys
    name = keys.get("group" if is_group else "task")
    return (name, is_group) if name else None


def _members(group: Path) -> list[str]:
    tasks = listed(read_task(group)[0].get("task"))
    return [str(task.get("task", task.get("group")) if isinstance(task, dict) else task) for task in tasks]


def _tagged(tag: str, texts: dict[str, str]) -> list[str]:
    """The tasks that carry a tag of this name in their own file."""
    tags = re.compile(
        rf"""^["']?tag["']?[ \t]*:(?:[ \t]*\n(?:[ \t]*-.*\n)*?[ \t]*-)?[ \t]*["']?{re.escape(tag)}["']?[ \t]*$""", re.M
    )
    found = (_name(text) for text in texts.values() if tag in text and tags.search(text))
    return sorted(name for name, _ in filter(None, found))
