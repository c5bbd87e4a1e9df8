"""Where the tensors of PyTorch's ``.bin`` files lie, asked of a process of its own that has torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hma.checkpoints.finding import name_of
from hma.checkpoints.header import Tensor
from hma.errors import CheckpointError

_ROOT = Path(__file__).resolve().parents[2]


def headers(files: Sequence[Path]) -> list[dict[str, Tensor] | CheckpointError]:
    """The tensors of each file by name, as byte ranges in it, or why they cannot be read.

    Nothing of a file is run: ``torch.load(weights_only=True)`` reads its pickle, without the weights.
    """
    if not files:
        return []
    command = [sys.executable, "-m", "hma.checkpoints.unpickle", *(str(file.absolute()) for file in files)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=_ROOT, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return [_unread(files[0], name_of(last))] * len(files)
    return [_held(file, found) for file, found in zip(files, json.loads(done.stdout), strict=True)]


def _held(file: Path, found: dict[str, list] | str) -> dict[str, Tensor] | CheckpointError:
    if isinstance(found, str):
        return _unread(file, name_of(found))
    for name in found:
        try:
            name.encode()
        except UnicodeEncodeError:
            return _unread(file, f"the name {name_of(name)} cannot be written as UTF-8")
    return {name: Tensor(dtype, tuple(shape), file, start, end) for name, (dtype, shape, start, end) in found.items()}


def _unread(file: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{file} cannot be read as PyTorch's weights: {reason}. Save the model as safetensors.")
