"""What a live model holds of the files that an export writes: bytes that need not be read and merged again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from hma.checkpoints.plan import Merge, Shard
from hma.core.partition import Partition

_NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def held_bytes(model: torch.nn.Module, shards: Sequence[Shard], partition: Partition) -> dict[str, torch.Tensor]:
    """The bytes of every parameter, by name, that a recipe's merge was just written into.

    Empty where the parameters are not the files' own tensors: where transformers renames or joins them, keeps them in
    another dtype, or has one under another block than the files' copy of it.
    """
    merges = {merge.name: merge for shard in shards for merge in shard.merges}
    parameters = dict(model.named_parameters())
    if any(name not in merges or not _is(merges[name], name, p, partition) for name, p in parameters.items()):
        return {}
    return {name: parameter.data.reshape(-1).view(torch.uint8) for name, parameter in parameters.items()}


def _is(merge: Merge, name: str, parameter: torch.nn.Parameter, partition: Partition) -> bool:
    same = (merge.dtype, merge.policy.shape) == (_NAMES.get(parameter.dtype), tuple(parameter.shape))
    return same and merge.alpha is not None and merge.block == partition.block_of(name, parameter.shape)


def without(shards: Sequence[Shard], held: Mapping[str, torch.Tensor]) -> list[Shard]:
    """The same files, in which what is held is nothing to merge but bytes to write as they are."""
    return [replace(shard, merges=tuple(_given(m) if m.name in held else m for m in shard.merges)) for shard in shards]


def _given(merge: Merge) -> Merge:
    return replace(merge, alpha=None, policy=replace(merge.policy, dtype=merge.dtype, start=0, end=merge.size))
