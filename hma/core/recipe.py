"""Recipes: everything needed to make a model on the chart again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from hma.core.alphas import checked
from hma.core.partition import EMBEDDINGS, HEAD, NORM, Partition, Place
from hma.core.precision import NEAREST, Precision


def digest(value: Any) -> str:
    """A short hexadecimal name (16 digits, 64 bits) of any JSON value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Recipe:
    """How to make a merged model: a partition, one alpha a block, and the numbers that it is written in.

    Two recipes that make the same model are one point: what counts is the alpha of every layer (and of
    what lies outside the layers), so equal alphas over any partition are plain model averaging and share a key.
    Alphas may lie outside [0, 1], which is extrapolation: whoever takes them from a person asks whether that is meant.
    """

    partition: Partition
    alphas: tuple[float, ...]
    precision: Precision = NEAREST

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphas", checked(self.alphas, self.partition.num_blocks, beyond=True))

    @property
    def layer_alphas(self) -> tuple[float, ...]:
        """One alpha a layer, input to output."""
        return self.partition.layer_alphas(self.alphas)

    def alpha_at(self, place: Place) -> float:
        """The alpha of what lies at a place: its block's, or 1 for what stays the reference's."""
        block = self.partition.block_at(place)
        return 1.0 if block is None else self.alphas[block]

    @property
    def shares(self) -> tuple[float, ...]:
        """The alpha of embeddings, of each layer's linear weights, of final norm and of head."""
        linear = (Place(part, True) for part in (*range(self.partition.num_layers), HEAD))
        *layers, head = map(self.alpha_at, linear)
        return (self.alpha_at(Place(EMBEDDINGS, False)), *layers, self.alpha_at(Place(NORM, False)), head)

    @property
    def identity(self) -> dict[str, Any]:
        """What the model that it makes depends on, beside the pair; any two recipes of one model have the same."""
        shares = self.shares
        inside = shares[1:-2]
        identity: dict[str, Any] = {"kind": "merge", "layer_alphas": inside}
        if (shares[0], *shares[-2:]) != (inside[0], inside[-1], inside[-1]):
            identity["outside"] = (shares[0], *shares[-2:])
        if self.is_linear_only:
            identity["linear_only"] = True
        return identity if self.precision == NEAREST else identity | {"precision": self.precision.to_dict()}

    @property
    def is_average(self) -> bool:
        """Whether one alpha holds everywhere: model averaging (MA), both ends included."""
        return set(self.alphas) == {1.0} if self.partition.linear_only else len(set(self.alphas)) == 1

    @property
    def is_linear_only(self) -> bool:
        """Whether only linear weights are averaged; not where that comes to the reference, which is one model either way."""
        return self.partition.linear_only and not self.is_average

    @property
    def is_extrapolation(self) -> bool:
        """Whether a block's weights lie not between the two ends but beyond one of them."""
        return not all(0 <= alpha <= 1 for alpha in self.alphas)

    @property
    def is_end(self) -> bool:
        """Whether it makes the policy or the reference itself, in its own numbers."""
        return self.is_average and self.alphas[0] in (0.0, 1.0) and self.precision == NEAREST

    def over(self, partition: Partition) -> tuple[float, ...] | None:
        """Its alphas over another partition's blocks, by which sliders can say it; None where these make no such model.

        That is where a block would need two, or one outside 0 to 1, or the weights are written in other numbers.
        """
        if self.is_extrapolation or self.is_linear_only or partition.linear_only or self.precision != NEAREST:
            return None
        layers = (Place(layer, True) for layer in range(partition.num_layers))
        blocks: dict[int | None, set[float]] = {}
        for place in (Place(EMBEDDINGS, False), *layers, Place(NORM, False), Place(HEAD, True)):
            blocks.setdefault(partition.block_at(place), set()).add(self.alpha_at(place))
        return tuple(blocks[k].pop() for k in range(partition.num_blocks)) if all(len(b) == 1 for b in blocks.values()) else None

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "kind": "merge",
            "num_layers": self.partition.num_layers,
            "starts": list(self.partition.starts),
            "alphas": list(self.alphas),
        }
        own = {"own": list(self.partition.own)} if self.partition.own else {}
        scope = {"linear_only": True} if self.partition.linear_only else {}
        return data | own | scope | ({} if self.precision == NEAREST else {"precision": self.precision.to_dict()})

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Recipe:
        """The inverse of ``to_dict``."""
        if data.get("kind") != "merge":
            raise ValueError(f"unknown recipe kind {data.get('kind')!r}")
        scope = tuple(data.get("own", ())), data.get("linear_only", False)
        partition = Partition(data["num_layers"], tuple(data["starts"]), *scope)
        return cls(partition, tuple(data["alphas"]), Precision(**data.get("precision", {})))
