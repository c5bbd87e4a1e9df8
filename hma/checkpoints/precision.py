"""The arithmetic of a merge: one interpolation in float32, one rounding, and what the rounding left of alpha.

RLHF often moves a bfloat16 weight by a single unit in the last place. Between two such neighbours there is
no other number, so rounding to the nearest sends small alphas to the policy and large ones to the reference.
The cures are a finer dtype, or rounding at random with the right mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch

from hma.core.precision import NEAREST, Precision
from hma.errors import CheckpointError

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
"""Dtypes that a merge can be written in."""

_LARGEST_HALF = 65504.0
_SMALLEST_NORMAL_HALF = 2.0**-14

_PIECE = 1 << 17
"""Elements that a core works on at a time: 512 KiB in float32."""

_Done = TypeVar("_Done")


def merged(
    reference: torch.Tensor,
    policy: torch.Tensor,
    alpha: float,
    precision: Precision = NEAREST,
    name: str = "",
    first: int | torch.Tensor = 0,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """``alpha * reference + (1 - alpha) * policy`` in float32 (float64 for such ends) with one rounding to
    ``dtype``, else the precision's.

    Both ends have one shape and dtype; the result has the precision's dtype, or theirs. Alpha 0 is the
    policy and alpha 1 the reference bit for bit in their own dtype, and weights that are equal in both stay equal.
    ``name`` and ``first`` (the place of the first element in the whole tensor, flattened, or a tensor with the
    place of each) are what random rounding depends on beside the seed, so that a tensor may be merged in pieces
    or only here and there, on any device, to the same bits. Raises CheckpointError when a weight does not fit into float16.
    """
    wanted = dtype or (DTYPES[precision.dtype] if precision.dtype else policy.dtype)
    end = {0.0: policy, 1.0: reference}.get(alpha)
    wide = torch.float64 if policy.dtype is torch.float64 else torch.float32
    exact = torch.lerp(policy.to(wide), reference.to(wide), alpha) if end is None else end
    if exact.dtype == wanted:
        return exact if end is None else exact.clone()
    if wanted is torch.float16 and exact.numel() and float(exact.abs().max()) > _LARGEST_HALF:
        raise CheckpointError(
            f"{name or 'A tensor'} holds {float(exact.abs().max()):g}, and float16 ends at {_LARGEST_HALF:g}. "
            "Choose bfloat16 or float32."
        )
    if precision.rounding == "stochastic" and wanted in (torch.bfloat16, torch.float16):
        return _rounded_at_random(exact.float(), wanted, stream(precision.seed, name), first)
    return exact.to(wanted)


def merge_into(
    out: torch.Tensor,
    reference: torch.Tensor,
    policy: torch.Tensor,
    alpha: float,
    precision: Precision = NEAREST,
    name: str = "",
    first: int | torch.Tensor = 0,
) -> None:
    """``merged`` written to ``out``, a contiguous tensor whose dtype counts; in pieces where it needs room between.

    In the ends' own dtype ``torch.lerp`` computes each element in float32 and rounds it once by itself. Raises CheckpointError
    for what does not fit; between two ends that fit all does, but beyond them it may not.
    """
    _write(out, reference, policy, alpha, precision, name, first)
    if not 0 <= alpha <= 1 and out.numel() and not torch.stack(torch.aminmax(out)).isfinite().all():
        raise CheckpointError(
            f"At alpha {alpha:g} a number of {name or 'a tensor'} does not fit into {str(out.dtype).removeprefix('torch.')}. "
            "Choose bfloat16 or float32, or an alpha between 0 and 1."
        )


def _write(
    out: torch.Tensor,
    reference: torch.Tensor,
    policy: torch.Tensor,
    alpha: float,
    precision: Precision,
    name: str,
    first: int | torch.Tensor,
) -> None:
    stochastic = precision.rounding == "stochastic" and out.dtype in (torch.bfloat16, torch.float16)
    if out.dtype == reference.dtype == policy.dtype and (alpha in (0.0, 1.0) or not stochastic):
        if alpha in (0.0, 1.0):
            out.copy_(reference if alpha else policy)
        else:
            torch.lerp(policy, reference, alpha, out=out)
        return
    flat, one, other = out.view(-1), reference.reshape(-1), policy.reshape(-1)

    def merge(span: slice) -> None:
        places = first + span.start if isinstance(first, int) else first[span]
        flat[span] = merged(one[span], other[span], alpha, precision, name, places, out.dtype)

    in_pieces(merge, flat.numel(), out.device)


def in_pieces(work: Callable[[slice], _Done], count: int, device: torch.device) -> list[_Done]:
    """What ``work`` returns for each span of ``count`` elements, in order; for work that needs room for what lies between.

    On the CPU a piece is one thread's, and stays in its core's cache: threads that shared each of many small steps would wait for
    each other, for long where other programs keep a core busy. A GPU takes pieces that its launches are nothing beside.
    """
    step = _PIECE if device.type == "cpu" else 128 * _PIECE
    spans = [slice(first, min(first + step, count)) for first in range(0, count, step)]
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1 or len(spans) < 2:
        return [work(span) for span in spans]

    def alone(span: slice) -> _Done:
        with torch.inference_mode():  # Each thread has its own mode, and live tensors may be made in this one.
            return work(span)

    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(alone, spans))
    finally:
        torch.set_num_threads(threads)  # Some libraries take the number of one thread for that of all.


def stream(seed: int, name: str) -> int:
    """The number (32 bits) that a tensor's random rounding starts from."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4], "little")


