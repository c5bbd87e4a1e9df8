"""Reading whole tensors from where they lie in files."""

from __future__ import annotations

import mmap
import os
import sys
import warnings
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from hma.checkpoints.header import Tensor
from hma.errors import CheckpointError

DTYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "C64": torch.complex64},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool},
    **{"U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64},
    **{"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2},
    **{"F8_E4M3FNUZ": torch.float8_e4m3fnuz, "F8_E5M2FNUZ": torch.float8_e5m2fnuz, "F8_E8M0": torch.float8_e8m0fnu},
}
"""Dtypes by safetensors' names."""

with warnings.catch_warnings():  # Torch warns of pages that cannot be written, once in a process.
    warnings.simplefilter("ignore")
    torch.frombuffer(bytes(1), dtype=torch.uint8)


def read_tensors(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Each tensor with its name, in the order of files and places in them; see ``read_tensor``."""
    for name, tensor in sorted(tensors, key=lambda item: (item[1].file, item[1].start)):
        yield name, read_tensor(name, tensor)


def read_tensor(name: str, tensor: Tensor) -> torch.Tensor:
    """A tensor of a safetensors file or one of PyTorch's, as a view of the file's pages: copy what is to outlive the file.

    The pages cannot be written, since all who read the file share them: a process that tries is killed, rather than every
    later merge being another one.

    Raises CheckpointError for a dtype that torch has not, and a file that has become shorter.
    """
    assert sys.byteorder == "little"
    if tensor.dtype not in DTYPES:
        raise CheckpointError(f"{name} in {tensor.file} is stored as {tensor.dtype}, which cannot be opened.")
    dtype = DTYPES[tensor.dtype]
    if tensor.start == tensor.end:
        return torch.empty(tensor.shape, dtype=dtype)
    try:
        pages = _pages(tensor.file)
        flat = torch.frombuffer(pages, dtype=torch.uint8, count=tensor.end - tensor.start, offset=tensor.start)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{tensor.file} cannot be read: {error}. Fetch or save it again.") from None
    return flat.view(dtype).view(tensor.shape)


_mapped: weakref.WeakValueDictionary[tuple[Path, int, int, int], mmap.mmap] = weakref.WeakValueDictionary()


def _pages(file: Path) -> mmap.mmap:
    """A file's pages: one mapping, with one open file, for all the tensors of it that are in use."""
    with file.open("rb") as stream:
        stat = os.fstat(stream.fileno())
        key = file, stat.st_ino, stat.st_size, stat.st_mtime_ns
        pages = _mapped.get(key)
        if pages is None:
            pages = _mapped[key] = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return pages
