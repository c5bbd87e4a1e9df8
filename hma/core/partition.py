"""Which block every parameter belongs to."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block)\.(\d{1,9})\.")
_EMBEDDING = re.compile(r"(?:^|\.)(?:\w*embed(?!_out)\w*|wte|wpe)(?:\.|$)")
"""``embed_out`` is GPT-NeoX's name for the head."""
_HEAD = re.compile(r"(?:^|\.)(?:lm_head|embed_out|output)\.")
_NO_LINEAR = re.compile(r"norm|\bln|bias|embed(?!_out)|conv")
"""In the last two words of a name: what is no linear weight, even with two dimensions (a mask called bias, norms a head)."""

EMBEDDINGS, NORM, HEAD = "embeddings", "norm", "head"
OWN = (EMBEDDINGS, NORM, HEAD)
"""What lies outside the layers, in the order of the blocks: before them, and after them."""
TITLES = {EMBEDDINGS: "embeddings", NORM: "final norm", HEAD: "head"}
"""What these are called on screen."""


class Place(NamedTuple):
    """Where a parameter lies: in which part (see ``part_of``), and whether it is one of that part's linear weights."""

    part: int | str
    is_linear: bool


def place_of(parameter: str, shape: Sequence[int]) -> Place:
    """The place of a parameter, by its name and shape.

    Linear weights are what has two dimensions or more in a layer or the head (experts joined in one tensor
    and routers too), except for norms, biases, embeddings and convolutions by their names.
    """
    part, last = part_of(parameter), ".".join(parameter.split(".")[-2:])
    return Place(part, len(shape) > 1 and part not in (EMBEDDINGS, NORM) and not _NO_LINEAR.search(last))


def part_of(parameter: str) -> int | str:
    """Where a parameter lies, by its name: its layer's number (from 0), ``embeddings``, ``norm`` (the last one) or ``head``."""
    layer = layer_of(parameter)
    if layer is not None:
        return layer
    if _EMBEDDING.search(parameter):
        return EMBEDDINGS
    return HEAD if _HEAD.search(parameter) else NORM


def layer_of(parameter: str) -> int | None:
    """The layer number in a parameter's name (from 0, of nine digits at most), or None for embeddings, final norm and head."""
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

    ``linear_only`` is the scope of the original code's HMA: blocks hold only linear weights, the head is a
    block of its own, and what is in no block stays the reference's: embeddings, norms, biases. So equal alphas
    are not model averaging, and alpha 0 is not the policy. [The code takes the biases of linear layers along;
    its models have none.]
    """

    num_layers: int
    starts: tuple[int, ...]
    own: tuple[str, ...] = ()
    linear_only: bool = False

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise ValueError(f"num_layers is {self.num_layers}, must be at least 1")
        rising = all(a < b for a, b in zip(self.starts, self.starts[1:], strict=False))
        if not self.starts or self.starts[0] != 0 or not rising or self.starts[-1] >= self.num_layers:
            raise ValueError(f"starts {self.starts} must begin at 0, rise, and stay below num_layers {self.num_layers}")
        if self.own != tuple(part for part in OWN if part in self.own):
            raise ValueError(f"own {self.own} must be some of {OWN}, in this order")
        if self.linear_only and self.own != (HEAD,):
            raise ValueError(f"own {self.own} must be {(HEAD,)} where only linear weights are averaged")

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
        """``input, middle, output`` for three blocks of layers [HMA §5], otherwise ``layers 0–1`` and so on."""
        names: tuple[str, ...] = ("input", "middle", "output")
        if len(self.starts) == 1:
            names = ("all layers",)
        elif len(self.starts) != 3:
            spans = [self.layers(k + self._before) for k in range(len(self.starts))]
            names = tuple(f"layers {s[0]}–{s[-1]}" if len(s) > 1 else f"layer {s[0]}" for s in spans)
        own = [TITLES[part] for part in self.own]
        return (*own[: self._before], *names, *own[self._before :])

    def layer_alphas(self, alphas: tuple[float, ...]) -> tuple[float, ...]:
        """One alpha a layer, length ``num_layers``, from one alpha a block."""
        if len(alphas) != self.num_blocks:
            raise ValueError(f"{len(alphas)} alphas for {self.num_blocks} blocks")
        return tuple(a for k, a in enumerate(alphas) for _ in self.layers(k))

    def block_at(self, place: Place) -> int | None:
        """The block (from 0) of what lies at a place, or None for what stays the reference's."""
        if self.linear_only and not place.is_linear:
            return None
        if place.part in self.own:
            return self.own.index(place.part) + (0 if place.part == EMBEDDINGS else len(self.starts))
        layer = {EMBEDDINGS: 0, NORM: self.num_layers - 1, HEAD: self.num_layers - 1}.get(place.part, place.part)
        if layer >= self.num_layers:
            raise ValueError(f"a parameter of layer {layer}, and the model has {self.num_layers}")
        return self._before + bisect_right(self.starts, layer) - 1

    def block_of(self, parameter: str, shape: Sequence[int] | None = None) -> int | None:
        """The block of a parameter by its name, see ``block_at``; where only linear weights are averaged, by its shape too."""
        if shape is None and self.linear_only:
            raise ValueError(f"the shape of {parameter} says whether it is a linear weight")
        return self.block_at(place_of(parameter, shape or ()))
