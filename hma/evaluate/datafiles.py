"""Rows of data files (JSON lines, a JSON list, or parquet; on disk, or in a data set of the hub), each knowing its place."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.checkpoints.hub import hub_or_cache, reason_of
from hma.checkpoints.source import split_revision
from hma.errors import SuiteError


@dataclass(frozen=True)
class Row:
    """One row's fields, and its place in words: ``prompts.jsonl, line 3``."""

    place: str
    fields: Mapping[str, Any]


def text_of(row: Row, field: str) -> str:
    """A field that is a text. Raises SuiteError, naming the row, where it is missing or of another kind."""
    if field not in row.fields:
        raise SuiteError(f"{row.place}: the field '{field}' is missing. It has: {', '.join(row.fields) or 'none'}.")
    value = row.fields[field]
    if not isinstance(value, str):
        raise SuiteError(f"{row.place}: '{field}' is {value!r:.60}, expected a text.")
    return value


def rows_of(file: Path) -> list[Row]:
    """The rows of a file: JSON lines or a JSON list, either of them gzipped or not, or parquet.

    Raises SuiteError for a file that cannot be read, and for a line that holds no JSON object.
    """
    try:
        if file.suffix == ".parquet":
            return list(_parquet(file))
        content = file.read_bytes()
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise SuiteError(f"{file} cannot be read: {error}. Expected JSON lines, a JSON list or parquet.") from None
    return list(_listed(file, text) if text.lstrip()[:1] == "[" else _lines(file, text))


def _lines(file: Path, text: str) -> Iterator[Row]:
    # Not splitlines(): U+2028 and its like may stand in a text.
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        place = f"{file}, line {number}"
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise SuiteError(f"{place}: no JSON ({error}); it begins {line[:60]!r}.") from None
        yield _row(place, fields)


def _listed(file: Path, text: str) -> Iterator[Row]:
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise SuiteError(f"{file} cannot be read as JSON: {error}. Correct the file.") from None
    for number, fields in enumerate(entries, start=1):
        yield _row(f"{file}, entry {number}", fields)


def _row(place: str, fields: Any) -> Row:
    if not isinstance(fields, dict):
        raise SuiteError(f"{place}: expected an object with named fields, found {fields!r:.60}.")
    return Row(place, fields)


def _parquet(file: Path) -> Iterator[Row]:
    from pyarrow import parquet

    for number, fields in enumerate(parquet.read_table(file).to_pylist(), start=1):
        yield Row(f"{file}, row {number}", fields)


def find_files(place: Any, beside: Path) -> list[Path]:
    """The local files that a suite means: a path beside it, a list of places, or ``{"dataset", "file"}`` on the hub.

    A data set is named as checkpoints are, ``organisation/name`` or ``organisation/name@revision``, and its file is
    fetched into the hub's cache. Raises SuiteError for a file that does not exist, or cannot be fetched.
    """
    if isinstance(place, Sequence) and not isinstance(place, str):
        return [file for one in place for file in find_files(one, beside)]
    if isinstance(place, Mapping):
        names = place["file"]
        return [_from_hub(place["dataset"], name) for name in ([names] if isinstance(names, str) else names)]
    file = beside / Path(place).expanduser()
    if not file.is_file():
        raise SuiteError(f'There is no file {file}. Name one beside the suite, or {{"dataset": …, "file": …}} on the hub.')
    return [file]


def _from_hub(dataset: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download

    name, revision = split_revision(dataset)
    why = ""
    try:
        with hub_or_cache() as why:
            return Path(hf_hub_download(name, file, repo_type="dataset", revision=revision))
    except Exception as error:  # the hub's client raises many kinds, and requests' and httpx's beside
        raise SuiteError(
            f"{file} of the data set {dataset} could not be fetched from the hub: {reason_of(error, why)}. "
            "Check the names, the revision and the connection, or name a local file."
        ) from error
