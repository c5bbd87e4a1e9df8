"""The weight files of a folder: one, or shards that an index names; where every tensor lies, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.checkpoints import pickled
from hma.checkpoints.finding import Finding, name_of, others
from hma.checkpoints.header import Tensor, is_file, read_header, read_json
from hma.checkpoints.source import BIN, refuse_outside
from hma.errors import CheckpointError

Held = dict[str, Tensor] | CheckpointError
"""The tensors of one file by name, or why they cannot be read."""


@dataclass(frozen=True)
class _Format:
    """How weights are stored: the name of a single file, of the index of shards, and what reads their headers."""

    single: str
    read: Callable[[Sequence[Path]], list[Held]]

    @property
    def index(self) -> str:
        return f"{self.single}.index.json"


def _headers(files: Sequence[Path]) -> list[Held]:
    found: list[Held] = []
    for file in files:
        try:
            found.append(read_header(file))
        except CheckpointError as error:
            found.append(error)
    return found


_SAFETENSORS = _Format("model.safetensors", _headers)
_PICKLED = _Format("pytorch_model.bin", pickled.headers)

_OTHERS = ("*.bin", "*.pt", "*.pth", "*.gguf", "*.ckpt", "*.h5", "*.msgpack")
"""Weights in formats that are not read, or not by themselves."""


def read_weights(folder: Path, subject: str, allow: Collection[str] = ()) -> tuple[dict[str, Tensor], list[Finding]]:
    """Every tensor by name, none when some cannot be read, and what is wrong. Raises CheckpointError.

    Safetensors come first; PyTorch's ``.bin`` files are read where ``allow`` has ``BIN`` and there is nothing else.
    """
    form = _SAFETENSORS
    if BIN in allow and not any(is_file(folder / name) for name in (form.single, form.index)):
        form = _PICKLED
    index, single = folder / form.index, folder / form.single
    if is_file(index):
        tensors, findings = _sharded(index, form, subject)
        if is_file(single):
            message = f"{folder} has both {form.index} and {form.single}. The index is followed; remove the other."
            findings.append(Finding("warning", subject, message))
    elif is_file(single):
        (held,) = form.read([single])
        if isinstance(held, CheckpointError):
            raise held
        tensors, findings = held, []
    else:
        raise CheckpointError(_no_weights(folder, allow))
    if not tensors and not findings:
        raise CheckpointError(f"{folder} holds no tensors. Expected the weights of a language model.")
    return tensors, findings


def _no_weights(folder: Path, allow: Collection[str]) -> str:
    found = sorted(f.name for pattern in _OTHERS for f in folder.glob(pattern))
    advice = "Save the model with safetensors."
    if found:
        advice = (
            f"Its weights are in {name_of(found[0])}{others(len(found) - 1, 'file')}, and only safetensors are read. Load the "
            "model with transformers and save it with save_pretrained, which writes safetensors"
        )
        pickles = BIN not in allow and any(is_file(folder / name) for name in (_PICKLED.single, _PICKLED.index))
        advice += ", or read them as they are with --allow bin." if pickles else "."
    return f"{folder} has neither {_SAFETENSORS.single} nor {_SAFETENSORS.index}. {advice}"


def _sharded(index: Path, form: _Format, subject: str) -> tuple[dict[str, Tensor], list[Finding]]:
    """The tensors of all shards that the index names, none when a shard is missing or damaged, and what is wrong."""
    content = read_json(index, unique=True)
    shard_of = content.get("weight_map")
    if not isinstance(shard_of, dict):
        raise CheckpointError(f"{index} has no weight_map. Save the checkpoint again.")
    findings: list[Finding] = []
    files: list[Path] = []
    for shard in sorted({s if isinstance(s, str) else repr(s) for s in shard_of.values()}):
        try:
            files.append(_shard(index, shard))
        except CheckpointError as error:
            findings.append(Finding("fatal", subject, str(error)))
    tensors: dict[str, Tensor] = {}
    for file, held in zip(files, form.read(files), strict=True):
        if isinstance(held, CheckpointError):
            findings.append(Finding("fatal", subject, str(held)))
            continue
        if twice := sorted(tensors.keys() & held.keys()):
            both = f"{tensors[twice[0]].file.name} and {file.name}"
            message = f"{name_of(twice[0])} is in both {both}{others(len(twice) - 1, 'tensor')}. Save the checkpoint again."
            findings.append(Finding("fatal", subject, message))
        tensors |= held
    if findings:
        return {}, findings
    if not isinstance(content.get("metadata"), dict):
        message = f'{index} has no metadata, without which transformers does not open it. Write "metadata": {{}} into it.'
        findings.append(Finding("warning", subject, message))
    return tensors, [*findings, *_against_index(shard_of, tensors, index, subject)]


def _shard(index: Path, name: str) -> Path:
    """The file that an index names: one beside it, or a link of the hub's cache to the cache's own store."""
    shown = name_of(name)
    plain = name.isprintable() and name not in ("", ".", "..") and not {"/", "\\"} & set(name)
    if not plain:
        raise CheckpointError(
            f"{index} names {shown}, which is not the plain name of a file in the folder. Do not use this checkpoint; fetch it "
            "again from where you trust."
        )
    file = index.parent / name
    if not is_file(file):
        raise CheckpointError(f"{index} names {shown}, which the folder lacks. Fetch the missing file.")
    refuse_outside(file)
    return file


def _against_index(shard_of: dict[str, Any], tensors: dict[str, Tensor], index: Path, subject: str) -> list[Finding]:
    findings = []
    if lost := sorted(shard_of.keys() - tensors.keys()):
        message = (
            f"{index} names {name_of(lost[0])} in {name_of(shard_of[lost[0]])}, which holds no such tensor"
            f"{_and_lost(len(lost) - 1)}. Fetch the checkpoint again, all files of one version."
        )
        findings.append(Finding("fatal", subject, message))
    if unnamed := sorted(tensors.keys() - shard_of.keys()):
        message = (
            f"{tensors[unnamed[0]].file} holds {name_of(unnamed[0])}, which {index.name} does not name"
            f"{_and_lost(len(unnamed) - 1)}. It is merged like the rest; see that index and shards are of one version."
        )
        findings.append(Finding("warning", subject, message))
    moved = sorted(n for n in shard_of.keys() & tensors.keys() if shard_of[n] != tensors[n].file.name)
    if moved:
        message = (
            f"{index.name} names {name_of(moved[0])} in {name_of(shard_of[moved[0]])}, and {tensors[moved[0]].file.name} holds "
            f"it{_and_lost(len(moved) - 1)}. It is read from where it is; see that index and shards are of one version."
        )
        findings.append(Finding("warning", subject, message))
    return findings


def _and_lost(count: int) -> str:
    return f" (nor {count} more)" if count else ""
