"""A folder that is there whole or not at all: written under another name beside it, then renamed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hma.checkpoints.manifest import RECIPE, named_files
from hma.errors import ExportError

_LEFT = re.compile(r"(?P<process>[0-9]+)(\.[0-9a-f]+)?")
"""What the names of a writing's two folders end in."""

_lock = threading.Lock()
"""Held while folders are put aside, come back, or go for those that left them."""

_live: set[str] = set()
"""What the names of the folders end in that this process is writing now."""


@contextmanager
def placed(folder: Path, needed: int, *, replace: bool = False, option: str = "--out") -> Iterator[Path]:
    """An empty folder to write into, which becomes ``folder`` at the end, or goes when the writing fails.

    ``needed`` is the bytes that will be written; ``option`` is what a person names another place by. What other processes
    left half-written here is removed.
    Raises ExportError for a folder that is there already, or at the end of the writing (with ``replace``: and is no
    export), for too little space, and when the disk refuses.
    """
    own = f"{os.getpid()}.{secrets.token_hex(4)}"
    part, old = (folder.parent / f".{folder.name}.{kind}-{own}" for kind in ("part", "old"))
    with _lock:
        _live.add(own)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        clean(folder)
        _check_free(folder, replace, option)
        _check_space(folder, needed, option)
        part.mkdir()
        yield part
        sync(part)
        _check_free(folder, replace, option)
        try:
            _put(part, folder, old if replace else None)
        except OSError:
            _check_free(folder, replace, option)  # Something came at this very moment.
            raise
        sync(folder.parent)
    except OSError as error:
        raise ExportError(f"{folder} cannot be written: {error}. Choose another place for {option}, or free this one.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        with _lock:
            _live.discard(own)


def sync(folder: Path) -> None:
    """Send a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clean(folder: Path) -> None:
    """Undo what a writing that died on the way to ``folder`` left beside it, in another process or in this one.

    A folder that was put aside and never replaced comes back.
    """
    with _lock:
        for kind in ("old", "part"):
            start = f".{folder.name}.{kind}-"
            for left in folder.parent.glob(f"{_escaped(start)}*"):
                if not _is_left(left.name.removeprefix(start)):
                    continue
                if kind == "old" and not folder.exists():
                    left.rename(folder)
                else:
                    shutil.rmtree(left)


def _is_left(end: str) -> bool:
    """Whether what a name ends in is of a writing that is over."""
    named = _LEFT.fullmatch(end)
    if not named:
        return False
    process = int(named["process"])
    return end not in _live if process == os.getpid() else not _is_alive(process)


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _check_free(folder: Path, replace: bool, option: str) -> None:
    if not folder.name:
        raise ExportError(f"{folder} cannot be a checkpoint's folder. Name a new folder in {option}.")
    if folder.exists() and not replace:
        raise ExportError(f"{folder} exists. Choose another {option}, or replace an earlier export with --force.")
    if folder.exists() and not (folder / RECIPE).is_file():
        raise ExportError(
            f"{folder} is not an earlier export (it has no {RECIPE}), so --force leaves it alone. Choose another {option}, "
            "or remove it yourself."
        )
    if folder.exists() and (own := sorted(f.name for f in folder.iterdir() if f.name not in named_files(folder))):
        raise ExportError(
            f"{folder} holds {own[0]}, which is not of the export in it, so --force leaves it alone. Move that away, or choose "
            f"another {option}."
        )


def _check_space(folder: Path, needed: int, option: str) -> None:
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise ExportError(
            f"The checkpoint needs {needed:,} bytes and {folder.parent} has {free:,} free. Free some, or choose another {option}."
        )


def _put(part: Path, folder: Path, old: Path | None) -> None:
    """Give the finished folder its name. What has the name is put aside as ``old`` first, and removed after.

    Without ``old`` nothing is put aside: the system refuses to rename onto a folder that is not empty.
    """
    with _lock:
        if old is None or not folder.exists():
            part.rename(folder)
            return
        folder.rename(old)
        try:
            part.rename(folder)
        except OSError:
            old.rename(folder)
            raise
    shutil.rmtree(old)
