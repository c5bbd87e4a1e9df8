"""Opening a pair: finding the files and checking that they match, from headers alone, without torch."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.core.partition import layer_of
from hma.core.recipe import digest
from hma.errors import CheckpointError

_HEADER_LIMIT = 100_000_000
"""Largest safetensors header in bytes, the format's own limit."""

_WINDOWS, _WINDOW = 16, 1 << 14
"""Of a tensor of more bytes than these two's product, that many evenly spaced windows enter the fingerprint."""

_TOKENIZER_FILES = ("*token*", "vocab*", "merges.txt", "*.model", "*.jinja", "generation_config.json")
"""What else in a checkpoint's folder its answers depend on."""

_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
"""Files of a hub repository that a checkpoint needs."""


COSMETIC = frozenset(
    "_name_or_path architectures auto_map transformers_version dtype torch_dtype use_cache max_position_embeddings "
    "bos_token_id eos_token_id pad_token_id id2label label2id initializer_range".split()
)
"""Settings of a config in which two checkpoints of one architecture may differ; the policy's are used."""


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: its dtype by safetensors' name, shape, file, and byte range in the file."""

    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    end: int


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
    """The pair in two folders or hub ids. Raises CheckpointError naming the tensor and both values."""
    pair = Pair(open_checkpoint(reference), open_checkpoint(policy))
    a, b = pair.reference, pair.policy
    advice = "Choose two checkpoints of one architecture: the model before RLHF, and the same model after it."
    types = a.config.get("model_type"), b.config.get("model_type")
    if types[0] != types[1]:
        raise CheckpointError(f"The reference is a {types[0]} model and the policy a {types[1]} model. {advice}")
    for name in sorted(a.tensors.keys() | b.tensors.keys()):
        if name not in a.tensors or name not in b.tensors:
            holder, other = ("policy", "reference") if name in b.tensors else ("reference", "policy")
            raise CheckpointError(f"{name} is in the {holder} and not in the {other}. {advice}")
        shapes = a.tensors[name].shape, b.tensors[name].shape
        if shapes[0] != shapes[1]:
            raise CheckpointError(f"{name} is {shapes[0]} in the reference and {shapes[1]} in the policy. {advice}")
        dtypes = a.tensors[name].dtype, b.tensors[name].dtype
        if dtypes[0] != dtypes[1]:
            raise CheckpointError(
                f"{name} is {dtypes[0]} in the reference and {dtypes[1]} in the policy. Save both checkpoints in one dtype."
            )
    check_configs(a.config, b.config)
    if a.fingerprint == b.fingerprint:
        raise CheckpointError(
            f"{a.source} and {b.source} hold the same model, so there is nothing between them to average. {advice}"
        )
    if pair.num_layers == 0:
        raise CheckpointError(f"{a.folder} has no numbered layers in its tensors' names, so it has no blocks to average.")
    return pair


def check_configs(reference: dict[str, Any], policy: dict[str, Any]) -> None:
    """Raise CheckpointError when a setting that both configs have differs: the same weights would compute differently.

    A merge has one config, the policy's; with it a reference of another would not be the reference.
    """
    for name in sorted((reference.keys() & policy.keys()) - COSMETIC):
        if reference[name] != policy[name]:
            raise CheckpointError(
                f"The configs differ in {name}: {reference[name]!r} in the reference and {policy[name]!r} in the policy, so "
                "their weights do not mean the same. Choose two checkpoints of one architecture with the same settings."
            )


def open_checkpoint(source: str | Path) -> Checkpoint:
    """The checkpoint in a folder, or in a hub repository (``name/repository``), checked by its headers."""
    folder = _folder(str(source))
    config = _json(folder / "config.json")
    tensors: dict[str, Tensor] = {}
    for file in _weight_files(folder):
        tensors.update(read_header(file))
    if not tensors:
        raise CheckpointError(f"{folder} holds no tensors. Expected the weights of a language model.")
    return Checkpoint(str(source), folder, config, tensors, _fingerprint(folder, config, tensors))


def _folder(source: str) -> Path:
    path = Path(source).expanduser()
    if path.is_dir():
        return path.resolve()
    looks_like_hub = source.count("/") == 1 and not source.startswith((".", "/", "~"))
    if path.exists() or not looks_like_hub:
        kind = "is not a folder" if path.exists() else "does not exist"
        raise CheckpointError(
            f"{source} {kind}. Give a folder with config.json and *.safetensors, or a hub id such as organisation/model."
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, allow_patterns=_WANTED))
    except Exception as error:  # the hub's client raises many kinds, and requests' and httpx's beside
        reason = str(error).strip().split("\n")[0].rstrip(".:")
        raise CheckpointError(
            f"{source} is no folder here, and could not be fetched from the hub: {reason}. "
            "Check the name and the connection, or give a local folder."
        ) from error


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        single = folder / "model.safetensors"
        if not single.exists():
            raise CheckpointError(
                f"{folder} has neither model.safetensors nor model.safetensors.index.json. Save the model with safetensors."
            )
        return [single]
    named = _json(index).get("weight_map")
    if not isinstance(named, dict):
        raise CheckpointError(f"{index} has no weight_map. Save the checkpoint again.")
    files = [folder / name for name in sorted(set(named.values()))]
    for file in files:
        if file.parent != folder or not file.exists():
            raise CheckpointError(f"{index} names {file.name}, which the folder lacks. Fetch the missing file.")
    return files


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} has no {path.name}. Expected the folder of a saved transformers model.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}. Fetch or save it again.") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds a {type(value).__name__}, expected an object. Fetch or save it again.")
    return value


def read_header(file: Path) -> dict[str, Tensor]:
    """The tensors of one safetensors file by name, read from its header without its data."""
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > min(size - 8, _HEADER_LIMIT):
                raise ValueError(f"the header claims {length} bytes in a file of {size}")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        tensors = {}
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            if not 0 <= start <= end <= size - 8 - length:
                raise ValueError(f"{name} lies at bytes {start}..{end} of {size - 8 - length}; the file is cut short or damaged")
            tensors[name] = Tensor(entry["dtype"], tuple(entry["shape"]), file, 8 + length + start, 8 + length + end)
        return tensors
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file} is not a whole safetensors file: {error}. Fetch or save it again.") from None


def _fingerprint(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """A name for the contents: config, tokenizer, and every tensor's shape and bytes.

    Of large tensors only evenly spaced windows are read, since every byte of a large model would take
    minutes: training changes weights all over a tensor, so that the windows tell two checkpoints apart.
    """
    hasher = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for file in sorted({f for pattern in _TOKENIZER_FILES for f in folder.glob(pattern) if f.is_file()}):
        hasher.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        hasher.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        with tensor.file.open("rb") as stream:
            for start, end in _windows(tensor):
                stream.seek(start)
                hasher.update(stream.read(end - start))
    return hasher.hexdigest()[:16]


def _windows(tensor: Tensor) -> list[tuple[int, int]]:
    """The byte ranges of a tensor that enter the fingerprint: all of a small one, both ends of any."""
    size = tensor.end - tensor.start
    if size <= _WINDOWS * _WINDOW:
        return [(tensor.start, tensor.end)]
    starts = [tensor.start + i * (size - _WINDOW) // (_WINDOWS - 1) for i in range(_WINDOWS)]
    return [(start, start + _WINDOW) for start in starts]
