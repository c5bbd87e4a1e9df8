"""How long a merged checkpoint takes to write, against plain copies of the same bytes, and how much memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from hma.errors import ExportError

_CHUNK = 1 << 20
"""Bytes of a piece of a plain copy. Pieces of 4 MB made the same copy slower, and the comparison easier."""

_HIDDEN, _INNER, _WORDS = 1024, 2816, 32000
_SHARD = 256 << 20


def export(
    megabytes: Annotated[int, typer.Option(help="Size of each checkpoint of the smaller pair.", min=1)] = 512,
    runs: Annotated[int, typer.Option(help="Times that each is done.", min=1)] = 3,
    alphas: Annotated[str, typer.Option(help="Share of the reference per block.")] = "0.2,0.3,0.4",
    folder: Annotated[Path | None, typer.Option(help="Where to write.", show_default="the folder of temporary files")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """A merged bfloat16 checkpoint from disk to disk, against reading both ends and writing as many bytes, in turns.

    Once with both ends on the disk alone, as pairs are that no memory holds, and once with both in the memory that the
    system keeps of files. Both with fsync; the merge also hashes what it writes, which alone takes as long as is printed:
    no export on these cores is faster. Time is that of the export, after torch is imported and the pair opened and checked.
    Memory is the peak of its process, which imports torch, also for a pair twice as large.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        pair = _pair(Path(name) / "small", megabytes)
        found = {"from_disk": _timed(pair, alphas, runs, True), "from_memory": _timed(pair, alphas, runs, False)}
        shutil.rmtree(Path(name) / "small")
        found["twice_as_large"] = _timed(_pair(Path(name) / "large", 2 * megabytes), alphas, 1, True)
    found["torch_alone_megabytes"] = _peak([sys.executable, "-c", "import torch"])[1]
    found["target"] = {"ratio": 1.3, "megabytes": 400}
    if as_json:
        print(json.dumps(found))
    else:
        _print(found)


def _timed(pair: tuple[Path, Path], alphas: str, runs: int, cold: bool) -> dict[str, Any]:
    """Seconds of exports and copies in turns, their ratio, and the largest peak of memory in megabytes.

    Where ``cold``, the system is made to forget both ends before each.
    """
    out = pair[0].parent / "out"
    command = [sys.executable, "-m", "hma", "export", "--json", "--alphas", alphas, "--out", str(out)]
    command += ["--reference", str(pair[0]), "--policy", str(pair[1])]
    copies, exports, peaks, size = [], [], [], 0
    for run in range(-1, runs):  # The first brings the files, and the program, into memory.
        _forget(pair, cold)
        copied = _copied(pair, out.with_name("copy"))
        _forget(pair, cold)
        printed, peak = _peak(command)
        done = json.loads(printed)
        size = done["size"]
        shutil.rmtree(out)
        if run >= 0:
            copies.append(copied)
            exports.append(done["seconds"])
            peaks.append(peak)
    return {
        "megabytes": size / 1e6,
        "sha256_seconds": _hashed(size, 1),
        "sha256_seconds_on_all_cores": _hashed(size, os.cpu_count() or 1),
        "copy_seconds": statistics.median(copies),
        "export_seconds": statistics.median(exports),
        "ratio": statistics.median(e / c for e, c in zip(exports, copies, strict=True)),
        "ratios": [e / c for e, c in zip(exports, copies, strict=True)],
        "peak_megabytes": max(peaks),
    }


