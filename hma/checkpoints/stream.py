"""The line on which weight files are merged: pieces are read, merged, hashed and written side by side."""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hma.checkpoints.pair import Tensor
from hma.checkpoints.plan import PIECE, Merge, Shard
from hma.checkpoints.precision import EffectiveAlpha, merged
from hma.core.precision import Precision
from hma.errors import CheckpointError

_TORCH = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_NAMES = {"F64": None, "F32": "float32", "F16": "float16", "BF16": "bfloat16"}

_SLICE = 1 << 16
"""Elements that are merged at once: few enough to stay in a core's cache."""

_FLUSH = 1 << 26
"""Bytes after which what was written is sent to the disk while the work goes on."""


@dataclass(frozen=True)
class Written:
    """What was written of one file."""

    size: int
    sha256: str


def write_shards(
    shards: list[Shard],
    folder: Path,
    num_blocks: int,
    precision: Precision,
    progress: Callable[[int], None],
    held: Mapping[str, torch.Tensor] | None = None,
) -> tuple[dict[str, Written], list[EffectiveAlpha]]:
    """Writes the weight files and returns them by name with their digests, and what is left of alpha in each block.

    ``held`` are bytes in memory, by a tensor's name, that are taken instead of its policy's where nothing is merged.
    ``progress`` is given the bytes of each piece as it goes in. Memory stays at a few pieces. Raises CheckpointError
    for NaN, infinity, what does not fit the dtype, or a file that ends early, and OSError as the disk does.
    """
    line = _Line(num_blocks, precision, held or {})
    files = {}
    try:
        for shard in shards:
            file = line.open(folder / shard.file)
            files[shard.file] = file
            line.put_bytes(file, shard.header)
            for merge in shard.merges:
                for first, last in merge.pieces():
                    line.put(file, merge, first, last)
                    progress(merge.size * (last - first) // max(1, merge.size if merge.alpha is None else merge.count))
            line.end(file)
        line.drain()
    finally:
        line.close()
    return {name: Written(file.size, file.sha.hexdigest()) for name, file in files.items()}, line.effective


class _File:
    """A file on its way to the disk and its running digest."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self.sha = hashlib.sha256()
        self.size = 0
        self.flushed = 0

    def hash(self, made: Future[memoryview]) -> None:
        self.sha.update(made.result())

    def write(self, made: Future[memoryview]) -> None:
        left = made.result()
        while left:
            done = os.write(self.descriptor, left)
            self.size += done
            left = left[done:]

    def sync(self) -> None:
        os.fsync(self.descriptor)


class _Line:
    """Threads that each do one step of the work, and the slots in which pieces pass from step to step."""

    def __init__(self, num_blocks: int, precision: Precision, held: Mapping[str, torch.Tensor]) -> None:
        workers = max(1, min(4, (os.cpu_count() or 2) - 1))
        self.effective = [EffectiveAlpha() for _ in range(num_blocks)]
        self._precision, self._held = precision, held
        self._open = ExitStack()
        self._sources: dict[Path, int] = {}
        self._threads = torch.get_num_threads()
        # One piece is one thread's: the merge runs on several cores by several pieces.
        self._merging = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        self._reading, self._hashing, self._writing, self._flushing = (ThreadPoolExecutor(1) for _ in range(4))
        self._slots = [_Slot() for _ in range(workers + 3)]
        self._turn = 0
        self._ends: list[Future[None]] = []
        self._syncs: list[Future[None]] = []

    def open(self, path: Path) -> _File:
        file = _File(path)
        self._open.callback(os.close, file.descriptor)
        return file

    def put_bytes(self, file: _File, content: bytes) -> None:
        """Write these bytes as they are."""
        made: Future[memoryview] = Future()
        made.set_result(memoryview(content))
        self._send(self._next(), file, made)

    def put(self, file: _File, merge: Merge, first: int, last: int) -> None:
        """Merge one piece and write it. Waits for a free slot, and raises what went wrong with the piece that had it."""
        slot = self._next()
        if merge.name in self._held:
            read = self._reading.submit(slot.take, self._held[merge.name][first:last])
        else:
            ends = [merge.policy] if merge.alpha is None else [merge.policy, merge.reference]
            sources = [(self._source(end), end) for end in ends]
            read = self._reading.submit(slot.read, sources, merge, first, last)
        made = self._merging.submit(slot.merge, read, merge, first, last, self._precision)
        slot.block = merge.block
        self._send(slot, file, made)

    def end(self, file: _File) -> None:
        """No more comes for this file: when its last piece is written, it goes to the disk."""
        self._ends.append(self._writing.submit(self._sync, file))

    def drain(self) -> None:
        """Wait until everything is on the disk."""
        for _ in self._slots:
            self._next()
        for end in self._ends:
            end.result()
        for sync in self._syncs:
            sync.result()

    def close(self) -> None:
        """End the threads; what they have not begun is left undone."""
        for pool in (self._reading, self._merging, self._hashing, self._writing, self._flushing):
            pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(self._threads)
        self._open.close()

    def _next(self) -> _Slot:
        """The next slot, in a fixed order so that sums are always the same, when its last piece is done."""
        slot = self._slots[self._turn]
        self._turn = (self._turn + 1) % len(self._slots)
        for task in slot.tasks:
            task.result()
        if slot.block is not None:
            self.effective[slot.block].along += slot.along
            self.effective[slot.block].squared += slot.squared
        slot.tasks, slot.along, slot.squared = [], 0.0, 0.0
        return slot

    def _send(self, slot: _Slot, file: _File, made: Future[memoryview]) -> None:
        slot.tasks = [self._hashing.submit(file.hash, made), self._writing.submit(self._write, file, made)]

    def _write(self, file: _File, made: Future[memoryview]) -> None:
        file.write(made)
        if file.size - file.flushed > _FLUSH:
            self._sync(file)

    def _sync(self, file: _File) -> None:
        """Send to the disk what is written, beside the writing that goes on."""
        file.flushed = file.size
        self._syncs.append(self._flushing.submit(file.sync))

    def _source(self, tensor: Tensor) -> int:
        if tensor.file not in self._sources:
            self._sources[tensor.file] = os.open(tensor.file, os.O_RDONLY)
            self._open.callback(os.close, self._sources[tensor.file])
        return self._sources[tensor.file]


class _Slot:
    """Room for one piece: the bytes of its two ends and of their merge."""

    def __init__(self) -> None:
        self.policy, self.reference, self.made = (torch.empty(PIECE, dtype=torch.uint8) for _ in range(3))
        self.tasks: list[Future[None]] = []
        self.block: int | None = None
        self.along = self.squared = 0.0

    def read(self, sources: list[tuple[int, Tensor]], merge: Merge, first: int, last: int) -> None:
        for (descriptor, tensor), room in zip(sources, (self.policy, self.reference), strict=False):
            item = 1 if merge.alpha is None else (tensor.end - tensor.start) // merge.count
            _read(descriptor, tensor, tensor.start + first * item, memoryview(room.numpy())[: (last - first) * item])

    def take(self, piece: torch.Tensor) -> None:
        self.policy[: len(piece)].copy_(piece)

    def merge(self, read: Future[None], merge: Merge, first: int, last: int, precision: Precision) -> memoryview:
        """The piece's bytes as they stand in the file."""
        read.result()
        count = last - first
        if merge.alpha is None:
            return memoryview(self.policy.numpy())[:count]
        rooms = (self.made, merge.dtype), (self.reference, merge.reference.dtype), (self.policy, merge.policy.dtype)
        made, reference, policy = (room.view(_TORCH[dtype])[:count] for room, dtype in rooms)
        # The dtype is named, since the ends are handed over in float32.
        precision = replace(precision, dtype=_NAMES[merge.dtype])
        with torch.inference_mode():
            for start in range(0, count, _SLICE):
                ends = reference[start : start + _SLICE], policy[start : start + _SLICE]
                along, squared = _merge_slice(made[start : start + _SLICE], *ends, merge, precision, first + start)
                self.along += along
                self.squared += squared
        return memoryview(self.made.numpy())[: count * made.element_size()]


def _read(descriptor: int, tensor: Tensor, place: int, room: memoryview) -> None:
    while room:
        done = os.preadv(descriptor, [room], place)
        if not done:
            raise CheckpointError(f"{tensor.file} ends before its last tensor. Fetch or save it again.")
        place += done
        room = room[done:]


_scratch = threading.local()


def _merge_slice(
    made: torch.Tensor, reference: torch.Tensor, policy: torch.Tensor, merge: Merge, precision: Precision, first: int
) -> tuple[float, float]:
    """Write the merge of two slices into ``made``, and return what EffectiveAlpha adds up of them, in float32.

    That is ``<made - policy, delta>`` and ``|delta|^2``. Raises CheckpointError for NaN and infinity, which
    no sum of squares survives.
    """
    if not hasattr(_scratch, "rooms"):
        _scratch.rooms = [torch.empty(_SLICE) for _ in range(3)]
    before, delta, moved = (room[: len(made)] for room in _scratch.rooms)
    before.copy_(policy)
    delta.copy_(reference)
    if made.dtype == torch.float64:
        made.copy_(merged(reference, policy, merge.alpha, precision, merge.name, first))
    else:  # Every other dtype goes through float32 in any case: to be there once is enough.
        made.copy_(merged(delta, before, merge.alpha, precision, merge.name, first))
    delta.sub_(before)
    moved.copy_(made).sub_(before)
    along, squared = float(torch.dot(moved, delta)), float(torch.dot(delta, delta))
    if math.isfinite(along) and math.isfinite(squared):
        return along, squared
    for end, tensor in ((reference, merge.reference), (policy, merge.policy)):
        if not torch.isfinite(end).all():
            raise CheckpointError(f"{merge.name} in {tensor.file} holds NaN or infinity. Use a checkpoint without them.")
    moved, delta = made.double() - policy.double(), reference.double() - policy.double()
    return float(torch.dot(moved, delta)), float(torch.dot(delta, delta))
