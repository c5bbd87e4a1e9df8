"""Local JSONL data: a field that a task's templates read must stand in every line that is used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, meta

from hma.errors import SuiteError
from hma.evaluate import sources

_TEMPLATES = ("doc_to_text", "doc_to_target", "doc_to_choice", "description", "gen_prefix")

Line = tuple[Path, int, dict[str, Any]]
"""A file, the number of a line in it, and what the line says."""


def lines_of(settings: Mapping[str, Any], split: str) -> list[Line] | None:
    """The lines of a data set's split in their order; None where its data are not local lines of JSON.

    Raises SuiteError for a line that is not an object, where the lines before it are.
    """
    files = sources.data_files(settings)
    files_of_split = files.get(split) or files.get("")
    if settings.get("dataset_path") != "json" or not files_of_split or settings["dataset_kwargs"].get("field"):
        return None
    lines: list[Line] = []
    for file in files_of_split:
        found = _lines(file)
        if found is None:
            return None
        lines += found
    return lines


def check_not_empty(settings: Mapping[str, Any]) -> None:
    """Raises SuiteError for a local data file of any split that holds nothing: ``datasets`` reads them all, and fails."""
    for file in (file for files in sources.data_files(settings).values() for file in files):
        with file.open("rb") as stream:
            if not any(line.strip() for line in stream):
                raise SuiteError(f"{file} has no lines. Add the items, or leave the file out of the task's data_files.")


def check_fields(settings: Mapping[str, Any], lines: list[Line]) -> None:
    """Raises SuiteError, with file and line, when one of ``lines`` lacks a field that a template of the task reads.

    ``datasets`` would fill it with None, and the prompt would say so. Settings with ``process_docs`` are left alone: it
    may make the fields.
    """
    if settings.get("process_docs") is not None:
        return
    known = {name for _, _, fields in lines for name in fields}
    for reader in _TEMPLATES:
        for name in sorted(_fields(settings.get(reader), known)):
            for file, number, fields in lines:
                if name not in fields:
                    raise SuiteError(
                        f"{file}, line {number} has no field '{name}', which the task's {reader} reads; it has: "
                        f"{', '.join(fields)}. Add it (null where there is none)."
                    )


def _fields(template: Any, known: set[str]) -> set[str]:
    """The fields that a template reads: itself where it is a field's name, else the variables in it."""
    if not isinstance(template, str) or isinstance(template, sources.Function):
        return set()
    if template in known:
        return {template}
    try:
        return meta.find_undeclared_variables(Environment().parse(template))
    except TemplateSyntaxError:
        return set()


def _lines(file: Path) -> list[Line] | None:
    """The lines of a file, or None for one that is no lines of JSON but one piece of it."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    lines: list[Line] = []
    # Not splitlines(): U+2028 and its like may stand in a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            if not lines and _is_json(text):
                return None
            raise SuiteError(f"{file}, line {number} cannot be read as JSON: {error}. Correct the line.") from None
        if not isinstance(fields, dict):
            if not lines:
                return None
            raise SuiteError(f"{file}, line {number} is {line.strip()[:60]!r}, expected an object with the item's fields.")
        lines.append((file, number, fields))
    return lines


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True
