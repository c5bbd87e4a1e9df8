"""The two ends of a live weight where they differ alone: what is equal in both is in the live tensor itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from hma.checkpoints.ends import Ends, along
from hma.checkpoints.precision import EffectiveAlpha, in_pieces, merge_into
from hma.core.precision import NEAREST, Precision

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers of an element's size in bytes, to compare numbers bit by bit."""


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

    def slope(self, gradient: torch.Tensor) -> torch.Tensor:
        return along(self._changed.values(gradient.reshape(-1)), self._reference, self._policy)

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
