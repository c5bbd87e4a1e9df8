"""Chat prompts, and answers to compare with: read from the files that people have, without torch.

A row of a file holds one of

- ``{"id", "prompt"}``: our own,
- ``{"chosen", …}``: HH-RLHF; the prompt is the dialogue up to the assistant's last turn,
- ``{"instruction", …}``: AlpacaEval,

and of a file of answers ``{"id", "answer"}`` or AlpacaEval's outputs, ``{"instruction", "output"}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hma.errors import SuiteError
from hma.evaluate.datafiles import Row, rows_of, text_of

OWN, HH_RLHF, ALPACA_EVAL = "prompts", "hh-rlhf", "alpaca-eval"
_FIELDS = {OWN: "prompt", HH_RLHF: "chosen", ALPACA_EVAL: "instruction"}
"""The formats of prompts, with the field that tells them from each other."""

_TURN = re.compile(r"\n\n(Human|Assistant):")


@dataclass(frozen=True)
class Prompt:
    """What a model is asked, before any template: turns of the person and the assistant by turns, the person's last."""

    id: str
    turns: tuple[str, ...]

    @property
    def text(self) -> str:
        """What the person said; of several turns the dialogue, each named as HH-RLHF names it."""
        if len(self.turns) == 1:
            return self.turns[0]
        names = ("Human", "Assistant")
        return "\n\n".join(f"{names[i % 2]}: {turn}" for i, turn in enumerate(self.turns))


def read_prompts(files: Sequence[Path], format: str | None = None) -> tuple[Prompt, ...]:
    """The prompts of one or more files, in their order; ``format`` None is told from the first row's fields.

    Prompts of HH-RLHF and AlpacaEval have no names: they are counted from 0. Raises SuiteError, naming the line,
    for a file that cannot be read, a row without its field, and two prompts of one id.
    """
    if format is not None and format not in _FIELDS:
        raise SuiteError(f"The format of prompts '{format}' is unknown. Choose one of: {', '.join(_FIELDS)}.")
    prompts: list[Prompt] = []
    for file in files:
        written = file.stat()
        prompts += _read(file, format, len(prompts), (written.st_mtime_ns, written.st_size))
    if twice := _first_twice(prompt.id for prompt in prompts):
        raise SuiteError(f"{_named(files)} holds the prompt id '{twice}' twice. Give every prompt an id of its own.")
    return tuple(prompts)


def read_answers(files: Sequence[Path], prompts: Sequence[Prompt]) -> dict[str, str]:
    """The answer to each of ``prompts`` by the prompt's id: one for each, no more and no fewer.

    Rows name their prompt by ``id``, or by its text as ``instruction``. Raises SuiteError for any other file.
    """
    rows = [row for file in files for row in rows_of(file)]
    by_text = bool(rows) and "instruction" in rows[0].fields
    field, named = ("instruction", "text") if by_text else ("id", "id")
    answers: dict[str, str] = {}
    known = {getattr(prompt, named) for prompt in prompts}
    for row in rows:
        name = _instruction(row) if by_text else text_of(row, "id")
        answer = text_of(row, "output" if by_text else "answer")
        if name not in known:
            raise SuiteError(
                f"{row.place} answers the {field} {name[:60]!r}, which none of the {len(prompts)} prompts has. {_named(files)} "
                f"has {_counted(len(rows))}: remove those to other prompts."
            )
        if answers.setdefault(name, answer) != answer:
            raise SuiteError(
                f"{row.place} answers the {field} {name[:60]!r} a second time, and otherwise. Keep one answer to each prompt."
            )
    missing = [getattr(prompt, named) for prompt in prompts if getattr(prompt, named) not in answers]
    if missing:
        raise SuiteError(
            f"{_named(files)} has {_counted(len(rows))} that {'answers' if len(rows) == 1 else 'answer'} "
            f"{len(prompts) - len(missing)} of the {len(prompts)} prompts, told by '{field}'; the first without one is "
            f"{missing[0][:60]!r}. Add a row for each prompt of the suite's files of this split, also for those that its sizes "
            "do not use."
        )
    return {prompt.id: answers[getattr(prompt, named)] for prompt in prompts}


def _counted(rows: int) -> str:
    return f"{rows} row{'' if rows == 1 else 's'}"


def hh_rlhf_turns(dialogue: str) -> tuple[str, ...]:
    """The turns of an HH-RLHF dialogue up to the assistant's last; neighbouring turns of one side are one turn.

    Raises ValueError for a text that does not begin with the person, or holds no answer.
    """
    before, *parts = _TURN.split(dialogue)
    turns: list[tuple[str, str]] = []
    for side, said in zip(parts[::2], parts[1::2], strict=True):
        if turns and turns[-1][0] == side:
            said = f"{turns.pop()[1]}\n\n{said.strip()}"
        turns.append((side, said.strip()))
    answers = [place for place, (side, _) in enumerate(turns) if side == "Assistant"]
    if before.strip() or not answers or turns[0][0] != "Human":
        raise ValueError("expected a dialogue that begins with '\\n\\nHuman:' and holds '\\n\\nAssistant:'")
    return tuple(said for _, said in turns[: answers[-1]])


@lru_cache(maxsize=8)
def _read(file: Path, format: str | None, first: int, stamp: tuple[int, int]) -> tuple[Prompt, ...]:
    """The prompts of a file, counted from ``first``; kept until it is written anew, since those of HH-RLHF take seconds."""
    rows = rows_of(file)
    read = _READ[format or _told(rows, file)]
    return tuple(read(row, str(first + i)) for i, row in enumerate(rows))


def _own(row: Row, number: str) -> Prompt:
    return Prompt(text_of(row, "id"), (text_of(row, "prompt"),))


def _hh_rlhf(row: Row, number: str) -> Prompt:
    try:
        return Prompt(number, hh_rlhf_turns(text_of(row, "chosen")))
    except ValueError as error:
        raise SuiteError(f"{row.place}: {error}; 'chosen' begins {row.fields['chosen'][:60]!r}.") from None


def _alpaca_eval(row: Row, number: str) -> Prompt:
    return Prompt(number, (_instruction(row),))


def _instruction(row: Row) -> str:
    """What AlpacaEval's row asks; older files of its kind keep what the instruction is about apart."""
    about: Any = row.fields.get("input")
    return f"{text_of(row, 'instruction')}\n\n{about}" if about else text_of(row, "instruction")


_READ: dict[str, Callable[[Row, str], Prompt]] = {OWN: _own, HH_RLHF: _hh_rlhf, ALPACA_EVAL: _alpaca_eval}


def _told(rows: Sequence[Row], file: Path) -> str:
    """The format whose field the first row has."""
    found = [format for format, field in _FIELDS.items() if rows and field in rows[0].fields]
    if not found:
        raise SuiteError(
            f"{rows[0].place if rows else file} is of no known format. Expected rows with the field 'prompt' (and 'id'), "
            "'chosen' (HH-RLHF) or 'instruction' (AlpacaEval)."
        )
    return found[0]


def _first_twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _named(files: Sequence[Path]) -> str:
    return ", ".join(map(str, files))
