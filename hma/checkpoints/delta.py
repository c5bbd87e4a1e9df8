"""What RLHF changed: one pass over the weights of both ends, tensor by tensor."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from hma.checkpoints.pair import Pair
from hma.checkpoints.plan import tied_heads
from hma.checkpoints.tensors import read_tensors
from hma.core.partition import Partition
from hma.errors import CheckpointError

_SLICE = 1 << 18
"""Weights that are looked at at once: few enough to stay in a core's cache."""

_BITS = {torch.bfloat16: torch.int16, torch.float16: torch.int16, torch.float32: torch.int32, torch.float64: torch.int64}


@dataclass(frozen=True)
class Change:
    """How some weights of the policy differ from the reference's. Counts are of weights.

    ``changed`` differ in any bit, ``by_one`` of them by no more than one unit in the last place of their dtype (between two
    such neighbours there is no other number to average to). Norms are Euclidean, squared, in float64.
    """

    weights: int = 0
    changed: int = 0
    by_one: int = 0
    delta_squared: float = 0.0
    reference_squared: float = 0.0

    def __add__(self, other: Change) -> Change:
        return Change(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def changed_share(self) -> float:
        """Share of changed weights, in [0, 1]."""
        return self.changed / self.weights if self.weights else 0.0

    @property
    def by_one_share(self) -> float:
        """Share of weights that changed by at most one unit in the last place, in [0, 1]."""
        return self.by_one / self.weights if self.weights else 0.0

    @property
    def relative_norm(self) -> float | None:
        """``|policy - reference| / |reference|``, or None for a reference of zeros."""
        return math.sqrt(self.delta_squared / self.reference_squared) if self.reference_squared else None

    def to_dict(self) -> dict[str, float | int | None]:
        return {
            "weights": self.weights,
            "changed_share": self.changed_share,
            "by_one_share": self.by_one_share,
            "relative_norm": self.relative_norm,
        }


def changes(pair: Pair, progress: Callable[[int], None] = lambda size: None) -> dict[str, Change]:
    """How each tensor of floats changed, by name; what is tied to the embeddings counts with them, once.

    ``progress`` is given the bytes of each tensor of the policy. Raises CheckpointError for NaN and infinity, with the
    tensor's name.
    """
    tied = tied_heads(pair)
    names = [name for name in pair.policy.tensors if name not in tied]
    references = dict(read_tensors((name, pair.reference.tensors[name]) for name in names))
    threads = torch.get_num_threads()

    def work(item: tuple[str, torch.Tensor]) -> tuple[str, Change]:
        name, policy = item
        found = _change(pair, name, references.pop(name), policy)
        progress(policy.numel() * policy.element_size())
        return name, found

    with ThreadPoolExecutor(os.cpu_count() or 1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            policies = read_tensors((name, pair.policy.tensors[name]) for name in names)
            found = dict(pool.map(work, (item for item in policies if item[1].dtype in _BITS)))
        finally:
            torch.set_num_threads(threads)
    return {name: found[name] for name in names if name in found}


def in_blocks(found: dict[str, Change], partition: Partition) -> list[Change]:
    """The changes of each block, input to output."""
    blocks = [Change()] * partition.num_blocks
    for name, change in found.items():
        block = partition.block_of(name)
        blocks[block] += change
    return blocks


def total(found: Iterable[Change]) -> Change:
    """All changes together."""
    return sum(found, Change())


def _change(pair: Pair, name: str, reference: torch.Tensor, policy: torch.Tensor) -> Change:
    sums = Change()
    with torch.inference_mode():
        for one, other in zip(reference.view(-1).split(_SLICE), policy.view(-1).split(_SLICE), strict=True):
            found = _of_slice(one, other, torch.float32)
            if not math.isfinite(found.delta_squared + found.reference_squared):
                for end, weights in ((pair.reference, one), (pair.policy, other)):
                    if not torch.isfinite(weights).all():
                        file = end.tensors[name].file
                        raise CheckpointError(f"{name} in {file} holds NaN or infinity. Use a checkpoint without them.")
                found = _of_slice(one, other, torch.float64)
            sums += found
    return sums


def _of_slice(reference: torch.Tensor, policy: torch.Tensor, wide: torch.dtype) -> Change:
    """The change of a slice, with sums in ``wide``: float32 takes half the time and may overflow."""
    before = reference.to(wide)
    squared = float(torch.dot(before, before))
    one, other = (end.view(_BITS[reference.dtype]) for end in (reference, policy))
    changed = one != other
    count = int(changed.sum())
    if not count:
        return Change(len(one), 0, 0, 0.0, squared)
    by_one = (_ordered(one[changed]) - _ordered(other[changed])).abs_() <= 1
    delta = policy.to(wide) - before  # Not in place: where the policy is that wide already, these are its own pages.
    return Change(len(one), count, int(by_one.sum()), float(torch.dot(delta, delta)), squared)


def _ordered(bits: torch.Tensor) -> torch.Tensor:
    """Numbers that count the floats of these bits in their order, neighbours one apart, both zeros 0."""
    wide = bits.to(torch.int64)
    least = torch.iinfo(bits.dtype).min
    return torch.where(wide < 0, least - wide, wide)
