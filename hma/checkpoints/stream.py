"""Weight files merged from disk to disk, several at once: one thread makes a file's pieces, another hashes them behind it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from hma.checkpoints.pair import Tensor
from hma.checkpoints.plan import PIECE, Merge, Shard
from hma.checkpoints.precision import EffectiveAlpha
from hma.checkpoints.slices import merge_piece
from hma.core.precision import Precision
from hma.errors import CheckpointError

_TORCH = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_NAMES = {"F64": None, "F32": "float32", "F16": "float16", "BF16": "bfloat16"}

_AT_ONCE = min(8, os.cpu_count() or 1)
"""Files on their way at once. A digest is made in order, by one core: only several files keep several cores busy."""

_ROOMS = 4
"""Pieces of a file that may wait for its digest."""

_AHEAD = 1 << 24
"""Bytes of each end that the disk is asked to read beyond what is waited for."""

_CAN_ADVISE = hasattr(os, "posix_fadvise")

_FLUSH = 1 << 25
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
    ``progress`` is given the bytes of each piece, by one thread at a time. Memory stays at a few pieces a file. Raises
    CheckpointError for NaN, infinity, what does not fit the dtype, or a file that ends early, and OSError as the disk does.
    """
    stop, lock = threading.Event(), threading.Lock()

    def report(size: int) -> None:
        if stop.is_set():
            raise _Stopped
        with lock:
            progress(size)

    threads = torch.get_num_threads()
    # A file is one thread's: the merge runs on several cores by several files.
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(shards)), initializer=torch.set_num_threads, initargs=(1,))
    try:
        lines = {
            shard.file: pool.submit(_write_shard, shard, folder / shard.file, num_blocks, precision, report, held or {})
            for shard in sorted(shards, key=lambda shard: -shard.size)
        }
        wait(lines.values(), return_when=FIRST_EXCEPTION)
        for line in lines.values():
            if line.done():
                line.result()
        done = [lines[shard.file].result() for shard in shards]
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads)
    # Added up in the order of the files, whichever was done first: the same merge has the same sums.
    sums = [sum((found[block] for _, found in done), EffectiveAlpha()) for block in range(num_blocks)]
    return {shard.file: written for shard, (written, _) in zip(shards, done, strict=True)}, sums


class _Stopped(Exception):
    """Another file failed: this one is not wanted any more."""


def _write_shard(
    shard: Shard,
    path: Path,
    num_blocks: int,
    precision: Precision,
    report: Callable[[int], None],
    held: Mapping[str, torch.Tensor],
) -> tuple[Written, list[EffectiveAlpha]]:
    found = [EffectiveAlpha() for _ in range(num_blocks)]
    with ExitStack() as stack:
        ends = _Ends(stack)
        file = _File(path, stack)
        file.put(memoryview(shard.header))
        for merge in shard.merges:
            # The dtype is named: random rounding is for halves alone.
            named = precision if merge.alpha is None else replace(precision, dtype=_NAMES[merge.dtype])
            for first, last in merge.pieces():
                room = file.room()
                if merge.name in held:
                    size = last - first
                    room[:size].copy_(held[merge.name][first:last])
                elif merge.alpha is None:
                    size = last - first
                    ends.read(merge.policy, 1, first, last, room)
                else:
                    made = room.view(_TORCH[merge.dtype])[: last - first]
                    size = made.nbytes
                    left = merge_piece(made, *ends.piece(merge, first, last), merge, named, first)
                    if merge.block is not None:
                        found[merge.block] += left
                file.put(memoryview(room.numpy())[:size])
                report(size)
        return file.finish(), found


class _Ends:
    """The files that the two ends lie in, and room for one piece of each."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._open: dict[Path, int] = {}
        self._rooms = torch.empty(PIECE, dtype=torch.uint8), torch.empty(PIECE, dtype=torch.uint8)

    def piece(self, merge: Merge, first: int, last: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Reference and policy, from one element to another: theirs until the next piece is read."""
        pieces = []
        for tensor, room in zip((merge.reference, merge.policy), self._rooms, strict=True):
            dtype = _TORCH[tensor.dtype]
            self.read(tensor, dtype.itemsize, first, last, room)
            pieces.append(room.view(dtype)[: last - first])
        return pieces[0], pieces[1]

    def read(self, tensor: Tensor, item: int, first: int, last: int, room: torch.Tensor) -> None:
        """Fill the room with items of so many bytes, from one to another. Raises CheckpointError for a file that ends early."""
        if tensor.file not in self._open:
            self._open[tensor.file] = os.open(tensor.file, os.O_RDONLY)
            self._stack.callback(os.close, self._open[tensor.file])
        place = tensor.start + first * item
        if _CAN_ADVISE:  # The disk reads on while this piece is merged.
            os.posix_fadvise(self._open[tensor.file], place, _AHEAD, os.POSIX_FADV_WILLNEED)
        left = memoryview(room.numpy())[: (last - first) * item]
        while left:
            done = os.preadv(self._open[tensor.file], [left], place)
            if not done:
                raise CheckpointError(f"{tensor.file} ends before its last tensor. Fetch or save it again.")
            place += done
            left = left[done:]


class _File:
    """A file on its way to the disk: its digest and its flushes each go on in a thread of their own."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        stack.callback(os.close, self._descriptor)
        self._hashing, self._flushing = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2))
        self._sha = hashlib.sha256()
        self._rooms = [torch.empty(PIECE, dtype=torch.uint8) for _ in range(_ROOMS)]
        self._hashed: list[Future[None] | None] = [None] * _ROOMS
        self._flushed: list[Future[None]] = []
        self._turn = self._size = self._sent = 0

    def room(self) -> torch.Tensor:
        """Bytes to fill with the next piece. Waits until the digest has taken in what they held."""
        if hashed := self._hashed[self._turn]:
            hashed.result()
        return self._rooms[self._turn]

    def put(self, content: memoryview) -> None:
        """Write these bytes, which stay as they are until ``room`` gives them out again."""
        self._hashed[self._turn] = self._hashing.submit(self._sha.update, content)
        self._turn = (self._turn + 1) % _ROOMS
        while content:
            done = os.write(self._descriptor, content)
            self._size += done
            content = content[done:]
        if self._size - self._sent > _FLUSH:
            self._sent = self._size
            self._flushed.append(self._flushing.submit(os.fsync, self._descriptor))

    def finish(self) -> Written:
        """Wait until all is hashed and on the disk."""
        self._flushed.append(self._flushing.submit(os.fsync, self._descriptor))
        for task in (*self._hashed, *self._flushed):
            if task:
                task.result()
        return Written(self._size, self._sha.hexdigest())
