"""The merge of one piece of a tensor, with what is left of its alpha, summed slice by slice in a core's cache."""

from __future__ import annotations

import math
import threading

import torch

from hma.checkpoints.plan import Merge
from hma.checkpoints.precision import EffectiveAlpha, merge_into
from hma.core.precision import Precision
from hma.errors import CheckpointError

SLICE = 1 << 15
"""Elements that are summed at once: three rows of float32 that stay in a core's cache."""

_own = threading.local()


def merge_piece(
    made: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor, merge: Merge, precision: Precision, first: int
) -> EffectiveAlpha:
    """Write the merge of two flat pieces into ``made``, whose dtype counts, and return what the rounding left of alpha.

    The bits are those of ``merge_into`` over the whole tensor; ``first`` is the piece's place in it. Raises
    CheckpointError for NaN and infinity in either end, and for what does not fit the dtype.
    """
    if not len(made):
        return EffectiveAlpha()
    with torch.inference_mode():
        merge_into(made, reference, policy, merge.alpha, precision, merge.name, first)
        along, squared = _sums(made, reference, policy)
        if math.isfinite(along) and math.isfinite(squared):
            return EffectiveAlpha(along, squared)
        for end, tensor in ((reference, merge.reference), (policy, merge.policy)):
            if not torch.isfinite(end).all():
                raise CheckpointError(f"{merge.name} in {tensor.file} holds NaN or infinity. Use a checkpoint without them.")
        moved, delta = made.double() - policy.double(), reference.double() - policy.double()
        return EffectiveAlpha(float(torch.dot(moved, delta)), float(torch.dot(delta, delta)))


def _sums(made: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor) -> tuple[float, float]:
    """``<made - policy, delta>`` and ``|delta|^2``: in float32 in a slice, in float64 over slices.

    Neither is finite when a weight of either end is not.
    """
    rows = _rows()
    sums = []
    for slices in zip(policy.split(SLICE), made.split(SLICE), reference.split(SLICE), strict=True):
        count = len(slices[0])
        before, moved, delta, both = rows if count == SLICE else (row[..., :count] for row in rows)
        before.copy_(slices[0])
        moved.copy_(slices[1])
        delta.copy_(slices[2])
        both.sub_(before)
        sums.append(torch.mv(both, delta))
    along, squared = torch.stack(sums).sum(0, dtype=torch.float64).tolist()
    return along, squared


def _rows() -> tuple[torch.Tensor, ...]:
    """This thread's room for a slice: before, moved and delta, and the last two as one."""
    if getattr(_own, "size", None) != SLICE:
        room = torch.empty(3, SLICE)
        _own.size, _own.rows = SLICE, (*room.unbind(), room[1:])
    return _own.rows