def _forget(pair: tuple[Path, Path], cold: bool) -> None:
    """Have the system drop what it keeps of both ends in memory, where it can be asked to."""
    if not cold or not hasattr(os, "posix_fadvise"):
        return
    for file in (file for folder in pair for file in folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _copied(pair: tuple[Path, Path], target: Path) -> float:
    """Seconds to read both ends whole and to write the policy's bytes, file by file, with fsync."""
    room = memoryview(bytearray(_CHUNK))
    started = time.perf_counter()
    target.mkdir()
    for source in sorted(pair[0].glob("*.safetensors")):
        with source.open("rb", buffering=0) as stream:
            while stream.readinto(room):
                pass
    for source in sorted(pair[1].glob("*.safetensors")):
        with source.open("rb", buffering=0) as stream, (target / source.name).open("wb", buffering=0) as copy:
            while count := stream.readinto(room):
                copy.write(room[:count])
            os.fsync(copy.fileno())
    seconds = time.perf_counter() - started
    shutil.rmtree(target)
    return seconds


def _hashed(size: int, cores: int) -> float:
    """Seconds that SHA-256 alone takes over so many bytes, in as many files of one size as there are cores."""
    room = bytes(_CHUNK)

    def digest(_: int) -> None:
        hasher = hashlib.sha256()
        for _ in range(size // cores // _CHUNK):
            hasher.update(room)

    started = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(digest, range(cores)))
    return time.perf_counter() - started


def _peak(command: list[str]) -> tuple[str, float]:
    """What a process printed, and the most memory it held, in megabytes."""
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    with running.stdout as stream:
        printed = stream.read()
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise ExportError(f"`{' '.join(command)}` ended with {running.returncode}.")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return printed, kilobytes * 1024 / 1e6


def _pair(folder: Path, megabytes: int) -> tuple[Path, Path]:
    """Two checkpoints with the shapes of a Llama, of about so many megabytes, in shards, with a tokenizer's file."""
    draw = np.random.default_rng(0)
    reference = (0.02 * draw.standard_normal(1 << 22, dtype=np.float32)).view(np.uint32) >> 16
    moved = reference + draw.integers(-8, 9, len(reference), dtype=np.int64).astype(np.uint32)
    for name, content in (("reference", reference), ("policy", moved)):
        _checkpoint(folder / name, megabytes, content.astype("<u2"))
    return folder / "reference", folder / "policy"


def _checkpoint(folder: Path, megabytes: int, content: np.ndarray) -> None:
    """The tensors are filled with ``content`` again and again."""
    folder.mkdir(parents=True)
    shapes = _shapes(megabytes)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16", "hidden_size": _HIDDEN}
    config |= {"num_hidden_layers": sum("q_proj" in name for name in shapes), "vocab_size": _WORDS, "tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordLevel", "vocab": {}}}))
    shards: list[dict[str, tuple[int, ...]]] = [{}]
    for name, shape in shapes.items():
        if sum(2 * int(np.prod(s)) for s in shards[-1].values()) > _SHARD:
            shards.append({})
        shards[-1][name] = shape
    files = {f"model-{n + 1:05}-of-{len(shards):05}.safetensors": shard for n, shard in enumerate(shards)}
    for file, shard in files.items():
        _safetensors(folder / file, shard, content)
    index = {"metadata": {}, "weight_map": {name: file for file, shard in files.items() for name in shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _shapes(megabytes: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (_WORDS, _HIDDEN)}
    layer = {f"self_attn.{n}_proj.weight": (_HIDDEN, _HIDDEN) for n in "qkvo"}
    layer |= {"mlp.gate_proj.weight": (_INNER, _HIDDEN), "mlp.up_proj.weight": (_INNER, _HIDDEN)}
    layer |= {"mlp.down_proj.weight": (_HIDDEN, _INNER), "input_layernorm.weight": (_HIDDEN,)}
    layer |= {"post_attention_layernorm.weight": (_HIDDEN,)}
    layer_bytes = sum(2 * int(np.prod(shape)) for shape in layer.values())
    layers = max(3, round((megabytes * 1e6 - 4 * _WORDS * _HIDDEN) / layer_bytes))
    shapes |= {f"model.layers.{n}.{name}": shape for n in range(layers) for name, shape in layer.items()}
    return shapes | {"model.norm.weight": (_HIDDEN,), "lm_head.weight": (_WORDS, _HIDDEN)}


def _safetensors(path: Path, shapes: dict[str, tuple[int, ...]], content: np.ndarray) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        while place:
            stream.write(content[: place // 2].data)
            place -= min(place, content.nbytes)


def _print(found: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for name in ("from_disk", "from_memory", "twice_as_large"):
        timed, place = found[name], "from memory" if name == "from_memory" else "from disk"
        console.print(
            f"{timed['megabytes']:.0f} MB {place}: export {timed['export_seconds']:.2f} s, "
            f"plain copies {timed['copy_seconds']:.2f} s, "
            f"ratio {timed['ratio']:.2f} (each run: {', '.join(f'{r:.2f}' for r in timed['ratios'])}), "
            f"peak memory {timed['peak_megabytes']:.0f} MB. SHA-256 alone over these bytes: "
            f"{timed['sha256_seconds']:.2f} s on one core, {timed['sha256_seconds_on_all_cores']:.2f} s on all, a ratio of "
            f"{timed['sha256_seconds_on_all_cores'] / timed['copy_seconds']:.2f} that no export is below."
        )
    console.print(
        f"Importing torch alone takes {found['torch_alone_megabytes']:.0f} MB. Wanted: a ratio of at most "
        f"{found['target']['ratio']}, at most {found['target']['megabytes']} MB. {os.cpu_count()} cores."
    )
