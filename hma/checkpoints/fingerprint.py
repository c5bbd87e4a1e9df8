"""A name for a checkpoint's contents."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from hma.checkpoints.header import Tensor

_WINDOWS, _WINDOW = 16, 1 << 14
"""Of a tensor of more bytes than these two's product, that many evenly spaced windows enter the fingerprint."""

_TOKENIZER_FILES = ("*token*", "vocab*", "merges.txt", "*.model", "*.jinja", "generation_config.json")
"""What else in a checkpoint's folder its answers depend on."""


def fingerprint(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """A name for config, tokenizer, and every tensor's shape and bytes: 16 hexadecimal digits.

    Of large tensors only evenly spaced windows are read, since every byte of a large model would take
    minutes: training changes weights all over a tensor, so that the windows tell two checkpoints apart.
    """
    hasher = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for file in tokenizer_files(folder):
        hasher.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        hasher.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        with tensor.file.open("rb") as stream:
            for start, end in windows(tensor):
                stream.seek(start)
                hasher.update(stream.read(end - start))
    return hasher.hexdigest()[:16]


def tokenizer_files(folder: Path) -> list[Path]:
    """The folder's files of its tokenizer, chat template and generation settings, in the order of their names."""
    return sorted({f for pattern in _TOKENIZER_FILES for f in folder.glob(pattern) if f.is_file()})


def windows(tensor: Tensor) -> list[tuple[int, int]]:
    """Byte ranges that stand for a tensor, as in the fingerprint: all of a small one, evenly spaced ones of a large."""
    size = tensor.end - tensor.start
    if size <= _WINDOWS * _WINDOW:
        return [(tensor.start, tensor.end)]
    starts = [tensor.start + i * (size - _WINDOW) // (_WINDOWS - 1) for i in range(_WINDOWS)]
    return [(start, start + _WINDOW) for start in starts]
