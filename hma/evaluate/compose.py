"""A suite of one's own, made from another: fewer scores, other sizes, further tasks of lm-eval and reward models."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.core.point import REWARD
from hma.errors import SuiteError
from hma.evaluate.suite import SPLITS, find_suite, load_suite

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,63}")


@dataclass(frozen=True)
class Change:
    """What a new suite has other than the one that it is made from.

    ``abilities`` and ``rewards`` are the names of those that stay (``reward`` is the chart's own); ``tasks`` are further
    abilities and ``judges`` further rewards, as entries of a suite's file; ``sizes`` are numbers of items.
    ``judge_first`` makes the first of ``judges`` the chart's reward.
    """

    title: str
    abilities: Collection[str]
    rewards: Collection[str]
    sizes: Mapping[str, int]
    tasks: Sequence[Mapping[str, Any]] = ()
    judges: Sequence[Mapping[str, Any]] = ()
    judge_first: bool = False


def names(base: str | Path) -> tuple[dict[str, str], dict[str, str]]:
    """The titles of a suite's abilities and of its rewards, by their names. Raises SuiteError as ``load_suite`` does."""
    suite = load_suite(base)
    rewards = {REWARD: suite.chat.rewards[0].axis.title} | {r.axis.name: r.axis.title for r in suite.chat.rewards[1:]}
    return {ability.axis.name: ability.axis.title for ability in suite.abilities}, rewards


def composed(base: str | Path, change: Change) -> dict[str, Any]:
    """The new suite as its file holds it. Raises SuiteError where no reward or ability is left."""
    path = find_suite(base)
    data = json.loads(path.read_text(encoding="utf-8"))
    if "reward" in data:  # The short form, with the chat's fields in the reward.
        reward = dict(data.pop("reward"))
        data["chat"] = {name: reward.pop(name) for name in ("prompts", "generation", "format") if name in reward}
        data["rewards"] = [reward]
    first, *others = data["rewards"]
    judges = [dict(judge) for judge in change.judges]
    kept = [dict(first)] if REWARD in change.rewards else []
    if judges and (change.judge_first or not kept):
        kept = [_unnamed(judges.pop(0))] + [{**reward, "name": "first_reward"} for reward in kept]
    kept += [reward for reward in others if reward["name"] in change.rewards]
    abilities = [entry for entry in data["abilities"] if entry["name"] in change.abilities]
    abilities += [dict(task) for task in change.tasks]
    if not kept:
        raise SuiteError("A suite needs a reward: keep one of those that it has, or name a reward model.")
    if not abilities:
        raise SuiteError("A suite needs an ability: keep one of those that it has, or add a task of lm-eval.")
    folder = (path.parent / data.get("folder", "")).resolve()
    data.update(title=change.title, folder=str(folder), rewards=kept + judges, abilities=abilities, sizes=dict(change.sizes))
    data.pop("name", None)
    return data


def write(base: str | Path, change: Change, folder: Path, name: str) -> Path:
    """Write the new suite to ``folder/name/suite.json`` once it can be opened, at every size and split, and return the file.

    Raises SuiteError for what cannot be opened or might run code of its own, for a name that is no plain folder's name, and for
    one that is taken by another suite; then nothing is written.
    """
    if not _NAME.fullmatch(name):
        raise SuiteError(
            f"{name[:80]!r} cannot name a suite. Use letters, digits, spaces, dots, - and _, beginning with a letter or digit."
        )
    text = json.dumps(composed(base, change), indent=2) + "\n"
    file = folder / name / "suite.json"
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise SuiteError(f"There is another suite called '{name}' already, in {file}. Choose another name.")
    trial = folder / f".{name}" / "suite.json"
    trial.parent.mkdir(parents=True, exist_ok=True)
    try:
        trial.write_text(text, encoding="utf-8")
        for split in SPLITS:
            for size in change.sizes:
                load_suite(trial, split, size, may_run=False)
        file.parent.mkdir(exist_ok=True)
        trial.replace(file)
    finally:
        trial.unlink(missing_ok=True)
        trial.parent.rmdir()
    return file


def _unnamed(judge: dict[str, Any]) -> dict[str, Any]:
    """The chart's own reward takes no name."""
    return {key: value for key, value in judge.items() if key != "name"}
