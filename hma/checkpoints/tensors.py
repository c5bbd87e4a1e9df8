"""Reading whole tensors from where they lie in files."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterable, Iterator

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


def read_tensors(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Each tensor with its name, in the order of files and places in them; of safetensors and PyTorch's files alike.

    A tensor is a view of the file's pages: copy what is to be changed or kept. Raises CheckpointError for a dtype that torch
    has not.
    """
    assert sys.byteorder == "little"
    for name, tensor in sorted(tensors, key=lambda item: (item[1].file, item[1].start)):
        if tensor.dtype not in DTYPES:
            raise CheckpointError(f"{name} in {tensor.file} is stored as {tensor.dtype}, which cannot be opened.")
        yield name, _view(tensor)


def _view(tensor: Tensor) -> torch.Tensor:
    dtype = DTYPES[tensor.dtype]
    if tensor.start == tensor.end:
        return torch.empty(tensor.shape, dtype=dtype)
    begin = tensor.start - tensor.start % mmap.ALLOCATIONGRANULARITY
    with tensor.file.open("rb") as stream:
        pages = mmap.mmap(stream.fileno(), tensor.end - begin, offset=begin, access=mmap.ACCESS_COPY)
    flat = torch.frombuffer(pages, dtype=torch.uint8, count=tensor.end - tensor.start, offset=tensor.start - begin)
    return flat.view(dtype).view(tensor.shape)
