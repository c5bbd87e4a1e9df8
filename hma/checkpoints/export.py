"""Writing a merged checkpoint from disk to disk: a complete model folder that says how to make it again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hma.checkpoints.fingerprint import tokenizer_files
from hma.checkpoints.manifest import ENDS, RECIPE, refuse_patterns
from hma.checkpoints.pair import Checkpoint, Pair
from hma.checkpoints.place import placed
from hma.checkpoints.plan import INDEX, Shard, index_of, planned
from hma.checkpoints.precision import EffectiveAlpha
from hma.checkpoints.resident import held_bytes, without
from hma.checkpoints.source import CODE, refuse_outside
from hma.checkpoints.stream import Written, write_shards
from hma.checkpoints.within import own_code
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.errors import ExportError

if TYPE_CHECKING:
    from hma.checkpoints.live import LiveModel

CARD = "README.md"

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")

_MARGIN = 1 << 20
"""Bytes kept free for the small files."""


@dataclass(frozen=True)
class Merged:
    """A merge as it was written: what was asked, and what the rounding left of alpha in each block.

    ``effective`` is None in a block where both ends hold the same weights. ``tokenizer`` is the one of ``ENDS`` that
    tokenizer, chat template and generation settings are of.
    """

    pair: Pair
    recipe: Recipe
    effective: tuple[float | None, ...]
    tokenizer: str = "policy"

    @property
    def has_code(self) -> bool:
        """Whether the model is run by Python files of its own."""
        return bool(_code(self.pair))


@dataclass(frozen=True)
class Exported:
    """An export that is done: its folder, its files by name, and the seconds it took."""

    folder: Path
    merge: Merged
    files: dict[str, Written]
    seconds: float

    @property
    def size(self) -> int:
        """Bytes of all files that recipe.json names."""
        return sum(file.size for file in self.files.values())


def export(
    pair: Pair,
    recipe: Recipe,
    folder: str | Path,
    *,
    card: Callable[[Merged], Mapping[str, bytes]] = lambda merge: {},
    tokenizer: str = "policy",
    replace: bool = False,
    live: LiveModel | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Exported:
    """Write the recipe's merge into a new folder, and return what was written.

    The weights are those of ``LiveModel.write`` bit for bit. ``card`` makes README.md and what it shows, by name;
    ``tokenizer`` is one of ``ENDS``; ``live`` is the pair's live model, if there is one: the merge is written into it, and
    taken from it, instead of reading both ends again. ``progress`` is given the bytes done and their sum, and may raise
    to stop. The folder is there whole or not at all. Raises ExportError for a folder that cannot be written,
    CheckpointError for weights that cannot be merged, and for other files that are links out of their folder.
    """
    if tokenizer not in ENDS:
        raise ValueError(f"tokenizer is {tokenizer!r}, must be one of {', '.join(ENDS)}")
    started = time.perf_counter()
    precision = recipe.precision
    folder = Path(folder).expanduser().resolve()
    for end in (pair.reference, pair.policy):
        if folder in (end.folder.resolve(), *end.folder.resolve().parents):
            raise ExportError(f"{folder} holds {end.source}, which the export reads. Choose another --out.")
    if tokenizer == "reference" and not any((pair.reference.folder / name).is_file() for name in _TOKENIZERS):
        raise ExportError(f"{pair.reference.source} has no tokenizer. Choose the policy's: --tokenizer policy.")
    shards = planned(pair, recipe)
    copied = [*_copied(pair.policy if tokenizer == "policy" else pair.reference), *_code(pair)]
    for path in (*copied, pair.policy.folder / "config.json"):
        refuse_outside(path)
    refuse_patterns([*(path.name for path in copied), *(shard.file for shard in shards)])
    needed = sum(s.size for s in shards) + sum(p.stat().st_size for p in copied) + _MARGIN
    with placed(folder, needed, replace=replace) as part:
        files, found = _written(shards, part, recipe, live, progress)
        merge = Merged(pair, recipe, tuple(map(_stated, found)), tokenizer)
        texts = {path.name: path.read_bytes() for path in copied}
        texts["config.json"] = _config(pair.policy, precision)
        if len(shards) > 1 or shards[0].file != "model.safetensors":
            texts[INDEX] = index_of(shards).encode()
        texts |= card(merge)
        files |= {name: _write(part / name, content) for name, content in texts.items()}
        _write(part / RECIPE, (json.dumps(_recipe(merge, files), indent=2) + "\n").encode())
    return Exported(folder, merge, files, time.perf_counter() - started)


def _written(
    shards: list[Shard], part: Path, recipe: Recipe, live: LiveModel | None, progress: Callable[[int, int], None]
) -> tuple[dict[str, Written], list[EffectiveAlpha]]:
    """The weight files, from the live model as far as it has them, and what is left of alpha in each block."""
    done, total = 0, sum(merge.size for shard in shards for merge in shard.merges)

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    held = {}
    if live is not None:
        live.write(recipe)
        held = held_bytes(live.model, shards, recipe.partition)
    files, found = write_shards(without(shards, held), part, recipe.partition.num_blocks, recipe.precision, advance, held)
    if live is not None and held:
        found = [rest + known for rest, known in zip(found, live.effective(recipe), strict=True)]
    return files, found


def _stated(found: EffectiveAlpha) -> float | None:
    """To four decimals: what sums in float32 support, in whatever order a device adds them up."""
    return None if found.value is None else round(found.value, 4) + 0.0  # Never -0.0.


def versions() -> dict[str, str | None]:
    """The versions of what the weights' bits depend on; None for what is not installed as a package."""
    return {name: _version(name) for name in ("hma", "torch", "transformers", "safetensors")}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _copied(end: Checkpoint) -> list[Path]:
    """An end's tokenizer files, chat template and generation settings."""
    found = tokenizer_files(end.folder)
    return [path for path in found if not path.name.startswith((".", CARD)) and path.suffix != ".safetensors"]


