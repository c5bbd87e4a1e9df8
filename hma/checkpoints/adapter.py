"""A LoRA adapter as the policy: checked by headers against its model, and merged into it once, by PEFT."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import os
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hma.checkpoints.finding import Finding, name_of, others, value_of
from hma.checkpoints.fingerprint import fingerprint, tokenizer_files
from hma.checkpoints.folder import ADAPTER, Contents, read_folder
from hma.checkpoints.header import Tensor, is_file, read_header, read_json
from hma.checkpoints.pickled import headers
from hma.checkpoints.place import placed
from hma.checkpoints.source import BIN, is_hub_id, split_revision
from hma.checkpoints.vocabulary import has_tokenizer
from hma.core.recipe import digest
from hma.errors import CheckpointError, ExportError

_SAFETENSORS, _PICKLED = "adapter_model.safetensors", "adapter_model.bin"
_OF_MODEL = re.compile(r"^base_model\.model\.")
_MATRIX = re.compile(r"\.lora_([AB])\.weight$")

_ROOT = Path(__file__).resolve().parents[2]


def is_adapter(folder: Path | None) -> bool:
    """Whether a folder holds an adapter."""
    return folder is not None and is_file(folder / ADAPTER)


def read_adapter(reference: Contents, source: str, folder: Path, allow: Collection[str] = ()) -> Contents:
    """The policy that an adapter makes of the reference, as far as headers say it: the reference's config and tensors.

    Its tokenizer is the adapter's own where it has one, else the reference's.
    """
    try:
        config = read_json(folder / ADAPTER)
        tensors = _tensors(folder, allow)
    except CheckpointError as error:
        return Contents("policy", source, folder, findings=(Finding("fatal", "policy adapter", str(error)),))
    findings = [*_kind(folder, config), *_against(reference, folder, tensors), *_base(reference, folder, config, allow)]
    if not any(f.level == "fatal" for f in findings):
        size = sum(t.end - t.start for t in tensors.values())
        message = (
            f"{folder} is a LoRA adapter of rank {value_of(config.get('r'))} with {size:,} bytes. PEFT merges it into the "
            f"reference once, and the result is kept in {cache()}."
        )
        findings.append(Finding("note", "policy adapter", message))
    home = folder if has_tokenizer(folder) else reference.folder
    return Contents("policy", source, home, reference.config, reference.tensors, tuple(findings), adapter=folder)


def merged_folder(reference: Contents, policy: Contents, allow: Collection[str] = ()) -> Path:
    """The whole model that an adapter makes of the reference, as a folder of the cache; made when it is not there yet.

    Raises CheckpointError when PEFT cannot merge it.
    """
    adapter = policy.adapter
    assert adapter is not None and reference.folder is not None
    target = cache() / "adapters" / _name(reference, adapter)
    if not target.is_dir():
        logging.getLogger("hma").info("Merging the adapter %s into %s, once …", adapter, reference.source)
        needed = (reference.num_bytes or 0) + (1 << 26)
        try:
            with placed(target, needed, option="HMA_CACHE") as part:
                _merge(reference.folder, adapter, part, allow)
        except ExportError as error:
            if not target.is_dir():  # Else another process made it meanwhile.
                raise CheckpointError(str(error)) from None
    return target


def cache() -> Path:
    """Where merged adapters are kept: ``HMA_CACHE``, else ``~/.cache/hma``."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HMA_CACHE") or Path(home) / "hma").expanduser()


def _merge(reference: Path, adapter: Path, out: Path, allow: Collection[str]) -> None:
    command = [sys.executable, "-m", "hma.checkpoints.adapt", str(reference), str(adapter), str(out), *allow]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=_ROOT, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CheckpointError(
            f"{adapter} cannot be merged into {reference}: {name_of(last)}. Merge it yourself with PEFT's merge_and_unload, "
            "save the model, and give that folder."
        )


def _name(reference: Contents, adapter: Path) -> str:
    """A name for what the merge depends on."""
    assert reference.folder is not None
    files = [adapter / ADAPTER, *(adapter / n for n in (_SAFETENSORS, _PICKLED) if is_file(adapter / n))]
    files += tokenizer_files(adapter)
    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    versions = [importlib.metadata.version(name) for name in ("peft", "transformers", "torch")]
    return digest([fingerprint(reference.folder, reference.config, reference.tensors), hashes, versions])


def _tensors(folder: Path, allow: Collection[str]) -> dict[str, Tensor]:
    if is_file(folder / _SAFETENSORS):
        return read_header(folder / _SAFETENSORS)
    if not is_file(folder / _PICKLED):
        raise CheckpointError(f"{folder} has no {_SAFETENSORS}. Fetch or save the adapter again.")
    if BIN not in allow:
        raise CheckpointError(
            f"{folder} has its weights in {_PICKLED}. Save the adapter with safetensors, or read it as it is with --allow bin."
        )
    (held,) = headers([folder / _PICKLED])
    if isinstance(held, CheckpointError):
        raise held
    return held


