"""The plan of a merged checkpoint's weight files: what lies where, known from headers alone, without torch."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hma.checkpoints.pair import Pair, Tensor
from hma.core.partition import EMBEDDINGS, HEAD, Place, layer_of, part_of, place_of
from hma.core.recipe import Recipe
from hma.errors import CheckpointError

INDEX = "model.safetensors.index.json"

_STORED = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_MERGED = frozenset({"F64", *_STORED.values()})
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

PIECE = 1 << 21
"""Bytes of a piece in the widest of its dtypes: a whole number of the merge's slices."""


@dataclass(frozen=True)
class Merge:
    """One tensor to be written: its dtype by safetensors' name, its block and alpha, and its two ends.

    ``block`` is None for what stays the reference's, ``alpha`` for what is no float: it comes from the policy as it is.
    """

    name: str
    dtype: str
    block: int | None
    alpha: float | None
    reference: Tensor
    policy: Tensor

    @property
    def count(self) -> int:
        return math.prod(self.policy.shape)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self.policy.end - self.policy.start if self.alpha is None else self.count * _SIZES[self.dtype]

    def pieces(self) -> Iterator[tuple[int, int]]:
        """Ranges of elements (of bytes where nothing is merged), in order, that fit into a buffer of ``PIECE`` bytes."""
        if self.alpha is None:
            count, step = self.size, PIECE
        else:
            count = self.count
            step = PIECE // max(_SIZES[d] for d in (self.dtype, self.reference.dtype, self.policy.dtype))
        for first in range(0, count, step):
            yield first, min(first + step, count)


@dataclass(frozen=True)
class Shard:
    """One safetensors file to be written: its name, its header's bytes, and its tensors in the order of their data."""

    file: str
    header: bytes
    merges: tuple[Merge, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + sum(merge.size for merge in self.merges)


def planned(pair: Pair, recipe: Recipe) -> list[Shard]:
    """The weight files of a merge, filled as the policy's are and named likewise.

    Raises CheckpointError for a dtype that cannot be averaged.
    """
    files: dict[str, list[Merge]] = {}
    follows = tied_heads(pair)
    for name, policy in pair.policy.tensors.items():
        merge = _merge(name, place_of(follows.get(name, name), policy.shape), pair.reference.tensors[name], policy, recipe)
        files.setdefault(_file_of(policy), []).append(merge)
    return [_shard(file, merges) for file, merges in sorted(files.items())]


def index_of(shards: list[Shard]) -> str:
    """The index.json of these shards."""
    weight_map = {merge.name: shard.file for shard in shards for merge in shard.merges}
    total = sum(merge.size for shard in shards for merge in shard.merges)
    content = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    return json.dumps(content, indent=2) + "\n"


def _file_of(policy: Tensor) -> str:
    """The name of the file that a tensor is written to: the policy's own, as safetensors."""
    name = policy.file.name
    return name if policy.file.suffix == ".safetensors" else f"{name.removesuffix('.bin').removeprefix('pytorch_')}.safetensors"


def _merge(name: str, place: Place, reference: Tensor, policy: Tensor, recipe: Recipe) -> Merge:
    if policy.dtype.startswith("F") and policy.dtype not in _MERGED:
        raise CheckpointError(
            f"{name} is stored as {policy.dtype}, which cannot be averaged. "
            "Give both checkpoints in bfloat16, float16 or float32, before any quantization."
        )
    block, wanted = recipe.partition.block_at(place), recipe.precision.dtype
    if policy.dtype not in _MERGED:
        return Merge(name, policy.dtype, block, None, reference, policy)
    return Merge(name, _STORED[wanted] if wanted else policy.dtype, block, recipe.alpha_at(place), reference, policy)


def _shard(file: str, merges: list[Merge]) -> Shard:
    """Wider dtypes come first, so that every tensor's data is aligned to its items."""
    merges = sorted(merges, key=lambda m: (-(_SIZES.get(m.dtype) or m.size // max(1, m.count)), m.policy.start))
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    place = 0
    for merge in merges:
        entries[merge.name] = {
            "dtype": merge.dtype,
            "shape": list(merge.policy.shape),
            "data_offsets": [place, place + merge.size],
        }
        place += merge.size
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return Shard(file, struct.pack("<Q", len(text)) + text, tuple(merges))


def tied_heads(pair: Pair) -> dict[str, str]:
    """Heads that both checkpoints hold as a second copy of the embeddings, with the name of the embeddings.

    A model that ties them has one parameter there, with one alpha: two alphas would tear it in two.
    """
    if pair.policy.config.get("tie_word_embeddings") is False:
        return {}
    tensors = pair.policy.tensors
    outside = [n for n in tensors if layer_of(n) is None and len(tensors[n].shape) == 2]
    heads = [n for n in outside if part_of(n) == HEAD]
    embeddings = [n for n in outside if part_of(n) == EMBEDDINGS]
    return {
        head: embedding
        for head in heads
        for embedding in embeddings
        if all(_same(end.tensors[head], end.tensors[embedding]) for end in (pair.reference, pair.policy))
    }


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same bytes."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    with Path(one.file).open("rb") as first, Path(other.file).open("rb") as second:
        first.seek(one.start)
        second.seek(other.start)
        left = one.end - one.start
        while left:
            step = min(left, PIECE)
            if first.read(step) != second.read(step):
                return False
            left -= step
    return True
