"""Exports as the page offers them: which folders it may write, how large they become, and what lies in them; without torch."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hma import text
from hma.checkpoints.fingerprint import tokenizer_files
from hma.checkpoints.manifest import RECIPE, differences, read_recipe
from hma.checkpoints.pair import open_pair
from hma.checkpoints.plan import planned
from hma.core.partition import Partition
from hma.core.recipe import Recipe, digest
from hma.core.study import Study
from hma.errors import ExportError, HmaError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_LONGEST = 80
"""Letters of a folder's name; beside it a writing has longer ones."""

_SMALL = 150_000
"""About the bytes of config, model card and its picture, and index."""

_MARGIN = 1 << 20
"""Bytes that are to stay free, as the export itself has it: what is told of a size beforehand is close to it, and no bound."""

_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})


def root(default: Path) -> Path:
    """The folder in which pages may make folders: ``HMA_EXPORTS``, else the default."""
    return Path(os.environ.get("HMA_EXPORTS") or default).expanduser().resolve()


def folder_in(allowed: Path, name: str) -> Path:
    """The folder of a name in the allowed one, which it does not leave. Raises ExportError for any other name.

    A name is one folder's: no separators, no way up, no link that leads out.
    """
    wrong = not _NAME.fullmatch(name) or len(name) > _LONGEST or name.endswith(".") or name.split(".")[0].lower() in _DEVICES
    if wrong:
        raise ExportError(
            f"'{name}' cannot be a folder's name here. Use up to {_LONGEST} letters, digits, dots, underscores, plus signs and "
            "dashes, with a letter or digit first and no dot last."
        )
    folder = allowed.resolve() / name
    if folder.is_symlink() or folder.resolve() != folder:
        raise ExportError(f"{folder} is a link, which may lead elsewhere. Choose another name, or remove the link yourself.")
    return folder


def suggested(recipe: Recipe) -> str:
    """A folder's name for a recipe: its words where these say all of it, else with some letters that tell it from others."""
    words = text.recipe_name(recipe).split(" (")[0] if recipe.is_end else text.recipe_name(recipe)
    name = re.sub(r"[^a-z0-9.-]+", "-", words.lower()).strip("-.")
    partition = Partition.equal(recipe.partition.num_layers, recipe.partition.num_blocks)
    says_all = recipe.is_average or recipe.partition == partition
    if says_all and len(name) <= 48 and all(round(alpha, 3) == alpha for alpha in recipe.alphas):
        return name
    return f"{name[:40].rstrip('-.')}-{digest(recipe.identity)[:6]}"


@dataclass(frozen=True)
class Room:
    """About the bytes of a checkpoint, all its files together, and those that are free where it would be written."""

    needed: int
    free: int

    def holds(self, count: int) -> bool:
        """Whether so many checkpoints fit."""
        return self.needed * count + _MARGIN <= self.free


def needed_bytes(study: Study, recipe: Recipe, tokenizer: str = "policy") -> int:
    """About the ``Export.size`` of a merge of a study's pair, from headers alone. Raises CheckpointError for what is none."""
    pair = open_pair(study.reference, study.policy, study.allow)
    end = pair.policy if tokenizer == "policy" else pair.reference
    small = sum(file.stat().st_size for file in tokenizer_files(end.folder)) + _SMALL
    return sum(shard.size for shard in planned(pair, recipe)) + small


def free_bytes(folder: Path) -> int:
    """What is free where a folder is, or would be made."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


@dataclass(frozen=True)
class Export:
    """An exported folder by its recipe.json: the recipe's name, whose tokenizer, and of each file (name, bytes, SHA-256)."""

    folder: Path
    title: str
    tokenizer: str
    files: tuple[tuple[str, int, str], ...]
    written_at: float

    @property
    def size(self) -> int:
        return sum(size for _, size, _ in self.files)

    @property
    def loading(self) -> str:
        """The lines of Python that load it."""
        code = ", trust_remote_code=True" if any(name.endswith(".py") for name, *_ in self.files) else ""
        place = str(self.folder)
        return (
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f'model = AutoModelForCausalLM.from_pretrained({place!r}, dtype="auto"{code})\n'
            f"tokenizer = AutoTokenizer.from_pretrained({place!r}{code})"
        )

    def card(self) -> str:
        """What its model card says, without what it says to the hub alone; empty where there is none."""
        path = self.folder / "README.md"
        try:
            said = path.read_text(encoding="utf-8", errors="replace") if path.is_file() and not path.is_symlink() else ""
        except OSError:
            return ""
        return re.sub(r"\A---\n.*?\n---\n", "", said, count=1, flags=re.DOTALL).strip()


def read(folder: Path) -> Export:
    """An exported folder. Raises ExportError for one that is none."""
    content: dict[str, Any] = read_recipe(folder)
    try:
        title = text.recipe_name(Recipe.from_dict(content))
        tokenizer = str(content.get("tokenizer", "policy"))
    except (KeyError, TypeError, ValueError, HmaError) as error:
        raise ExportError(f"{folder / RECIPE} cannot be read: {error!r}. Export the merge again.") from None
    files = tuple((name, int(said["size"]), str(said["sha256"])) for name, said in sorted(content["files"].items()))
    return Export(folder, title, tokenizer, files, (folder / RECIPE).stat().st_mtime)


def listed(allowed: Path) -> list[Export]:
    """The exports in the allowed folder, newest first; what is none, or a link, is left out."""
    found = []
    for folder in allowed.iterdir() if allowed.is_dir() else ():
        if folder.name.startswith(".") or folder.is_symlink() or not (folder / RECIPE).is_file():
            continue
        try:
            found.append(read(folder))
        except ExportError:
            continue  # The page offers what can be used; `hma verify` says what is wrong with the rest.
    return sorted(found, key=lambda export: export.written_at, reverse=True)


@dataclass(frozen=True)
class Check:
    """A check of an export's files. ``found`` is what is not as it was written: empty for a whole one, None until it is done."""

    export: Export
    found: tuple[str, ...] | None = None

    @property
    def is_over(self) -> bool:
        return self.found is not None

    @property
    def is_whole(self) -> bool:
        return self.found == ()


@dataclass
class Checks:
    """Checks of exported folders, each in a thread, since hashing a large one takes a while. Threads may share it."""

    compare: Callable[[Path], Sequence[str]] = differences
    _of: dict[str, Check] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, export: Export) -> Check | None:
        """The check of an export as it was written; None where it was not asked for, or was written anew since."""
        with self._lock:
            check = self._of.get(str(export.folder))
        return check if check is not None and check.export == export else None

    def start(self, export: Export) -> None:
        """Have an export's files read and compared; one that is being checked already is not begun twice."""
        with self._lock:
            known = self._of.get(str(export.folder))
            if known is not None and known.export == export and not known.is_over:
                return
            self._of[str(export.folder)] = Check(export)
        threading.Thread(target=self._check, args=(export,), name="hma-check", daemon=True).start()

    @property
    def is_busy(self) -> bool:
        with self._lock:
            return any(not check.is_over for check in self._of.values())

    def _check(self, export: Export) -> None:
        try:
            found = tuple(self.compare(export.folder))
        except (HmaError, OSError) as error:
            found = (str(error),)
        with self._lock:
            if self._of[str(export.folder)].export == export:
                self._of[str(export.folder)] = Check(export, found)
