"""What goes wrong in a forward pass: memory that runs out, and numbers that are none. Imports no torch by itself."""

from __future__ import annotations

import gc
import sys

from hma.errors import MeasureError

_SAID = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
"""CUDA and MPS, the CPU's allocator on Linux and on Windows, and CUDA's libraries, each in its own words."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the system had no more memory; each says it in its own way."""
    words = str(error).lower()
    kinds = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return kinds or any(said in words for said in _SAID)


def first_line(error: BaseException) -> str:
    """What an error says, in short."""
    return (str(error).strip() or type(error).__name__).split("\n")[0][:200]


def free_memory() -> None:
    """Give back what nothing refers to any more. To be called when the error is gone, which holds on to its frames' tensors."""
    gc.collect()
    if torch := sys.modules.get("torch"):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()


def no_numbers(name: str, text: str, dtype: str) -> MeasureError:
    """The error for logits that are NaN or infinite after ``text``, of a model that computes in ``dtype``."""
    other = "choose other alphas, nearer to one of the ends"
    cure = (
        other.capitalize()
        if dtype == "float32"
        else f"The model computes in {dtype}: measure it with --dtype float32, or {other}"
    )
    return MeasureError(
        f"In {name} the model gave NaN or infinity instead of logits, first after '…{text.strip()[-60:]}'. "
        f"Nothing was stored for this point. {cure}."
    )