def _code(pair: Pair) -> list[Path]:
    """The policy's own Python files, where they were allowed and are what its config names: the model is none without."""
    policy = pair.policy
    return sorted(policy.folder.glob("*.py")) if CODE in pair.allow and own_code(policy.folder, policy.config) else []


def _config(policy: Checkpoint, precision: Precision) -> bytes:
    """The policy's config, as it stands unless another dtype is written."""
    content = (policy.folder / "config.json").read_bytes()
    if precision.dtype is None:
        return content
    config = json.loads(content)
    if "dtype" not in config and "torch_dtype" not in config:
        config["dtype"] = precision.dtype
    return (json.dumps(_with_dtype(config, precision.dtype), indent=2, ensure_ascii=False) + "\n").encode()


def _with_dtype(config: dict[str, Any], dtype: str) -> dict[str, Any]:
    """The config, and every config within it, with the dtype wherever it names one."""
    return {
        name: dtype if name in ("dtype", "torch_dtype") else _with_dtype(value, dtype) if isinstance(value, dict) else value
        for name, value in config.items()
    }


def _recipe(merge: Merged, files: dict[str, Written]) -> dict[str, Any]:
    pair = merge.pair
    return {
        **merge.recipe.to_dict(),
        "effective_alphas": list(merge.effective),
        "precision": merge.recipe.precision.to_dict(),
        "pair": pair.fingerprint,
        "reference": _origin(pair.reference),
        "policy": _origin(pair.policy),
        "tokenizer": merge.tokenizer,
        "versions": versions(),
        "files": {name: {"size": files[name].size, "sha256": files[name].sha256} for name in sorted(files)},
    }


def _origin(end: Checkpoint) -> dict[str, Any]:
    revision = {"revision": end.revision} if end.revision else {}
    return {"source": end.source, "fingerprint": end.fingerprint, **revision}


def _write(path: Path, content: bytes) -> Written:
    """Write a small file through to the disk."""
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return Written(len(content), hashlib.sha256(content).hexdigest())
