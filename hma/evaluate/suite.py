"""Suites: the reward and abilities to measure, with sizes, prompts, seeds and decoding settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.core.point import MEAN, REWARD
from hma.core.recipe import digest
from hma.errors import SuiteError
from hma.evaluate.ability import SPLITS, Ability, read_ability
from hma.evaluate.chat import Chat, read_chat
from hma.evaluate.fields import number

VERSION = 2
"""To be raised when evaluation itself comes to give other scores, so that old points are not mixed with new ones."""

RESERVED = (MEAN, "chat answers", "answers to compare with", "merge", "merging", "model", "scoring")
"""What stands beside the scores in tables, or beside the tasks in progress and timings: no name of a score."""

_SHIPPED = Path(__file__).resolve().parents[2] / "data"
"""Where the shipped suites are, each in a folder of its name."""

_SEE = f"{_SHIPPED.parent / 'docs' / 'suites.md'} says what a suite holds; {_SHIPPED / 'miniature' / 'judged.json'} is one."


@dataclass(frozen=True)
class Suite:
    """A suite at one split and size. ``num_items`` items of each task and as many chat prompts.

    ``ends`` are the numbers of items of its sizes: see ``hma.evaluate.tiers``. The fingerprint is the same for every
    size, since a larger one only adds items.
    """

    path: Path
    title: str
    chat: Chat
    abilities: tuple[Ability, ...]
    split: str
    size: str
    num_items: int
    ends: tuple[int, ...]
    fingerprint: str

    @property
    def is_local(self) -> bool:
        """Whether it needs nothing from a hub any more: prompts and judges are in a folder, or in the hub's cache."""
        return all(ability.is_local for ability in self.abilities)


def load_suite(
    path: str | Path, split: str = "validation", size: str | None = None, program: str = "", may_run: bool = True
) -> Suite:
    """The suite in a JSON file, a folder or of a shipped one's name, without importing torch or lm-eval.

    ``size`` is one of the names under ``sizes``, the first of them by default; a smaller size is a prefix
    of a larger one. A reward ``program`` takes the place of the first reward. ``may_run`` is for who opens a suite that
    nobody named on the command line to set false: one that may run code of its own (a reward program, a task's file with
    its templates and functions, settings of that kind) is then refused; lm-eval's and the shipped tasks are not.
    Raises SuiteError for a missing file or field, an unknown split or size, or too few prompts.
    """
    path = find_suite(path)
    data = _read_json(path)
    if split not in SPLITS:
        raise SuiteError(f"Split '{split}' is unknown. Choose validation (to choose alphas) or test (to report).")
    try:
        sizes = _sizes(path, data)
        size = next(iter(sizes)) if size is None else size
        if size not in sizes:
            raise SuiteError(f"Size '{size}' is not in {path}. It offers: {', '.join(sizes)}.")
        num_items = number(sizes, size, int, 1)
        ends = tuple(sorted({number(sizes, name, int, 1) for name in sizes}))
        beside = path.parent / _folder(data)
        chat = read_chat(data, beside, split, program, may_run)
        abilities = tuple(read_ability(entry, beside / path.name) for entry in _entries(data["abilities"]))
        title = data["title"]
        if not isinstance(title, str):
            raise TypeError(f"its title is {title!r}, expected a text")
    except KeyError as error:
        raise SuiteError(f"{path} is not a suite: it has no {error}. {_SEE}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise SuiteError(f"{path} is not a suite: {error}. {_SEE}") from None
    names = [REWARD, *(axis.name for axis in (*chat.extras, *(ability.axis for ability in abilities)))]
    if len(set(names)) < len(names):
        raise SuiteError(f"{path} needs rewards and abilities with distinct names; it has {', '.join(names)}.")
    if taken := [name for name in names if name in RESERVED or name.startswith("scoring ")]:
        raise SuiteError(f"{path} names a score '{taken[0]}', which stands for something else here. Give it another name.")
    if len(chat.prompts) < num_items:
        raise SuiteError(
            f"{path} asks for {num_items} {split} prompts and the file holds {len(chat.prompts)}. Use a smaller size."
        )
    if not may_run and (own := next((ability for ability in abilities if ability.runs_own_code), None)):
        raise SuiteError(
            f"The task {own.task} of '{own.axis.name}', or its settings in the suite, may hold code (templates, functions) that "
            "would be run. Such suites are run only when named on the command line: python -m hma app --suite FILE."
        )
    content = [VERSION, split, chat.content, _content(abilities, split)]
    try:
        fingerprint = digest(content)
    except ValueError:
        raise SuiteError(f"{path} says Infinity or NaN in the settings of an ability. Expected finite numbers.") from None
    return Suite(path, title, chat, abilities, split, size, num_items, ends, fingerprint)


def find_suite(name: str | Path) -> Path:
    """The suite's file that is meant: a file, a folder's ``suite.json``, or a shipped one by its name, such as "paper"."""
    path = Path(name).expanduser()
    shipped = _SHIPPED / name / "suite.json"
    if not path.exists() and path.name == str(name) and shipped.is_file():
        return shipped
    return (path / "suite.json" if path.is_dir() else path).resolve()


def suite_sizes(path: str | Path) -> dict[str, int]:
    """The sizes that a suite file offers, by name."""
    path = find_suite(path)
    return _sizes(path, _read_json(path))


def _sizes(path: Path, data: Any) -> dict[str, int]:
    sizes = data.get("sizes") if isinstance(data, dict) else None
    if not isinstance(sizes, dict) or not sizes:
        raise SuiteError(f"{path} is not a suite: it has no 'sizes', such as {{\"quick\": 100}}. {_SEE}")
    return sizes


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        shipped = ", ".join(sorted(folder.parent.name for folder in _SHIPPED.glob("*/suite.json")))
        message = f"There is no suite at {path}. Give the path of a suite.json or of its folder, or a shipped one: {shipped}."
        raise SuiteError(message) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SuiteError(f"{path} cannot be read as JSON: {error}. Correct the file.") from None


def _folder(data: Mapping[str, Any]) -> str:
    """Where the suite's paths begin; beside the suite's own file where it does not say."""
    folder = data.get("folder", "")
    if not isinstance(folder, str):
        raise TypeError(f"its folder is {folder!r:.60}, expected a path as a text")
    return folder


def _entries(abilities: Any) -> list[Any]:
    if not isinstance(abilities, list) or not abilities:
        wanted = "expected a list of one ability or more, each with name, title, unit, task and metric"
        raise TypeError(f"'abilities' is {abilities!r:.60}, {wanted}")
    return abilities


def _content(abilities: tuple[Ability, ...], split: str) -> list[Any]:
    """Everything the abilities depend on: settings, and hashes of files. Titles and sizes are not among it."""
    content: list[Any] = []
    for ability in abilities:
        content += ability.content(split)
    return content
