"""The preflight: all that can be known of a pair before its weights are read, in a second for models of any size."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.checkpoints.checks import check_pair
from hma.checkpoints.finding import Finding
from hma.checkpoints.pair import read_pair

_ORDER = ("fatal", "warning", "note")


@dataclass(frozen=True)
class Preflight:
    """Findings, fatal ones first, and bytes: of both checkpoints, of what a workbench holds and what the machine has.

    ``needed_bytes`` are reference, policy and the live model beside them; bytes are None where they are not known.
    """

    findings: tuple[Finding, ...]
    reference_bytes: int | None
    policy_bytes: int | None
    needed_bytes: int | None
    available_bytes: int | None
    export_bytes: int | None
    free_bytes: int | None

    @property
    def is_fatal(self) -> bool:
        return any(finding.level == "fatal" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "findings": [finding.to_dict() for finding in self.findings]}


def preflight(reference: str | Path, policy: str | Path, allow: Collection[str] = ()) -> Preflight:
    """What can be known of a pair from headers, configs and tokenizer files alone; nothing is fetched or raised."""
    a, b = read_pair(reference, policy, fetch=False, allow=allow)
    findings = [*a.findings, *b.findings, *check_pair(a, b)]
    needed = None if a.num_bytes is None or b.num_bytes is None else a.num_bytes + 2 * b.num_bytes
    available, free = available_memory(), _free_disk()
    findings += _room("memory", needed, available, "Reference, policy and live model take", "of this machine's memory")
    findings += _room("disk", b.num_bytes, free, "An exported merge takes", "of the current folder's disk")
    findings.sort(key=lambda finding: _ORDER.index(finding.level))
    return Preflight(tuple(findings), a.num_bytes, b.num_bytes, needed, available, b.num_bytes, free)


def available_memory() -> int | None:
    """Bytes of main memory that can be had without swapping, or None where the system does not say."""
    try:
        import psutil

        return int(psutil.virtual_memory().available)
    except ImportError:
        return _available_by_system()


def _available_by_system() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _free_disk() -> int | None:
    try:
        return shutil.disk_usage(Path.cwd()).free
    except OSError:
        return None


def _room(subject: str, wanted: int | None, there: int | None, what: str, where: str) -> list[Finding]:
    """Whether ``wanted`` bytes fit into those that are there: a note if so, a warning if not."""
    if wanted is None or there is None:
        return []
    sizes = f"{what} {_size(wanted)}, and {_size(there)} {where} are free."
    if wanted <= there:
        return [Finding("note", subject, sizes)]
    advice = {
        "memory": "Free some, use a larger machine, or a GPU whose own memory holds them.",
        "disk": "Free some, or export from a folder on a larger disk.",
    }
    return [Finding("warning", subject, f"{sizes} {advice[subject]}")]


def _size(count: int) -> str:
    """Bytes in decimal units, at three digits."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}"
