"""The two ends of a live weight, held whole: on the device or in host memory (``sparse.py``: only where they differ)."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from hma.checkpoints.precision import DTYPES, EffectiveAlpha, in_pieces, merge_into
from hma.core.precision import Precision

ROOM = 32 << 20
"""Bytes of one end that are brought to the device at a time."""

_LOCKED = 1 << 30
"""Bytes of host memory that are locked at a time: each allocation is rounded up to a power of two."""


_DOT = 1 << 20
"""Elements of a gradient that are multiplied at a time."""


class Ends:
    """One live parameter, or saved buffer, and its two ends, of its shape; each child holds them in its own way."""

    def __init__(self, name: str, parameter: torch.Tensor) -> None:
        self.name, self.parameter = name, parameter
        self._own = parameter.dtype

    @property
    def held_bytes(self) -> int:
        """What is held beside the live parameter."""
        raise NotImplementedError

    def write(self, alpha: float, precision: Precision) -> None:
        """Write the merge in place; a live tensor of another dtype than the wanted is replaced by one of it.

        Raises CheckpointError when a weight does not fit. What an interruption leaves, the next write overwrites.
        """
        raise NotImplementedError

    def effective(self) -> EffectiveAlpha:
        """What the merge that was written last really holds of the reference."""
        raise NotImplementedError

    def slope(self, gradient: torch.Tensor) -> torch.Tensor:
        """``<gradient, reference - policy>``: how a loss with this gradient moves with alpha, in float64 (on MPS float32).

        ``gradient`` has the live tensor's shape, and lies on its device.
        """
        raise NotImplementedError

    def _wanted(self, precision: Precision) -> torch.dtype:
        return DTYPES[precision.dtype] if precision.dtype else self._own

    def _room(self, precision: Precision) -> torch.Tensor:
        """The live tensor in the wanted dtype, whatever it holds."""
        wanted = self._wanted(precision)
        if self.parameter.dtype != wanted:
            self.parameter.data = torch.empty_like(self.parameter.data, dtype=wanted)
        return self.parameter.data


class Whole(Ends):
    """Both ends whole on the device."""

    def __init__(self, name: str, parameter: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor) -> None:
        super().__init__(name, parameter)
        self._reference, self._policy = (end.to(parameter.device) for end in (reference, policy))

    @property
    def held_bytes(self) -> int:
        return self._reference.nbytes + self._policy.nbytes

    def effective(self) -> EffectiveAlpha:
        found = EffectiveAlpha()
        found.add(self.parameter.data, self._reference, self._policy)
        return found

    def slope(self, gradient: torch.Tensor) -> torch.Tensor:
        return along(gradient.reshape(-1), self._reference.reshape(-1), self._policy.reshape(-1))


class Recast(Whole):
    """Ends that are stored in another dtype than the model computes in: merged as they are stored, then cast.

    That is what loading the exported merge comes to.
    """

    def write(self, alpha: float, precision: Precision) -> None:
        live = self._room(precision)
        if precision.dtype:
            merge_into(live, self._reference, self._policy, alpha, precision, self.name)
            return
        flat, one, other = live.view(-1), self._reference.reshape(-1), self._policy.reshape(-1)

        def merge(span: slice) -> None:
            stored = torch.empty_like(other[span])
            merge_into(stored, one[span], other[span], alpha, precision, self.name, span.start)
            flat[span] = stored.to(flat.dtype)

        in_pieces(merge, flat.numel(), flat.device)


class Dense(Whole):
    """The fastest way, where both ends fit."""

    def write(self, alpha: float, precision: Precision) -> None:
        merge_into(self._room(precision), self._reference, self._policy, alpha, precision, self.name)


class Host(Ends):
    """Both ends whole in host memory: every write brings them to the device, piece by piece."""

    def __init__(self, ferry: Ferry, name: str, parameter: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor) -> None:
        super().__init__(name, parameter)
        self._ferry = ferry
        self._reference, self._policy = (ferry.kept(end) for end in (reference, policy))

    @property
    def held_bytes(self) -> int:
        return self._reference.nbytes + self._policy.nbytes

    def write(self, alpha: float, precision: Precision) -> None:
        live = self._room(precision).view(-1)
        needed = {0.0: [self._policy], 1.0: [self._reference]}.get(alpha, [self._reference, self._policy])
        for first, ends in self._ferry.pieces(needed):
            out = live[first : first + ends[0].numel()]
            merge_into(out, ends[0], ends[-1], alpha, precision, self.name, first)

    def effective(self) -> EffectiveAlpha:
        found, live = EffectiveAlpha(), self.parameter.data.view(-1)
        for first, (reference, policy) in self._ferry.pieces([self._reference, self._policy]):
            found.add(live[first : first + policy.numel()], reference, policy)
        return found

    def slope(self, gradient: torch.Tensor) -> torch.Tensor:
        flat, pieces = gradient.reshape(-1), self._ferry.pieces([self._reference, self._policy])
        return sum(along(flat[first : first + end.numel()], one, end) for first, (one, end) in pieces)


class Ferry:
    """Brings ends from host memory to the device through two rooms: while one is merged from, the other is filled.

    On CUDA host memory is page-locked, and a stream of its own copies beside the one that merges.
    """

    def __init__(self, device: torch.device, room_bytes: int = ROOM) -> None:
        self._device = device
        self._rooms = [torch.empty(2, room_bytes, dtype=torch.uint8, device=device) for _ in range(2)]
        self._turn = 0
        self._copying = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._filled, self._free = ([torch.cuda.Event() for _ in self._rooms] if self._copying else [] for _ in range(2))
        for event in self._free:  # What had this memory before may still be at work on it.
            event.record(torch.cuda.current_stream(device))
        self._locked = torch.empty(0, dtype=torch.uint8)

    def kept(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor in host memory, as ``pieces`` wants it."""
        if self._copying is None:
            return tensor.cpu()
        size = -(-tensor.nbytes // 512) * 512
        if size > self._locked.numel():
            self._locked = torch.empty(max(size, _LOCKED), dtype=torch.uint8, pin_memory=True)
        room, self._locked = self._locked[: tensor.nbytes], self._locked[size:]
        return room.view(tensor.dtype).view(tensor.shape).copy_(tensor)

    def pieces(self, ends: list[torch.Tensor]) -> Iterator[tuple[int, list[torch.Tensor]]]:
        """The place of each piece's first element, and the piece of one or two ends of one shape, on the device.

        A piece is good until the next one is asked for; what reads it is to be on the current stream.
        """
        flat = [end.view(-1) for end in ends]
        step = self._rooms[0].shape[1] // flat[0].element_size()
        for first in range(0, flat[0].numel(), step):
            spans = [end[first : first + step] for end in flat]
            turn, self._turn = self._turn, 1 - self._turn
            pieces = [room.view(s.dtype)[: s.numel()] for room, s in zip(self._rooms[turn], spans, strict=False)]
            self._fill(turn, pieces, spans)
            try:
                yield first, pieces
            finally:
                if self._copying:
                    self._free[turn].record(torch.cuda.current_stream(self._device))

    def _fill(self, turn: int, pieces: list[torch.Tensor], spans: list[torch.Tensor]) -> None:
        if self._copying is None:
            for piece, span in zip(pieces, spans, strict=True):
                piece.copy_(span)
            return
        with torch.cuda.stream(self._copying):
            self._copying.wait_event(self._free[turn])
            for piece, span in zip(pieces, spans, strict=True):
                piece.copy_(span, non_blocking=True)
            self._filled[turn].record(self._copying)
        torch.cuda.current_stream(self._device).wait_event(self._filled[turn])


def along(gradient: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor) -> torch.Tensor:
    """``<gradient, reference - policy>`` of flat tensors: each piece in float32 (float64 for such ends), summed in float64."""
    wide = torch.float64 if policy.dtype is torch.float64 else torch.float32
    total = torch.zeros((), dtype=torch.float32 if gradient.device.type == "mps" else torch.float64, device=gradient.device)
    for first in range(0, policy.numel(), _DOT):
        span = slice(first, first + _DOT)
        total += torch.dot(gradient[span].to(wide), reference[span].to(wide) - policy[span].to(wide))
    return total
