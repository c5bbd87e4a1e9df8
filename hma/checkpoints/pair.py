"""Opening a pair: two folders that match, named by a fingerprint of their contents; from headers, without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hma.checkpoints.adapter import is_adapter, merged_folder, read_adapter
from hma.checkpoints.checks import ADVICE, check_pair, check_settings
from hma.checkpoints.finding import refuse_fatal
from hma.checkpoints.fingerprint import fingerprint, tokenizer_files
from hma.checkpoints.folder import Contents, read_folder
from hma.checkpoints.header import Tensor
from hma.checkpoints.source import CODE, commit_of, find_folder, split_revision
from hma.checkpoints.within import own_code
from hma.core.partition import layer_of
from hma.core.recipe import digest
from hma.errors import CheckpointError


@dataclass(frozen=True)
class Checkpoint:
    """A model folder: config and tensors by name, read from headers.

    ``source`` is what a person named it by, ``place`` where any process can open it again: an absolute folder, or a hub id at
    the commit ``revision``, None for a folder. Of an adapter both name the adapter, and ``folder`` holds the whole model.
    """

    source: str
    place: str
    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    fingerprint: str
    revision: str | None = None

    def files(self) -> list[Path]:
        """Every file that its fingerprint may hang on."""
        beside = {self.folder / "config.json", *tokenizer_files(self.folder), *self.folder.glob("*.py")}
        return sorted({tensor.file for tensor in self.tensors.values()} | beside)

    @property
    def num_layers(self) -> int:
        """Layers numbered in the tensors' names."""
        return 1 + max((n for n in map(layer_of, self.tensors) if n is not None), default=-1)


@dataclass(frozen=True)
class Pair:
    """A reference and a policy with the same tensors, and a fingerprint of their contents.

    ``allow`` is what was allowed to open it; see ``hma.checkpoints.source.ALLOWABLE``.
    """

    reference: Checkpoint
    policy: Checkpoint
    allow: tuple[str, ...] = ()

    @property
    def num_layers(self) -> int:
        return self.policy.num_layers

    def stamps(self) -> list[tuple[str, int, int, int]]:
        """The files it was opened from, each with what changes when it is written. Raises OSError for one that is gone."""
        found = ((file, file.stat()) for end in (self.reference, self.policy) for file in end.files())
        return [(str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns) for file, stat in found]

    @property
    def fingerprint(self) -> str:
        return digest([self.reference.fingerprint, self.policy.fingerprint])


def read_pair(
    reference: str | Path, policy: str | Path, *, fetch: bool = True, allow: Collection[str] = ()
) -> tuple[Contents, Contents]:
    """What the folders or hub ids of a pair hold, each by itself. The policy may be a LoRA adapter of the reference."""
    a = read_folder("reference", reference, fetch=fetch, allow=allow)
    try:
        folder = find_folder(str(policy), fetch=fetch, allow=allow)
    except CheckpointError:
        folder = None  # Reading it says so.
    if folder is not None and is_adapter(folder):
        return a, read_adapter(a, str(policy), folder, allow=allow)
    return a, read_folder("policy", policy, fetch=fetch, allow=allow)


def open_pair(reference: str | Path, policy: str | Path, allow: Collection[str] = ()) -> Pair:
    """The pair in two folders or hub ids. Raises CheckpointError with the first of the preflight's fatal findings.

    A policy that is an adapter is merged into the reference first, or taken from where that was done before.
    """
    a, b = read_pair(reference, policy, allow=allow)
    refuse_fatal([*a.findings, *b.findings])
    refuse_fatal(check_pair(a, b))
    if b.adapter is not None:
        whole = read_folder("policy", merged_folder(a, b, allow), allow=allow)
        refuse_fatal([*whole.findings, *check_pair(a, whole)])
        b = replace(whole, source=b.source, adapter=b.adapter)
    pair = Pair(_checkpoint(a, allow), _checkpoint(b, allow), tuple(sorted(allow)))
    if pair.reference.fingerprint == pair.policy.fingerprint:
        raise CheckpointError(
            f"{a.source} and {b.source} hold the same model, so there is nothing between them to average. {ADVICE}"
        )
    return pair


def check_configs(reference: dict[str, Any], policy: dict[str, Any]) -> None:
    """Raise CheckpointError when a setting that both configs have differs: the same weights would compute differently."""
    refuse_fatal(check_settings(reference, policy))


def open_checkpoint(source: str | Path) -> Checkpoint:
    """The checkpoint in a folder, or in a hub repository (``name/repository``), checked by its headers."""
    contents = read_folder("checkpoint", source)
    refuse_fatal(contents.findings)
    return _checkpoint(contents)


def _checkpoint(contents: Contents, allow: Collection[str] = ()) -> Checkpoint:
    folder, config, tensors = contents.folder, contents.config, contents.tensors
    assert folder is not None
    home = contents.adapter or folder
    revision = None if Path(contents.source).expanduser().is_dir() else commit_of(home)
    place = f"{split_revision(contents.source)[0]}@{revision}" if revision else str(home)
    found = fingerprint(folder, config, tensors)
    if CODE in allow and own_code(folder, config):
        # What it computes hangs on its code then, too.
        found = digest([found, {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.glob("*.py"))}])
    return Checkpoint(contents.source, place, folder, config, tensors, found, revision)
