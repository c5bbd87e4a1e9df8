"""Recipes: everything needed to make a model on the chart again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from hma.core.alphas import checked
from hma.core.partition import Partition


def digest(value: Any) -> str:
    """A short hexadecimal name (16 digits, 64 bits) of any JSON value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Recipe:
    """How to make a merged model: a partition and one alpha a block.

    Two recipes that make the same model are one point: what counts is the alpha of every layer, so
    equal alphas over any partition are plain model averaging and share a key.
    """

    partition: Partition
    alphas: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "alphas", checked(self.alphas, self.partition.num_blocks))

    @property
    def layer_alphas(self) -> tuple[float, ...]:
        """One alpha a layer, input to output."""
        return self.partition.layer_alphas(self.alphas)

    @property
    def is_average(self) -> bool:
        """Whether one alpha holds everywhere: model averaging (MA), both ends included."""
        return len(set(self.alphas)) == 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "merge",
            "num_layers": self.partition.num_layers,
            "starts": list(self.partition.starts),
            "alphas": list(self.alphas),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Recipe:
        """The inverse of ``to_dict``."""
        if data.get("kind") != "merge":
            raise ValueError(f"unknown recipe kind {data.get('kind')!r}")
        return cls(Partition(data["num_layers"], tuple(data["starts"])), tuple(data["alphas"]))
