"""The program ``python -m hma.checkpoints.unpickle FILE…``: where the tensors of ``.bin`` files lie, as JSON.

One entry a file: ``{name: [dtype, shape, start, end]}`` in bytes of the file, or a string that says why not.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

_NAMES = {
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"},
    **{torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"},
}


def tensors_in(file: str) -> dict[str, list[Any]]:
    """``{name: [dtype, shape, start, end]}`` of one file. Raises ValueError for what is not whole, plain weights."""
    if not zipfile.is_zipfile(file):
        raise ValueError("it is cut short, or in the form from before PyTorch 1.6")
    with zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("it is compressed")
    try:
        with FakeTensorMode():  # No weight is read, and each storage says where in the file it begins.
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(_reason(error)) from None
    if not isinstance(state, dict) or not all(isinstance(n, str) and isinstance(t, torch.Tensor) for n, t in state.items()):
        raise ValueError("it holds something else than tensors by name")
    found = {name: _entry(name, tensor) for name, tensor in state.items()}
    size = os.path.getsize(file)  # noqa: PTH202 (files come as texts here)
    if beyond := [name for name, entry in found.items() if entry[3] > size]:
        raise ValueError(f"{beyond[0]} lies beyond its end")
    return found


def _entry(name: str, tensor: torch.Tensor) -> list[Any]:
    if tensor.dtype not in _NAMES:
        raise ValueError(f"{name} is stored as {tensor.dtype}")
    if not tensor.is_contiguous():
        raise ValueError(f"{name} is not stored row by row")
    start = tensor.untyped_storage()._checkpoint_offset + tensor.storage_offset() * tensor.element_size()
    return [_NAMES[tensor.dtype], list(tensor.shape), start, start + tensor.numel() * tensor.element_size()]


def _reason(error: Exception) -> str:
    text = str(error)
    if "Unsupported global" in text or "weights_only" in text.lower():
        return "it holds more than plain weights, such as code, which is not run"
    return text.strip().split("\n")[0][:200] or type(error).__name__


def main() -> None:
    found: list[dict[str, list[Any]] | str] = []
    for file in sys.argv[1:]:
        try:
            found.append(tensors_in(file))
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            found.append(str(error))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
