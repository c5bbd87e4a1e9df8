"""What this machine has free: memory, a GPU's own, and disk; found without torch."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

_GPU_DEVICES = ("/dev/nvidiactl", "/dev/dxg")
"""Where Linux, and Linux within Windows, have NVIDIA's driver."""


@dataclass(frozen=True)
class Machine:
    """Free bytes of main memory and of the current folder's disk, and of the GPU that has most; None where not known."""

    memory: int | None
    disk: int | None
    gpu: str | None = None
    gpu_memory: int | None = None

    @classmethod
    def look(cls) -> Machine:
        """This machine as it is now."""
        return cls(available_memory(), _free_disk(), *(_gpu() or (None, None)))


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


def _gpu() -> tuple[str, int] | None:
    """Name and free bytes of the NVIDIA GPU that has most free, or None."""
    if sys.platform != "win32" and not any(Path(device).exists() for device in _GPU_DEVICES):
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        found = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
        free = {pynvml.nvmlDeviceGetMemoryInfo(gpu).free: gpu for gpu in found}
        if not free:
            return None
        name = pynvml.nvmlDeviceGetName(free[max(free)])
        return (name.decode() if isinstance(name, bytes) else name), max(free)
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def size_text(count: int) -> str:
    """Bytes in decimal units, at three digits."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}"
