"""Opening a pair: two folders that match, named by a fingerprint of their contents; from headers, without torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.checkpoints.checks import ADVICE, check_pair, check_settings
from hma.checkpoints.finding import refuse_fatal
from hma.checkpoints.folder import Contents, read_folder
from hma.checkpoints.header import Tensor
from hma.core.partition import layer_of
from hma.core.recipe import digest
from hma.errors import CheckpointError

_WINDOWS, _WINDOW = 16, 1 << 14
"""Of a tensor of more bytes than these two's product, that many evenly spaced windows enter the fingerprint."""

TOKENIZER_FILES = ("*token*", "vocab*", "merges.txt", "*.model", "*.jinja", "generation_config.json")
"""What else in a checkpoint's folder its answers depend on."""


@dataclass(frozen=True)
class Checkpoint:
    """A model folder: config and tensors by name, read from headers."""

    source: str
    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    fingerprint: str

    @property
    def num_layers(self) -> int:
        """Layers numbered in the tensors' names."""
        return 1 + max((n for n in map(layer_of, self.tensors) if n is not None), default=-1)


@dataclass(frozen=True)
class Pair:
    """A reference and a policy with the same tensors, and a fingerprint of their contents."""

    reference: Checkpoint
    policy: Checkpoint

    @property
    def num_layers(self) -> int:
        return self.policy.num_layers

    @property
    def fingerprint(self) -> str:
        return digest([self.reference.fingerprint, self.policy.fingerprint])


def open_pair(reference: str | Path, policy: str | Path) -> Pair:
    """The pair in two folders or hub ids. Raises CheckpointError with the first of the preflight's fatal findings."""
    a = read_folder("reference", reference)
    refuse_fatal(a.findings)
    b = read_folder("policy", policy)
    refuse_fatal(b.findings)
    refuse_fatal(check_pair(a, b))
    pair = Pair(_checkpoint(a), _checkpoint(b))
    if pair.reference.fingerprint == pair.policy.fingerprint:
        raise CheckpointError(
            f"{a.source} and {b.source} hold the same model, so there is nothing between them to average. {ADVICE}"
        )
    return pair


def check_configs(reference: dict[str, Any], policy: dict[str, Any]) -> None:
    """Raise CheckpointError when a setting that both configs have differs: the same weights would compute differently."""
    refuse_fatal(check_settings(reference, policy))


def open_checkpoint(source: str | Path) -> Checkpoint:
    """The checkpoint in a folder, or in a hub repository (``name/repository``), checked by its headers."""
    contents = read_folder("checkpoint", source)
    refuse_fatal(contents.findings)
    return _checkpoint(contents)


def _checkpoint(contents: Contents) -> Checkpoint:
    folder, config, tensors = contents.folder, contents.config, contents.tensors
    assert folder is not None
    return Checkpoint(contents.source, folder, config, tensors, _fingerprint(folder, config, tensors))


def _fingerprint(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """A name for the contents: config, tokenizer, and every tensor's shape and bytes.

    Of large tensors only evenly spaced windows are read, since every byte of a large model would take
    minutes: training changes weights all over a tensor, so that the windows tell two checkpoints apart.
    """
    hasher = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for file in sorted({f for pattern in TOKENIZER_FILES for f in folder.glob(pattern) if f.is_file()}):
        hasher.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        hasher.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        with tensor.file.open("rb") as stream:
            for start, end in windows(tensor):
                stream.seek(start)
                hasher.update(stream.read(end - start))
    return hasher.hexdigest()[:16]


def windows(tensor: Tensor) -> list[tuple[int, int]]:
    """Byte ranges that stand for a tensor, as in the fingerprint: all of a small one, evenly spaced ones of a large."""
    size = tensor.end - tensor.start
    if size <= _WINDOWS * _WINDOW:
        return [(tensor.start, tensor.end)]
    starts = [tensor.start + i * (size - _WINDOW) // (_WINDOWS - 1) for i in range(_WINDOWS)]
    return [(start, start + _WINDOW) for start in starts]
