"""A small file that ``torch.save`` wrote, read without running code that may be in it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from hma.errors import AlphasError

_LARGEST = 1 << 24
"""Bytes. A number a linear layer is a few hundred thousand; a model's weights, named by mistake, are not read."""


def read_saved(path: Path) -> Any:
    """What the file holds, with plain numbers for tensors of one element, in a dict and the dicts in it.

    Raises AlphasError for what cannot be read without running code, and for tensors of another size.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise AlphasError(f"{path.stat().st_size:,} bytes are too many for alphas. Is it a model's weights?")
        with warnings.catch_warnings(action="ignore"):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except AlphasError:
        raise
    except OSError as error:
        raise AlphasError(f"It cannot be opened: {error.strerror or error}.") from None
    except Exception as error:  # A broken pickle can raise anything, with advice that is not for here.
        reason = (
            "it holds more than plain numbers, such as code"
            if "Unsupported" in str(error)
            else "it is cut short, or no such file"
        )
        raise AlphasError(
            f"It cannot be read as numbers alone, without running code in it: {reason}. Give a file that torch.save wrote."
        ) from None
    if not isinstance(content, dict):
        return content
    return {key: _plain(value, str(key)) for key, value in content.items()}


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _number(one, f"{name}[{key!r}]") for key, one in value.items()}
    return _number(value, name)


def _number(value: Any, name: str) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    if value.numel() != 1 or value.dtype.is_complex:
        raise AlphasError(f"{name} is a tensor of shape {tuple(value.shape)} and {value.dtype}, expected one real number.")
    return float(value.detach())
