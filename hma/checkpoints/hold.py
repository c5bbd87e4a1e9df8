"""How the two ends of a pair are held: what fits beside the live model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hma.checkpoints.ends import ROOM
from hma.checkpoints.fingerprint import windows
from hma.checkpoints.header import BITS, Tensor
from hma.checkpoints.machine import size_text
from hma.checkpoints.pair import Pair
from hma.errors import CheckpointError

Hold = Literal["dense", "host", "sparse"]
"""Both ends whole on the device; whole in host memory, from where every write brings them; or only where they differ."""


@dataclass(frozen=True)
class Memory:
    """Bytes that a live model and both its ends take, and that are free for them, on the device and in host memory.

    None is not known, and taken to be enough. ``device`` is ``cuda``, ``mps`` or ``cpu``, where both memories are one.
    """

    device: str
    live: int
    ends: int
    device_free: int | None
    host_free: int | None

    @property
    def margin(self) -> int:
        """What evaluating needs beside the weights, roughly, and loading them."""
        return self.live // 4

    def holds(self, beside: int) -> bool:
        """Whether so many bytes fit on the device beside the live model."""
        return self.device_free is None or self.live + beside + self.margin <= self.device_free


def choose(memory: Memory, changed: Callable[[], int]) -> Hold:
    """The fastest way of holding that fits; ``changed`` says, asked only if need be, what holding sparsely takes.

    On the CPU what fits in no way is held densely: the ends then stay in their files, and every write reads
    what the system has let go of. Elsewhere it raises CheckpointError.
    """
    if memory.holds(memory.ends):
        return "dense"
    if memory.holds(sparse := changed()):
        return "sparse"
    if memory.device == "cpu":
        return "dense"
    host_fits = memory.host_free is None or memory.ends <= memory.host_free
    if memory.device == "cuda" and memory.holds(4 * ROOM) and host_fits:
        return "host"
    margin, live, free = (size_text(count) for count in (memory.margin, memory.live, memory.device_free or 0))
    raise CheckpointError(
        f"The live model takes {live}, both checkpoints {size_text(memory.ends)} beside it (only where they differ: "
        f"{size_text(sparse)}) and evaluating about {margin}, but {free} of the device's memory are free"
        + ("." if host_fits else f", and {size_text(memory.host_free or 0)} of the host's.")
        + " Free some, or use a larger device."
    )


def changed_bytes(pair: Pair) -> int:
    """About how many bytes both ends take where they differ, by windows of every tensor that are read from both."""
    return sum(_changed(tensor, pair.reference.tensors[name]) for name, tensor in pair.policy.tensors.items())


def _changed(one: Tensor, other: Tensor) -> int:
    item = BITS[one.dtype] // 8
    size = one.end - one.start
    if item == 0 or size == 0:
        return 0
    found = seen = 0
    with one.file.open("rb") as first, other.file.open("rb") as second:
        for (start, end), (there, _) in zip(windows(one), windows(other), strict=True):
            first.seek(start)
            second.seek(there)
            a, b = (np.frombuffer(stream.read(end - start), dtype=np.uint8) for stream in (first, second))
            skipped = (one.start - start) % item  # Windows may begin within an element.
            differ = (a != b)[skipped : skipped + (len(a) - skipped) // item * item].reshape(-1, item).any(1)
            found, seen = found + int(differ.sum()), seen + len(differ)
    count = size // item
    place = 4 if count <= 1 << 31 else 8
    return min(2 * size, round(found / max(1, seen) * count * (place + 2 * item)))