def _kind(folder: Path, config: dict[str, Any]) -> list[Finding]:
    """A fatal finding for an adapter that is not merged here."""
    foreign = [name for name in ("megatron_config", "arrow_config") if config.get(name)]
    if config.get("peft_type") == "LORA" and not foreign:
        return []
    kind = name_of(foreign[0] if foreign else config.get("peft_type"))
    message = (
        f"{folder} is an adapter of the kind {kind}, and only LoRA is merged. Merge it yourself with PEFT's merge_and_unload, "
        "save the model, and give that folder."
    )
    return [Finding("fatal", "policy adapter", message)]


def _against(reference: Contents, folder: Path, tensors: dict[str, Tensor]) -> list[Finding]:
    """Whether the adapter's matrices fit the reference's weights."""
    if not reference.tensors:
        return []
    pairs: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in tensors.items():
        if found := _MATRIX.search(name):
            module = _OF_MODEL.sub("", name[: found.start()])
            pairs.setdefault(module, {})[found[1]] = tensor.shape
    unknown = []
    for module, shapes in sorted(pairs.items()):
        weight = _weight(reference, module)
        if weight is None:
            unknown.append(module)
        elif not _fits(shapes, weight.shape):
            said = " and ".join(f"{k} {value_of(shape)}" for k, shape in sorted(shapes.items()))
            message = (
                f"{name_of(module)} is {value_of(weight.shape)} in the reference, and the adapter's matrices for it are {said}. "
                "Give the model that the adapter was trained on as the reference."
            )
            return [Finding("fatal", "policy adapter", message)]
    if not unknown:
        return []
    message = (
        f"{folder} changes {name_of(unknown[0])}{others(len(unknown) - 1, 'module')}, which the reference has no weight for by "
        "that name."
    )
    if len(unknown) == len(pairs):
        return [Finding("fatal", "policy adapter", f"{message} Give the model that the adapter was trained on as the reference.")]
    return [Finding("warning", "policy adapter", f"{message} PEFT will tell when it merges.")]


def _fits(shapes: dict[str, tuple[int, ...]], weight: tuple[int, ...]) -> bool:
    """Whether both matrices are there, as (rank, in) and (out, rank), and their product has the weight's shape or its turn."""
    if shapes.keys() != {"A", "B"} or any(len(shape) < 2 for shape in (*shapes.values(), weight)):
        return False
    return {shapes["A"][-1], shapes["B"][0]} == set(weight[:2])


def _weight(reference: Contents, module: str) -> Tensor | None:
    """The weight of a module; a checkpoint may leave out, or add, the name of the model around it."""
    name = f"{module}.weight"
    if name in reference.tensors:
        return reference.tensors[name]
    near = (n for n in reference.tensors if n.endswith(f".{name}") or name.endswith(f".{n}"))
    return next((reference.tensors[n] for n in near), None)


def _base(reference: Contents, folder: Path, config: dict[str, Any], allow: Collection[str]) -> list[Finding]:
    """Whether the adapter says that it was trained on the reference: fatal where that is known to be another model."""
    base = config.get("base_model_name_or_path")
    if not isinstance(base, str) or not base or reference.folder is None:
        return [Finding("note", "policy adapter", f"{folder} does not say which model it was trained on.")]
    shown, advice = name_of(base), f"Give {name_of(base)} as the reference."
    path = os.path.expanduser(base)  # noqa: PTH111 (pathlib's own raises for a home or a name that cannot be)
    is_here = os.path.isdir(path)  # noqa: PTH112
    if is_here and Path(path).resolve() != reference.folder:
        trained_on = read_folder("reference", path, fetch=False, allow=allow)
        if trained_on.is_fatal or reference.is_fatal or _fingerprint(trained_on) == _fingerprint(reference):
            return []
        message = f"The adapter was trained on {shown}, which holds other weights than {reference.source}. {advice}"
        return [Finding("fatal", "policy adapter", message)]
    name, revision = split_revision(reference.source)
    trained_at = config.get("revision") or None
    if is_here or (name == base and trained_at in (None, revision)):
        return []
    wanted = f"{shown} at revision {name_of(trained_at)}" if trained_at and is_hub_id(base) else shown
    message = f"The adapter was trained on {wanted}, and the reference is {reference.source}. See that they are the same model."
    return [Finding("warning", "policy adapter", message)]


def _fingerprint(contents: Contents) -> str:
    assert contents.folder is not None
    return fingerprint(contents.folder, contents.config, contents.tensors)
