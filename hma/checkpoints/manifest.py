"""What an exported folder says of itself in recipe.json, and whether it still is what it says; without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hma.errors import ExportError

RECIPE = "recipe.json"

ENDS = ("policy", "reference")
"""Whose tokenizer, chat template and generation settings a merge may have."""

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json", "*.pt", "*.pth", "*.gguf")
"""Files that a loader may take for a model's weights."""

_CHUNK = 1 << 22


def read_recipe(folder: Path) -> dict[str, Any]:
    """The recipe.json of an exported folder. Raises ExportError for a folder that has none, or a broken one."""
    path = folder / RECIPE
    if not folder.is_dir():
        raise ExportError(f"{folder} is not a folder. Give one that `python -m hma export` wrote.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {str(name): (int(entry["size"]), str(entry["sha256"])) for name, entry in content["files"].items()}
    except FileNotFoundError:
        raise ExportError(f"{folder} has no {RECIPE}. Give a folder that `python -m hma export` wrote.") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error}. Give a folder that may be read.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ExportError(
            f"{path} is not as an export writes it, with each file's size and sha256. Export the merge again."
        ) from None
    if any(Path(name).name != name for name in files):
        raise ExportError(f"{path} names a file outside its folder. Export the merge again.")
    refuse_patterns(files)
    return content


def refuse_patterns(names: Iterable[str]) -> None:
    """Raise ExportError for a file's name that the hub's client would take for a pattern of names, and push more than it."""
    for name in sorted(names):
        if any(sign in name for sign in "*?["):
            raise ExportError(
                f"'{name}' cannot be a file of an export: with one of * ? [ in it, the name is a pattern that stands for other "
                "files when it is pushed. Rename the file in the model it comes from, and export the merge again."
            )


def named_files(folder: Path) -> set[str]:
    """The names of all files of an exported folder, recipe.json among them. Raises ExportError as ``read_recipe`` does."""
    return {RECIPE, *read_recipe(folder)["files"]}


def differences(folder: Path) -> list[str]:
    """What in an exported folder is not as its recipe.json says, one sentence each; empty when it is whole."""
    files = read_recipe(folder)["files"]
    found = []
    for name, said in sorted(files.items()):
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing.")
        elif (size := path.stat().st_size) != said["size"]:
            found.append(f"{name} has {size} bytes, expected {said['size']}.")
        elif (sha := sha256(path)) != said["sha256"]:
            found.append(f"{name} has the SHA-256 {sha}, expected {said['sha256']}.")
    extra = {path.name for pattern in _WEIGHTS for path in folder.glob(pattern)} - files.keys()
    return found + [f"{name} is not of this model: {RECIPE} does not name it." for name in sorted(extra)]


def not_whole(folder: Path, found: list[str]) -> ExportError:
    """The error to raise for a folder in which differences were found."""
    return ExportError(f"{folder} is not whole. {' '.join(found)} Export the merge again.")


def sha256(path: Path) -> str:
    """The digest of a file's bytes."""
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()
