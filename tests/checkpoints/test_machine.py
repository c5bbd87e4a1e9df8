"""What the machine has free."""

import sys
import types

import pytest

from hma.checkpoints import machine
from hma.checkpoints.machine import Machine, available_memory


def test_memory_is_known_with_and_without_psutil(monkeypatch):
    with_psutil = available_memory()
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert available_memory() == pytest.approx(with_psutil, rel=0.2)


def test_the_gpu_with_most_free_memory_is_found(monkeypatch):
    """NVIDIA's library, as a plain object in its place."""
    free = {0: 10, 1: 30, 2: 20}
    library = types.SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: len(free),
        nvmlDeviceGetHandleByIndex=lambda n: n,
        nvmlDeviceGetMemoryInfo=lambda n: types.SimpleNamespace(free=free[n]),
        nvmlDeviceGetName=lambda n: f"GPU {n}",
    )
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(machine, "_GPU_DEVICES", ("/",))
    assert (Machine.look().gpu, Machine.look().gpu_memory) == ("GPU 1", 30)
    free.clear()
    assert Machine.look().gpu is None
