"""Where a checkpoint is: a folder, or a hub repository at a revision, fetched into the hub's cache; without torch."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from hma.checkpoints.hub import hub_or_cache, reason_of
from hma.errors import CheckpointError

BIN, CODE = "bin", "code"
ALLOWABLE = (BIN, CODE)
"""What of a checkpoint is used only when a person allows it: weights in PyTorch's pickles, and Python code of its own."""

_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
"""Files of a hub repository that a checkpoint needs."""

_REPOSITORY = re.compile(r"\w(?:[\w.-]{0,94}\w)?/\w(?:[\w.-]{0,94}\w)?", re.ASCII)

_WANTED_TOO = {BIN: "*.bin", CODE: "*.py"}


def find_folder(source: str, *, fetch: bool = True, allow: Collection[str] = ()) -> Path:
    """The folder itself, or the one in the cache that a hub repository is in, fetched if need be.

    A hub id may name a branch, tag or commit: ``organisation/model@revision``. Raises CheckpointError.
    """
    path = os.path.expanduser(source)  # noqa: PTH111 (pathlib's own raises for a home or a name that cannot be)
    if os.path.isdir(path):  # noqa: PTH112
        return Path(path).resolve()
    if os.path.exists(path) or not is_hub_id(source):  # noqa: PTH110
        kind = "is not a folder" if os.path.exists(path) else "does not exist"  # noqa: PTH110
        raise CheckpointError(
            f"{source if source.strip() else repr(source)} {kind}. Give a folder with config.json and *.safetensors, or a hub id "
            "such as organisation/model or organisation/model@revision."
        )
    return _snapshot(source, fetch, [*_WANTED, *(pattern for kind, pattern in _WANTED_TOO.items() if kind in allow)])


def is_hub_id(source: str) -> bool:
    """Whether a text can be ``organisation/model`` or ``organisation/model@revision`` on the hub."""
    name, revision = split_revision(source)
    return is_repository(name) and revision != ""


def is_repository(name: str) -> bool:
    """Whether a repository of the hub can have this name, as the hub's own client judges it."""
    return bool(_REPOSITORY.fullmatch(name)) and not any(part in name for part in ("--", "..")) and not name.endswith(".git")


def split_revision(source: str) -> tuple[str, str | None]:
    """A hub id and its revision, None where none is named."""
    name, at, revision = source.partition("@")
    return name, revision if at else None


def commit_of(folder: Path) -> str | None:
    """The commit of a folder in the hub's cache, or None for any other folder."""
    in_cache = folder.parent.name == "snapshots" and folder.parents[1].name.startswith("models--")
    return folder.name if in_cache else None


def refuse_outside(file: Path) -> None:
    """Raise CheckpointError for a link out of its folder, unless it is one of the hub's cache to the cache's own store."""
    place, folder = Path(os.path.realpath(file)), Path(os.path.realpath(file.parent))
    if not any(place.is_relative_to(home) for home in _homes(folder)):
        raise CheckpointError(f"{file} is a link out of its folder, to {place}. Put the file itself into the folder.")


def _homes(folder: Path) -> list[Path]:
    """Where a folder's files may lie: in it, or, for one in the hub's cache, in the blobs of its repository or of all."""
    return [folder, *(folder.parents[n] / "blobs" for n in ((1, 2) if commit_of(folder) else ()))]


def _snapshot(source: str, fetch: bool, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    name, revision = split_revision(source)
    why = ""
    try:
        if not fetch:
            return Path(snapshot_download(name, revision=revision, allow_patterns=patterns, local_files_only=True))
        with hub_or_cache() as why:
            return Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises many kinds, and requests' and httpx's beside
        if not fetch:
            command = f"hf download {name}" + (f" --revision {revision}" if revision else "")
            raise CheckpointError(
                f"{source} is no folder here, and not in the hub's cache on this machine; nothing is fetched for this check. "
                f"Fetch it first ({command}), or give a local folder."
            ) from error
        raise CheckpointError(
            f"{source} is no folder here, and could not be fetched from the hub: {reason_of(error, why)}. "
            "Check the name, the revision and the connection, or give a local folder."
        ) from error