def _rounded_at_random(exact: torch.Tensor, dtype: torch.dtype, start: int, first: int | torch.Tensor) -> torch.Tensor:
    """One of the two neighbours in ``dtype`` of each float32 number, the nearer one the likelier, right on average.

    What ``dtype`` can hold stays as it is. Bits that ``dtype`` has no room for carry into those it has when a random
    number is added, as often as they should. Among the subnormals of float16 the average is right to within 2^-38.
    """
    random = _hashed(exact.numel(), start, first, exact.device).view_as(exact)
    if dtype is torch.bfloat16:  # The upper half of a float32: a carry from the lower half is a step away from zero.
        carried = random.bitwise_and_(0xFFFF).add_(exact.contiguous().view(torch.int32))
        return carried.bitwise_and_(-0x10000).view(torch.float32).to(dtype)
    size = exact.abs()
    # Float16's smallest normal number, added to all that is below it, brings its even steps to where those of
    # normal numbers are, at bit 13. The difference is at least 2^-38 or no more than 0.
    lift = torch.rsub(size, _SMALLEST_NORMAL_HALF).mul_(2.0**40).clamp_(0, _SMALLEST_NORMAL_HALF)
    carried = random.bitwise_and_(0x1FFF).add_(size.add_(lift).view(torch.int32))
    return carried.bitwise_and_(-0x2000).view(torch.float32).sub_(lift).copysign_(exact).to(dtype)


def _hashed(count: int, start: int, first: int | torch.Tensor, device: torch.device) -> torch.Tensor:
    """16 random bits in an int32 a place, that hang on ``start`` and the place alone: a hash, not a generator with a state.

    Every other bit is the sign's. The rounds are those of a low-bias 32-bit mixer, in arithmetic that wraps, so that every
    device gives the same bits. Two places share one number. Pairs of places count modulo 2^32.
    """
    if isinstance(first, int):
        skipped = first % 2
        x = torch.arange((skipped + count + 1) // 2, dtype=torch.int32, device=device).add_(_signed(first // 2))
        return _mixed(x, start).view(torch.int16)[skipped : skipped + count].to(torch.int32)
    x = _mixed((first >> 1).to(torch.int32), start)
    return (x << 16 * (1 - (first & 1)).to(torch.int32)) >> 16


def _mixed(x: torch.Tensor, start: int) -> torch.Tensor:
    """A hash of each number and ``start``, in place."""
    x.bitwise_xor_(_signed(start))
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        x.bitwise_xor_((x >> shift).bitwise_and_((1 << 32 - shift) - 1)).mul_(factor)
    return x.bitwise_xor_((x >> 15).bitwise_and_((1 << 17) - 1))


def _signed(number: int) -> int:
    """The int32 with the number's lowest 32 bits."""
    low = number & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


@dataclass
class EffectiveAlpha:
    """What share of the reference a merge really holds, added up over tensors.

    ``<merged - policy, reference - policy> / |reference - policy|^2``: the alpha of the exact
    merge that is nearest to the rounded one along the delta. None where nothing differs.
    """

    along: float = 0.0
    squared: float = 0.0

    def add(self, merged: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor) -> None:
        """Take in one tensor, or a piece of one: in float32 within pieces (to about 1e-6), in float64 over them."""
        flat = [tensor.reshape(-1) for tensor in (merged, reference, policy)]

        def products(span: slice) -> list[float]:
            made, one, other = (tensor[span].float() for tensor in flat)
            delta = one - other
            return torch.stack((torch.dot(made - other, delta), torch.dot(delta, delta))).tolist()

        for along, squared in in_pieces(products, merged.numel(), merged.device):
            self.along += along
            self.squared += squared

    def __add__(self, other: EffectiveAlpha) -> EffectiveAlpha:
        return EffectiveAlpha(self.along + other.along, self.squared + other.squared)

    @property
    def value(self) -> float | None:
        """The alpha, or None where the two ends do not differ."""
        return self.along / self.squared if self.squared else None
