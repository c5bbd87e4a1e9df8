"""What the benchmarks of the page share: a server of its own, a browser, and work that keeps the cores busy."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from hma.errors import HmaError, MeasureError
from hma.store import Store
from hma.study import SHIPPED


def shipped_store(folder: Path) -> Path:
    """A store of its own in ``folder`` that holds the shipped points."""
    path = folder / "points.sqlite"
    Store(path).take_in(SHIPPED / "points.sqlite")
    return path


def app(store: Path, port: int) -> list[str]:
    """The command that serves the app."""
    return [sys.executable, "-m", "hma", "app", "--no-browser", "--store", str(store), "--port", str(port)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def served(command: Sequence[str], port: int) -> Iterator[str]:
    """The address at which a command serves, once it answers. Raises MeasureError when it does not within a minute."""
    environment = os.environ | {"STREAMLIT_SERVER_HEADLESS": "true", "STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}
    process = subprocess.Popen(list(command), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not _answers(port):
            if time.monotonic() > end or process.poll() is not None:
                raise MeasureError(f"{' '.join(command)} did not serve within 60 s.")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(port: int) -> bool:
    with contextlib.closing(socket.socket()) as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def chromium() -> str:
    """The browser's program. Raises HmaError when there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        raise HmaError("There is no chromium on the PATH. Install it, or name it in the variable CHROMIUM.")
    return path


@contextlib.contextmanager
def load(busy: bool) -> Iterator[str]:
    """The machine in words; with ``busy``, every core has an endless loop of another process to work on."""
    cores = os.cpu_count() or 1
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores if busy else 0)]
    try:
        yield f"{cores} cores, each with an endless loop beside" if busy else f"{cores} cores"
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
