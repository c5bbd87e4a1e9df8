"""The two ends of a live weight, held in three ways: whole on the device, whole in host memory, or where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from hma.checkpoints.precision import DTYPES, EffectiveAlpha, in_pieces, merge_into
from hma.core.precision import NEAREST, Precision

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers of an element's size in bytes, to compare numbers bit by bit."""

ROOM = 32 << 20
"""Bytes of one end that are brought to the device at a time."""

_LOCKED = 1 << 30
"""Bytes of host memory that are locked at a time: each allocation is rounded up to a power of two."""


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

    def _wanted(self, precision: Precision) -> torch.dtype:
        return DTYPES[precision.dtype] if precision.dtype else self._own

    def _room(self, precision: Precision) -> torch.Tensor:
        """The live tensor in the wanted dtype, whatever it holds."""
        wanted = self._wanted(precision)
        if self.parameter.dtype != wanted:
            self.parameter.data = torch.empty_like(self.parameter.data, dtype=wanted)
        return self.parameter.data


class Recast(Ends):
    """Ends that are stored in another dtype than the model computes in: merged as they are stored, then cast.

    That is what loading the exported merge comes to. Both ends are held whole on the device.
    """

    def __init__(self, name: str, parameter: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor) -> None:
        super().__init__(name, parameter)
        self._reference, self._policy = (end.to(parameter.device) for end in (reference, policy))

    @property
    def held_bytes(self) -> int:
        return self._reference.nbytes + self._policy.nbytes

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

    def effective(self) -> EffectiveAlpha:
        found = EffectiveAlpha()
        found.add(self.parameter.data, self._reference, self._policy)
        return found


class Dense(Ends):
    """Both ends whole on the device: the fastest, where they fit."""

    def __init__(self, name: str, parameter: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor) -> None:
        super().__init__(name, parameter)
        self._reference, self._policy = (end.to(parameter.device) for end in (reference, policy))

    @property
    def held_bytes(self) -> int:
        return self._reference.nbytes + self._policy.nbytes

    def write(self, alpha: float, precision: Precision) -> None:
        merge_into(self._room(precision), self._reference, self._policy, alpha, precision, self.name)

    def effective(self) -> EffectiveAlpha:
        found = EffectiveAlpha()
        found.add(self.parameter.data, self._reference, self._policy)
        return found


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


