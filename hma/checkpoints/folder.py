"""What a checkpoint's folder holds, with everything that is wrong in it: read from headers and configs, without weights."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hma.checkpoints.finding import Finding, name_of, others
from hma.checkpoints.header import Tensor, is_file, read_header, read_json
from hma.errors import CheckpointError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"

_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
"""Files of a hub repository that a checkpoint needs."""

_OTHER_WEIGHTS = ("*.bin", "*.pt", "*.pth", "*.gguf", "*.ckpt", "*.h5", "*.msgpack")
"""Weights in formats that are not read."""


@dataclass(frozen=True)
class Contents:
    """A checkpoint as its folder has it: its side (``reference`` or ``policy``), config, tensors by name, and findings.

    The folder is None when there is none; config and tensors are empty when they could not be read whole.
    """

    side: str
    source: str
    folder: Path | None
    config: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def num_bytes(self) -> int | None:
        """Bytes of all tensors, or None when they could not be read."""
        return sum(t.end - t.start for t in self.tensors.values()) if self.tensors else None


def read_folder(side: str, source: str | Path, *, fetch: bool = True) -> Contents:
    """What a folder or hub id holds. Without ``fetch`` a hub id is looked for in this machine's cache alone."""
    source = str(source)
    try:
        folder = find_folder(source, fetch=fetch)
    except CheckpointError as error:
        return Contents(side, source, None, findings=(Finding("fatal", f"{side} folder", str(error)),))
    findings: list[Finding] = []
    if is_file(folder / "adapter_config.json"):
        return Contents(side, source, folder, findings=(_adapter(side, folder),))
    config: dict[str, Any] = {}
    try:
        config = read_json(folder / "config.json")
    except CheckpointError as error:
        findings.append(Finding("fatal", f"{side} config", str(error)))
    try:
        tensors, found = _weights(folder, f"{side} weights")
    except CheckpointError as error:
        tensors, found = {}, [Finding("fatal", f"{side} weights", str(error))]
    findings += found
    return Contents(side, source, folder, config, tensors, tuple(findings))


def find_folder(source: str, *, fetch: bool = True) -> Path:
    """The folder itself, or the one in the cache that a hub repository is in, fetched if need be."""
    path = os.path.expanduser(source)  # noqa: PTH111 (pathlib's own raises for a home or a name that cannot be)
    if os.path.isdir(path):  # noqa: PTH112
        return Path(path).resolve()
    looks_like_hub = source.count("/") == 1 and not source.startswith((".", "/", "~"))
    if os.path.exists(path) or not looks_like_hub:  # noqa: PTH110
        kind = "is not a folder" if os.path.exists(path) else "does not exist"  # noqa: PTH110
        raise CheckpointError(
            f"{source} {kind}. Give a folder with config.json and *.safetensors, or a hub id such as organisation/model."
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=_WANTED, **({} if fetch else {"local_files_only": True})))
    except Exception as error:  # the hub's client raises many kinds, and requests' and httpx's beside
        if not fetch:
            raise CheckpointError(
                f"{source} is no folder here, and not in the hub's cache on this machine; nothing is fetched for this check. "
                f"Fetch it first (hf download {source}), or give a local folder."
            ) from error
        reason = str(error).strip().split("\n")[0].rstrip(".:")
        raise CheckpointError(
            f"{source} is no folder here, and could not be fetched from the hub: {reason}. "
            "Check the name and the connection, or give a local folder."
        ) from error


def _adapter(side: str, folder: Path) -> Finding:
    try:
        of = f" of {name_of(base)}" if (base := read_json(folder / "adapter_config.json").get("base_model_name_or_path")) else ""
    except CheckpointError:
        of = ""
    return Finding(
        "fatal",
        f"{side} weights",
        f"{folder} has an adapter_config.json, so it is a LoRA adapter{of} and not a whole model. Merge it into its model "
        "first: PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(folder), and give that folder.",
    )


def _weights(folder: Path, subject: str) -> tuple[dict[str, Tensor], list[Finding]]:
    """Every tensor by name, none when some cannot be read, and what is wrong. Raises CheckpointError."""
    index, single = folder / INDEX, folder / SINGLE
    if is_file(index):
        tensors, findings = _sharded(folder, subject)
        if is_file(single):
            findings.append(
                Finding("warning", subject, f"{folder} has both {INDEX} and {SINGLE}. The index is followed; remove the other.")
            )
    elif is_file(single):
        tensors, findings = read_header(single), []
    else:
        raise CheckpointError(_no_weights(folder))
    if not tensors and not findings:
        raise CheckpointError(f"{folder} holds no tensors. Expected the weights of a language model.")
    return tensors, findings


def _no_weights(folder: Path) -> str:
    found = sorted(f.name for pattern in _OTHER_WEIGHTS for f in folder.glob(pattern))
    advice = "Save the model with safetensors."
    if found:
        advice = (
            f"Its weights are in {name_of(found[0])}{others(len(found) - 1, 'file')}, and only safetensors are read. Load the "
            "model with transformers and save it with save_pretrained, which writes safetensors."
        )
    return f"{folder} has neither {SINGLE} nor {INDEX}. {advice}"


def _sharded(folder: Path, subject: str) -> tuple[dict[str, Tensor], list[Finding]]:
    """The tensors of all shards that the index names, none when a shard is missing or damaged, and what is wrong."""
    index = folder / INDEX
    shard_of = read_json(index, unique=True).get("weight_map")
    if not isinstance(shard_of, dict):
        raise CheckpointError(f"{index} has no weight_map. Save the checkpoint again.")
    findings: list[Finding] = []
    tensors: dict[str, Tensor] = {}
    for shard in sorted({s if isinstance(s, str) else repr(s) for s in shard_of.values()}):
        try:
            held = read_header(_shard(folder, shard))
        except CheckpointError as error:
            findings.append(Finding("fatal", subject, str(error)))
            continue
        if twice := sorted(tensors.keys() & held.keys()):
            files = f"{tensors[twice[0]].file.name} and {shard}"
            message = f"{name_of(twice[0])} is in both {files}{others(len(twice) - 1, 'tensor')}. Save the checkpoint again."
            findings.append(Finding("fatal", subject, message))
        tensors |= held
    if findings:
        return {}, findings
    return tensors, _against_index(shard_of, tensors, index, subject)


def _shard(folder: Path, name: str) -> Path:
    """The file that an index names: one beside it, or a link of the hub's cache to the cache's own store."""
    index, shown = folder / INDEX, name_of(name)
    plain = name.isprintable() and name not in ("", ".", "..") and not {"/", "\\"} & set(name)
    if not plain:
        raise CheckpointError(
            f"{index} names {shown}, which is not the plain name of a file in the folder. Do not use this checkpoint; fetch it "
            "again from where you trust."
        )
    file = folder / name
    if not is_file(file):
        raise CheckpointError(f"{index} names {shown}, which the folder lacks. Fetch the missing file.")
    place = Path(os.path.realpath(file))
    if not any(place.is_relative_to(home) for home in _homes(Path(os.path.realpath(folder)))):
        raise CheckpointError(f"{file} is a link out of its folder, to {place}. Put the file itself into the folder.")
    return file


def _homes(folder: Path) -> list[Path]:
    """Where a folder's weights may lie: in it, or, for one in the hub's cache, in the blobs of its repository or of all."""
    in_cache = folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--")
    return [folder, *(folder.parents[n] / "blobs" for n in ((1, 2) if in_cache else ()))]


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
