"""The folders of a suite's judges: found, hashed and looked at before any model is opened; without torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hma.checkpoints.source import find_folder, is_hub_id
from hma.errors import CheckpointError, SuiteError
from hma.evaluate import sources


def find_judge(source: str, beside: Path, allow: Sequence[str] = ()) -> Path:
    """The folder of a judge, beside a folder or anywhere, or the one in the hub's cache that it is fetched into.

    Raises SuiteError with every place where it was looked for.
    """
    local = beside / Path(source).expanduser()
    try:
        return find_folder(str(local) if local.is_dir() else source, allow=allow)
    except CheckpointError as error:
        raise SuiteError(f"A judge of the suite cannot be opened: {error} Looked for {_looked(source, local)}.") from error


def _looked(source: str, local: Path) -> str:
    """The places where a judge was looked for, in words."""
    places = [f"at {place}" for place in dict.fromkeys((local, Path(source).expanduser().absolute()))]
    if is_hub_id(source):
        from huggingface_hub.constants import HF_HUB_CACHE

        places.append(f"in the hub's cache at {HF_HUB_CACHE}")
    return " and ".join(filter(None, (", ".join(places[:-1]), places[-1])))


def check_labels(folder: Path) -> None:
    """Raise SuiteError for a reward model whose config.json says that it has other than one label, or that has none.

    What the config leaves open is found when the model is opened.
    """
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        named = config.get("id2label")
        labels = config.get("num_labels") if named is None else len(named)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SuiteError(f"The reward model {folder} cannot be opened: its config.json cannot be read ({error}).") from None
    if isinstance(labels, int) and labels != 1:
        kinds = f" ({', '.join(map(str, named.values()))})" if isinstance(named, dict) and labels < 10 else ""
        raise SuiteError(
            f"The reward model {folder} has {labels} labels{kinds}, by its config.json; a reward needs exactly one. "
            "Choose a model that was trained to give one number."
        )


def base_of(ranker: Path) -> str:
    """Where a ranker's base model is by its own config: a folder within the ranker's, or what a hub calls it."""
    try:
        return str(json.loads((ranker / "config.json").read_text(encoding="utf-8"))["model_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SuiteError(
            f"{ranker} holds no ranker: its config.json names no model_name ({error!r}). Expected PairRM's own format."
        ) from None


def hashes(folder: Path) -> list[list[str]]:
    """(name, hash) of a model's files."""
    kinds = (".json", ".safetensors", ".bin", ".model", ".txt", ".jinja")
    return sources.hashes_of(sorted(file for file in folder.iterdir() if file.suffix in kinds and file.is_file()))