class Sparse(Ends):
    """Both ends only where they differ: the live tensor itself holds what is equal, and a write leaves that alone.

    Nothing else may write to the live tensor: what is equal is nowhere else.
    A changed element takes its place (4 bytes) and two values; a tensor of which so many changed that both
    ends whole take less keeps these. The live tensor starts as the policy. Elements that are -0.0 in both count
    as changed, since ``torch.lerp`` makes them 0.0 for some alphas.
    """

    def __init__(self, name: str, parameter: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor) -> None:
        super().__init__(name, parameter)
        one, other = (end.to(parameter.device).view(-1) for end in (reference, policy))
        bits = _BITS[other.element_size()]
        negative_zero = torch.tensor(-0.0, dtype=other.dtype).view(bits).item()

        def is_changed(span: slice) -> torch.Tensor:
            before, after = one[span].view(bits), other[span].view(bits)
            return (before != after) | (after == negative_zero)

        self._changed = _Places.where(is_changed, other, 2 * other.element_size())
        self._reference, self._policy = self._changed.values(one), self._changed.values(other)
        self._rest = self._settled(other.clone(), NEAREST)
        self.write(0.0, NEAREST)

    @property
    def held_bytes(self) -> int:
        held = self._changed.nbytes + self._reference.nbytes + self._policy.nbytes
        return held + self._rest.lost.nbytes + self._rest.values.nbytes

    def write(self, alpha: float, precision: Precision) -> None:
        if self._rest.kind != self._kind(precision):
            self._rest = self._settled(self._stored(), precision)
        live = self._rest.live
        self.parameter.data = live.view(self.parameter.shape)
        places = self._changed.places
        if places is None:
            merge_into(live, self._reference, self._policy, alpha, precision, self.name)
            return

        def merge(span: slice) -> None:
            values = torch.empty_like(self._policy[span], dtype=live.dtype)
            merge_into(values, self._reference[span], self._policy[span], alpha, precision, self.name, places[span])
            live.index_copy_(0, places[span].long(), values)

        in_pieces(merge, self._changed.count, live.device)

    def effective(self) -> EffectiveAlpha:
        found = EffectiveAlpha()
        found.add(self._changed.values(self._rest.live), self._reference, self._policy)
        return found

    def _kind(self, precision: Precision) -> _Kind:
        """What the numbers depend on that are equal in both ends; any rounding where the dtype holds them as they are."""
        wanted, stored = self._wanted(precision), self._policy.dtype
        exact = wanted == stored or torch.promote_types(wanted, stored) == wanted
        return _Kind(wanted, None if exact or precision.rounding == "nearest" else precision.seed, exact)

    def _settled(self, stored: torch.Tensor, precision: Precision) -> _Rest:
        """What is equal in both ends in the recipe's numbers; ``stored`` (flat) has it in the checkpoints' own.

        What these numbers cannot hold is kept beside, so that ``_stored`` can give it back.
        """
        kind, bits = self._kind(precision), _BITS[stored.element_size()]
        self._changed.clear(stored)
        live = stored
        if kind.dtype != stored.dtype:
            live = torch.empty_like(stored, dtype=kind.dtype)
            merge_into(live, stored, stored, 0.0, precision, self.name)

        def is_lost(span: slice) -> torch.Tensor:
            return live[span].to(stored.dtype).view(bits) != stored[span].view(bits)

        lost = _Places.none(stored.device) if kind.exact else _Places.where(is_lost, stored, stored.element_size())
        return _Rest(live, kind, lost, lost.values(stored))

    def _stored(self) -> torch.Tensor:
        """What is equal in both ends in the checkpoints' own numbers, in a new flat tensor. The inverse of ``_settled``."""
        stored = self._rest.live.to(self._policy.dtype, copy=True)
        return self._rest.lost.put(stored, self._rest.values)


class _Kind(NamedTuple):
    """The dtype of live numbers, the seed of their rounding (None: to the nearest), and whether stored ones stay as they are."""

    dtype: torch.dtype
    seed: int | None
    exact: bool


class _Rest(NamedTuple):
    """The live tensor, flat, in one kind of numbers; where these lost something of what is equal in both ends, and that."""

    live: torch.Tensor
    kind: _Kind
    lost: _Places
    values: torch.Tensor


@dataclass(frozen=True)
class _Places:
    """Places of ``count`` elements in a flat tensor, rising; None for all of them, where that takes less room."""

    places: torch.Tensor | None
    count: int

    @classmethod
    def none(cls, device: torch.device) -> _Places:
        return cls(torch.empty(0, dtype=torch.int32, device=device), 0)

    @classmethod
    def where(cls, is_wanted: Callable[[slice], torch.Tensor], of: torch.Tensor, value_bytes: int) -> _Places:
        """The places of ``of`` (flat) that ``is_wanted`` says, span by span, if each keeps values of so many bytes."""
        dtype = torch.int32 if of.numel() <= 1 << 31 else torch.int64
        step, found = 1 << 22, [torch.empty(0, dtype=dtype, device=of.device)]
        for first in range(0, of.numel(), step):
            found.append(is_wanted(slice(first, first + step)).nonzero().view(-1).add_(first).to(dtype))
        places = torch.cat(found)
        if places.numel() * (places.element_size() + value_bytes) >= of.numel() * value_bytes:
            return cls(None, of.numel())
        return cls(places, places.numel())

    @property
    def nbytes(self) -> int:
        return 0 if self.places is None else self.places.nbytes

    def values(self, flat: torch.Tensor) -> torch.Tensor:
        """A copy of the elements here."""
        return flat.clone() if self.places is None else flat.index_select(0, self.places)

    def put(self, flat: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Sets the elements here, and returns the tensor. The inverse of ``values``."""
        return flat.copy_(values) if self.places is None else flat.index_copy_(0, self.places.long(), values)

    def clear(self, flat: torch.Tensor) -> None:
        """Sets the elements here to 0."""
        flat.zero_() if self.places is None else flat.index_fill_(0, self.places.long(), 0)
