"""What a checkpoint's folder holds, with everything that is wrong in it: read from headers and configs, without weights."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hma.checkpoints.finding import Finding
from hma.checkpoints.header import Tensor, is_file, read_json
from hma.checkpoints.shards import read_weights
from hma.checkpoints.source import find_folder
from hma.core.partition import EMBEDDINGS, HEAD, part_of
from hma.errors import CheckpointError

ADAPTER = "adapter_config.json"
"""What tells a LoRA adapter from a whole model."""


@dataclass(frozen=True)
class Contents:
    """A checkpoint as its folder has it: its side (``reference`` or ``policy``), config, tensors by name, and findings.

    The folder is None when there is none; config and tensors are empty when they could not be read whole. Where
    ``adapter`` is a folder, they are what the adapter in it makes of the reference.
    """

    side: str
    source: str
    folder: Path | None
    config: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    adapter: Path | None = None

    @property
    def num_bytes(self) -> int | None:
        """Bytes of all tensors, or None when they could not be read."""
        return sum(t.end - t.start for t in self.tensors.values()) if self.tensors else None

    @property
    def is_fatal(self) -> bool:
        return any(finding.level == "fatal" for finding in self.findings)


def read_folder(side: str, source: str | Path, *, fetch: bool = True, allow: Collection[str] = ()) -> Contents:
    """What a folder or hub id holds. Without ``fetch`` a hub id is looked for in this machine's cache alone.

    ``allow`` is what of it may be used beside safetensors; see ``hma.checkpoints.source.ALLOWABLE``.
    """
    source = str(source)
    try:
        folder = find_folder(source, fetch=fetch, allow=allow)
    except CheckpointError as error:
        return Contents(side, source, None, findings=(Finding("fatal", f"{side} folder", str(error)),))
    findings: list[Finding] = []
    if is_file(folder / ADAPTER):
        message = (
            f"{folder} has an {ADAPTER}, so it is a LoRA adapter and not a whole model, which is needed here. Give the adapter "
            "as the policy, and the model that it was trained on as the reference."
        )
        return Contents(side, source, folder, findings=(Finding("fatal", f"{side} weights", message),))
    config: dict[str, Any] = {}
    try:
        config = read_json(folder / "config.json")
    except CheckpointError as error:
        findings.append(Finding("fatal", f"{side} config", str(error)))
    try:
        tensors, found = read_weights(folder, f"{side} weights", allow)
    except CheckpointError as error:
        tensors, found = {}, [Finding("fatal", f"{side} weights", str(error))]
    findings += found
    if config.get("tie_word_embeddings") is not False:
        tensors = _tied_once(tensors)
    return Contents(side, source, folder, config, tensors, tuple(findings))


def _tied_once(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without heads that share the embeddings' very bytes, as PyTorch's files have tied ones."""
    places = {(t.file, t.start, t.shape) for name, t in tensors.items() if part_of(name) == EMBEDDINGS}
    return {n: t for n, t in tensors.items() if part_of(n) != HEAD or (t.file, t.start, t.shape) not in places}
