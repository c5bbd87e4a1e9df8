"""Which block every parameter belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block)\.(\d+)\.")
_EMBEDDING = re.compile(r"(?:^|\.)(?:\w*embed(?!_out)\w*|wte|wpe)(?:\.|$)")
"""``embed_out`` is GPT-NeoX's name for the head."""


def layer_of(parameter: str) -> int | None:
    """The layer number in a parameter's name (from 0), or None for embeddings, final norm and head."""
    found = _LAYER.search(parameter)
    return int(found.group(1)) if found else None


@dataclass(frozen=True)
class Partition:
    """Consecutive blocks over ``num_layers`` layers; ``starts[k]`` is the first layer of block k.

    Embeddings belong to the first block, final norm and head to the last (a head that is tied to the
    embeddings is the same parameter, and goes with them). So every parameter is in exactly one block
    and equal alphas are plain model averaging [HMA §5; the original code gives the head an
    alpha of its own].
    """

    num_layers: int
    starts: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise ValueError(f"num_layers is {self.num_layers}, must be at least 1")
        rising = all(a < b for a, b in zip(self.starts, self.starts[1:], strict=False))
        if not self.starts or self.starts[0] != 0 or not rising or self.starts[-1] >= self.num_layers:
            raise ValueError(f"starts {self.starts} must begin at 0, rise, and stay below num_layers {self.num_layers}")

    @classmethod
    def equal(cls, num_layers: int, num_blocks: int = 3) -> Partition:
        """``num_blocks`` blocks of as equal a size as possible, larger ones last; thirds by default [HMA §5]."""
        if not 1 <= num_blocks <= num_layers:
            raise ValueError(f"num_blocks is {num_blocks}, must be in 1..{num_layers}")
        return cls(num_layers, tuple(k * num_layers // num_blocks for k in range(num_blocks)))

    @property
    def num_blocks(self) -> int:
        return len(self.starts)

    def layers(self, block: int) -> range:
        """The layers of one block, counted from 0."""
        ends = (*self.starts[1:], self.num_layers)
        return range(self.starts[block], ends[block])

    def block_names(self) -> tuple[str, ...]:
        """``input, middle, output`` for three blocks [HMA §5], otherwise ``layers 0-1`` and so on."""
        if self.num_blocks == 1:
            return ("all layers",)
        if self.num_blocks == 3:
            return ("input", "middle", "output")
        spans = (self.layers(k) for k in range(self.num_blocks))
        return tuple(f"layers {s[0]}-{s[-1]}" if len(s) > 1 else f"layer {s[0]}" for s in spans)

    def layer_alphas(self, alphas: tuple[float, ...]) -> tuple[float, ...]:
        """One alpha a layer, length ``num_layers``, from one alpha a block."""
        if len(alphas) != self.num_blocks:
            raise ValueError(f"{len(alphas)} alphas for {self.num_blocks} blocks")
        return tuple(a for k, a in enumerate(alphas) for _ in self.layers(k))

    def block_of(self, parameter: str) -> int:
        """The block (from 0) that a parameter belongs to, by its name."""
        layer = layer_of(parameter)
        if layer is None:
            return 0 if _EMBEDDING.search(parameter) else self.num_blocks - 1
        if layer >= self.num_layers:
            raise ValueError(f"{parameter} names layer {layer}, the model has {self.num_layers}")
        return sum(start <= layer for start in self.starts) - 1
