"""The preflight: all that can be known of a pair before its weights are read, in a second for models of any size."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.checkpoints.checks import check_pair
from hma.checkpoints.finding import Finding
from hma.checkpoints.machine import Machine, size_text
from hma.checkpoints.pair import read_pair

_ORDER = ("fatal", "warning", "note")


@dataclass(frozen=True)
class Preflight:
    """Findings, fatal ones first, and bytes: of both checkpoints, of what a workbench holds and what the machine has.

    ``needed_bytes`` are reference, policy and the live model beside them. Bytes are None where they are not known, and
    ``gpu`` where there is none.
    """

    findings: tuple[Finding, ...]
    reference_bytes: int | None
    policy_bytes: int | None
    needed_bytes: int | None
    available_bytes: int | None
    gpu: str | None
    gpu_bytes: int | None
    export_bytes: int | None
    free_bytes: int | None

    @property
    def is_fatal(self) -> bool:
        return any(finding.level == "fatal" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "findings": [finding.to_dict() for finding in self.findings]}


def preflight(
    reference: str | Path, policy: str | Path, allow: Collection[str] = (), machine: Machine | None = None
) -> Preflight:
    """What can be known of a pair from headers, configs and tokenizer files alone; nothing is fetched or raised.

    What it needs is held against ``machine``, this one by default.
    """
    machine = machine or Machine.look()
    a, b = read_pair(reference, policy, fetch=False, allow=allow)
    findings = [*a.findings, *b.findings, *check_pair(a, b)]
    needed = None if a.num_bytes is None or b.num_bytes is None else a.num_bytes + 2 * b.num_bytes
    held = "Reference, policy and live model take"
    findings += _room("memory", needed, machine.memory, held, "of this machine's memory")
    findings += _room("GPU", needed, machine.gpu_memory, held, f"of the memory of {machine.gpu}")
    findings += _room("disk", b.num_bytes, machine.disk, "The weights of an exported merge take", "of the current folder's disk")
    findings.sort(key=lambda finding: _ORDER.index(finding.level))
    found = machine.memory, machine.gpu, machine.gpu_memory
    return Preflight(tuple(findings), a.num_bytes, b.num_bytes, needed, *found, b.num_bytes, machine.disk)


def _room(subject: str, wanted: int | None, there: int | None, what: str, where: str) -> list[Finding]:
    """Whether ``wanted`` bytes fit into those that are there: a note if so, a warning if not."""
    if wanted is None or there is None:
        return []
    sizes = f"{what} {size_text(wanted)}, and {size_text(there)} {where} are free."
    if wanted <= there:
        return [Finding("note", subject, sizes)]
    advice = {
        "memory": "Free some, use a larger machine, or a GPU whose own memory holds them.",
        "GPU": "What does not fit is kept in main memory, and merges take longer.",
        "disk": "Free some, or export from a folder on a larger disk.",
    }
    return [Finding("warning", subject, f"{sizes} {advice[subject]}")]
