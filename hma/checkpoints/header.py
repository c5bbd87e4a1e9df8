"""Reading safetensors headers and JSON files that may be damaged or hostile: a value or a CheckpointError, never more."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.checkpoints.finding import name_of, value_of
from hma.errors import CheckpointError

_LIMIT = 100_000_000
"""Largest header or JSON file in bytes: the safetensors format's own limit."""

_DEEPEST = 64
"""Levels of lists and objects in each other that a file may have; the deepest of real ones have ten."""

_LARGEST = 1 << 63
"""Shapes stay below this."""

BITS = {
    **{"BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "I32": 32, "U32": 32, "I64": 64, "U64": 64},
    **{"F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64},
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8},
}
"""Bits of one number, by the dtype's name in safetensors."""


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: its dtype by safetensors' name, shape, file, and byte range in the file."""

    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    end: int


def read_header(file: Path) -> dict[str, Tensor]:
    """The tensors of one safetensors file by name, read from its header without its data.

    Raises CheckpointError when the header is not one, or when the tensors do not fill the rest of the file
    exactly, each with as many bytes as its shape and dtype take.
    """
    try:
        with _regular(file).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            header, begin = _header(stream, size)
        tensors = {name: _tensor(name, entry, file, begin, size) for name, entry in header.items()}
        _check_filled(tensors, begin, size)
    except (OSError, struct.error, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is not a whole safetensors file: {_reason(error)}. Fetch or save it again.") from None
    return tensors


def read_json(path: Path, *, unique: bool = False, bulk: str | None = None) -> dict[str, Any]:
    """The object in a JSON file; where ``unique``, no object in it may name a key twice.

    What stands under the key ``bulk`` may be nested to any depth that could be parsed, since to walk through a million
    entries takes a second: the caller checks them.

    Raises CheckpointError for what is missing, unreadable, not UTF-8, not an object, or nested beyond reason.
    """
    try:
        if _regular(path).stat().st_size > _LIMIT:
            raise ValueError(f"it is larger than {_LIMIT:,} bytes")
        value = _parsed(path.read_bytes(), unique, bulk)
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} has no {path.name}. Expected the folder of a saved transformers model.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {_reason(error)}. Fetch or save it again.") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds a {type(value).__name__}, expected an object. Fetch or save it again.")
    return value


def is_file(path: Path) -> bool:
    """Whether an ordinary file, or a link to one, is there and can be looked at."""
    return os.path.isfile(path)  # noqa: PTH113 (pathlib's own raises for a name that is too long or forbidden)


def _regular(path: Path) -> Path:
    """The path of an ordinary file: a pipe or a device would be waited for, or never end."""
    if path.exists() and not path.is_file():
        raise ValueError("it is not an ordinary file")
    return path


def _header(stream: Any, size: int) -> tuple[dict[str, Any], int]:
    """The header's entries without the metadata, and where the tensors' bytes begin."""
    (length,) = struct.unpack("<Q", stream.read(8))
    if length > min(size - 8, _LIMIT):
        raise ValueError(f"the header claims {length} bytes in a file of {size}")
    first = stream.read(min(1, length))
    if first != b"{":
        raise ValueError(f"the header begins with {first!r}, expected an object")
    header = _parsed(first + stream.read(length - 1), unique=True)
    assert isinstance(header, dict)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its __metadata__ is not an object of strings")
    return header, 8 + length


def _tensor(name: str, entry: Any, file: Path, begin: int, size: int) -> Tensor:
    shown = name_of(name)
    if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
        raise ValueError(f"{shown} is {value_of(entry)}, expected its dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise ValueError(f"{shown} has the unknown dtype {value_of(dtype)}, expected one of {', '.join(BITS)}")
    if not _naturals(shape):
        raise ValueError(f"{shown} has the shape {value_of(shape)}, expected sizes from 0 on")
    if not _naturals(offsets) or len(offsets) != 2:
        raise ValueError(f"{shown} has the data_offsets {value_of(offsets)}, expected a start and an end")
    start, end = offsets
    if not start <= end <= size - begin:
        raise ValueError(f"{shown} lies at bytes {start}..{end} of {size - begin}; the file is cut short or damaged")
    if _bits(shape, dtype, size) != 8 * (end - start):
        raise ValueError(f"{shown} has {end - start} bytes, which is not what {value_of(tuple(shape))} of {dtype} takes")
    return Tensor(dtype, tuple(shape), file, begin + start, begin + end)


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < _LARGEST for n in value)


def _bits(shape: list[int], dtype: str, size: int) -> int:
    """Bits that a tensor takes, counted no further than the bits of the whole file."""
    count = 0 if 0 in shape else BITS[dtype]
    for n in shape:
        if count > 8 * size:
            break
        count *= n
    return count


def _check_filled(tensors: dict[str, Tensor], begin: int, size: int) -> None:
    """Raise ValueError unless the tensors follow each other without overlap or gap, from header to end of file."""
    place, before = begin, "the header"
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if tensor.start != place:
            how = "overlaps" if tensor.start < place else "leaves a gap after"
            raise ValueError(f"{name_of(name)} {how} {before}")
        place, before = tensor.end, name_of(name)
    if place != size:
        raise ValueError(f"{size - place} bytes follow {before} and belong to no tensor")


def _parsed(data: bytes, unique: bool, bulk: str | None = None) -> Any:
    text = data.decode("utf-8")
    value = json.loads(text, object_pairs_hook=_unique if unique else None)
    if _is_deep({**value, bulk: None} if bulk and isinstance(value, dict) else value):
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object, every key of which is there once and can be written as UTF-8."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"{name_of(twice)} is there twice")
    for key in found:
        key.encode()
    return found


def _is_deep(value: Any) -> bool:
    """Whether lists and objects lie in each other beyond the limit; walked level by level, since recursion has its own."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST):
        level = [v for x in level for v in (x.values() if isinstance(x, dict) else x) if isinstance(v, dict | list)]
        if not level:
            return False
    return True


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, struct.error):
        return "it is shorter than 8 bytes"
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
