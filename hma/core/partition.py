"""Which block every parameter belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block)\.(\d+)\.")
_EMBEDDING = re.compile(r"(?:^|\.)(?:\w*embed(?!_out)\w*|wte|wpe)(?:\.|$)")
"""``embed_out`` is GPT-NeoX's name for the head."""
_HEAD = re.compile(r"(?:^|\.)(?:lm_head|embed_out|output)\.")

EMBEDDINGS, NORM, HEAD = "embeddings", "norm", "head"
OWN = (EMBEDDINGS, NORM, HEAD)
"""What lies outside the layers, in the order of the blocks: before them, and after them."""


def part_of(parameter: str) -> int | str:
    """Where a parameter lies, by its name: its layer's number (from 0), ``embeddings``, ``norm`` (the last one) or ``head``."""
    layer = layer_of(parameter)
    if layer is not None:
        return layer
    if _EMBEDDING.search(parameter):
        return EMBEDDINGS
    return HEAD if _HEAD.search(parameter) else NORM


def layer_of(parameter: str) -> int | None:
    """The layer number in a parameter's name (from 0), or None for embeddings, final norm and head."""
    found = _LAYER.search(parameter)
    return int(found.group(1)) if found else None


@dataclass(frozen=True)
class Partition:
    """Consecutive blocks over ``num_layers`` layers; ``starts[k]`` is the first layer of the k-th.

    Embeddings belong to the first block, final norm and head to the last (a head that is tied to the
    embeddings is the same parameter, and goes with them), except for those that ``own`` names, which are
    blocks of their own: ``embeddings`` before the others, ``norm`` and ``head`` after them. So every
    parameter is in exactly one block and equal alphas are plain model averaging [HMA §5; the
    original code gives final norm and head an alpha of their own].
    """

    num_layers: int
    starts: tuple[int, ...]
    own: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise ValueError(f"num_layers is {self.num_layers}, must be at least 1")
        rising = all(a < b for a, b in zip(self.starts, self.starts[1:], strict=False))
        if not self.starts or self.starts[0] != 0 or not rising or self.starts[-1] >= self.num_layers:
            raise ValueError(f"starts {self.starts} must begin at 0, rise, and stay below num_layers {self.num_layers}")
        if self.own != tuple(part for part in OWN if part in self.own):
            raise ValueError(f"own {self.own} must be some of {OWN}, in this order")

    @classmethod
    def equal(cls, num_layers: int, num_blocks: int = 3) -> Partition:
        """``num_blocks`` blocks of as equal a size as possible, larger ones last; thirds by default [HMA §5]."""
        if not 1 <= num_blocks <= num_layers:
            raise ValueError(f"num_blocks is {num_blocks}, must be in 1..{num_layers}")
        return cls(num_layers, tuple(k * num_layers // num_blocks for k in range(num_blocks)))

    @classmethod
    def at(cls, num_layers: int, pivots: tuple[int, ...], own: tuple[str, ...] = ()) -> Partition:
        """Blocks that end with the layers ``pivots`` (from 0, each within the lower block), and one of the rest.

        ``(10, 20)`` of 26 layers are 0-10, 11-20 and 21-25, as in the original code's names.
        """
        return cls(num_layers, (0, *(pivot + 1 for pivot in pivots)), own)

    @property
    def num_blocks(self) -> int:
        return len(self.starts) + len(self.own)

    @property
    def _before(self) -> int:
        """How many blocks lie before that of layer 0."""
        return int(EMBEDDINGS in self.own)

    def layers(self, block: int) -> range:
        """The layers of one block, counted from 0; none for embeddings, norm or head of their own."""
        place = block - self._before
        if not 0 <= place < len(self.starts):
            return range(0)
        ends = (*self.starts[1:], self.num_layers)
        return range(self.starts[place], ends[place])

    def block_names(self) -> tuple[str, ...]:
        """``input, middle, output`` for three blocks of layers [HMA §5], otherwise ``layers 0-1`` and so on."""
        names: tuple[str, ...] = ("input", "middle", "output")
        if len(self.starts) == 1:
            names = ("all layers",)
        elif len(self.starts) != 3:
            spans = [self.layers(k + self._before) for k in range(len(self.starts))]
            names = tuple(f"layers {s[0]}-{s[-1]}" if len(s) > 1 else f"layer {s[0]}" for s in spans)
        titles = {EMBEDDINGS: "embeddings", NORM: "final norm", HEAD: "head"}
        return (*(titles[p] for p in self.own[: self._before]), *names, *(titles[p] for p in self.own[self._before :]))

    def layer_alphas(self, alphas: tuple[float, ...]) -> tuple[float, ...]:
        """One alpha a layer, length ``num_layers``, from one alpha a block."""
        if len(alphas) != self.num_blocks:
            raise ValueError(f"{len(alphas)} alphas for {self.num_blocks} blocks")
        return tuple(a for k, a in enumerate(alphas) for _ in self.layers(k))

    def shares(self, alphas: tuple[float, ...]) -> tuple[float, ...]:
        """What the alphas come to in the end: one for the embeddings, one a layer, one each for final norm and head."""
        layers = self.layer_alphas(alphas)
        own = dict(zip(self.own[self._before :], alphas[self._before + len(self.starts) :], strict=True))
        first = alphas[0] if self._before else layers[0]
        return (first, *layers, own.get(NORM, layers[-1]), own.get(HEAD, layers[-1]))

    def place_of(self, parameter: str) -> int:
        """The place among ``shares`` that a parameter, by its name, takes its alpha from."""
        part = part_of(parameter)
        if isinstance(part, str):
            return {EMBEDDINGS: 0, NORM: self.num_layers + 1, HEAD: self.num_layers + 2}[part]
        if part >= self.num_layers:
            raise ValueError(f"{parameter} names layer {part}, the model has {self.num_layers}")
        return 1 + part

    def block_of(self, parameter: str) -> int:
        """The block (from 0) that a parameter belongs to, by its name."""
        blocks = self.shares(tuple(range(self.num_blocks)))
        return int(blocks[self.place_of(parameter)])
