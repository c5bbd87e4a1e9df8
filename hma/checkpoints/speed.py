"""How fast merges are written in place on a device, in each way of holding the ends, against plain copies."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from hma.checkpoints.hold import Hold
from hma.checkpoints.live import device_name, find_device
from hma.checkpoints.weights import LiveWeights
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import HmaError

_7B = {"hidden": 4096, "inner": 11008, "words": 32000, "layers": 32}
"""The shape of a Llama of 7 billion parameters; a smaller one has fewer layers."""

_POOL = 1 << 22
"""Elements that are drawn at random; the tensors repeat them."""


def merge_speed(
    megabytes: int, runs: int, device: str | None = None, hold: Hold = "dense", changed: float = 0.2
) -> dict[str, Any]:
    """Gigabytes that merges and copies move a second, in turns, and the ratio of the two; seconds of one block of three.

    The tensors are random, in bfloat16 and of a 7B's shapes, about ``megabytes`` for each checkpoint; ``changed``
    is the share of elements in which both ends differ. A merge counts as two checkpoints read and one
    written, however its ends are held: a way that moves fewer bytes counts as the faster. Seconds are medians.
    """
    chosen = _device(device)
    shapes = _shapes(megabytes)
    live, other = ({n: torch.empty(s, device=chosen, dtype=torch.bfloat16) for n, s in shapes.items()} for _ in range(2))
    parameters = {name: torch.nn.Parameter(live.pop(name), requires_grad=False) for name in shapes}
    layers = 1 + max(int(name.split(".")[2]) for name in shapes if ".layers." in name)
    weights = LiveWeights(layers, _ends(parameters, chosen, changed), hold)
    partition = Partition.equal(layers)
    size = sum(parameter.nbytes for parameter in parameters.values())
    seconds = partial(_seconds, chosen)
    copies, merges, blocks = [], [], []
    for run in range(runs + 1):
        alphas = tuple(0.2 + 0.001 * (run + 1) * (k + 1) for k in range(partition.num_blocks))
        copies.append(seconds(lambda: [to.copy_(parameters[name].data) for name, to in other.items()]))
        merges.append(seconds(lambda a=alphas: weights.write(Recipe(partition, a))))
        one = Recipe(partition, (alphas[0], 0.9 - 0.001 * run, *alphas[2:]))
        blocks.append(seconds(lambda r=one: weights.write(r)))
    effective = seconds(lambda: weights.effective_alphas(one))
    copies, merges, blocks = copies[1:], merges[1:], blocks[1:]  # The first touches all memory.
    ratios = [(3 / m) / (2 / c) for m, c in zip(merges, copies, strict=True)]
    return {
        "device": device_name(chosen),
        "hold": hold,
        "changed": changed,
        "gigabytes": size / 1e9,
        "held_gigabytes": weights.held_bytes / 1e9,
        "copy_rate": 2 * size / 1e9 / statistics.median(copies),
        "merge_rate": 3 * size / 1e9 / statistics.median(merges),
        "merge_seconds": statistics.median(merges),
        "block_seconds": statistics.median(blocks),
        "block_share": statistics.median(b / m for b, m in zip(blocks, merges, strict=True)),
        "effective_seconds": effective,
        "bus_rate": _bus_rate(chosen) if hold == "host" and chosen.type == "cuda" else None,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def _device(asked: str | None) -> torch.device:
    chosen = torch.device(asked) if asked else find_device()
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise HmaError("There is no CUDA device here. Leave --device out, or choose cpu.")
    return chosen


def _seconds(device: torch.device, work: Callable[[], Any]) -> float:
    """From an idle device to an idle device."""
    _wait(device)
    started = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _bus_rate(device: torch.device) -> float:
    """Gigabytes a second from locked host memory to the device, in plain copies: what ends in host memory cannot pass."""
    there, here = torch.empty(1 << 30, dtype=torch.uint8, pin_memory=True), torch.empty(1 << 30, dtype=torch.uint8, device=device)
    times = [_seconds(device, lambda: here.copy_(there, non_blocking=True)) for _ in range(4)]
    return here.nbytes / 1e9 / statistics.median(times[1:])


def _ends(
    parameters: dict[str, torch.nn.Parameter], device: torch.device, changed: float
) -> Iterator[tuple[str, torch.nn.Parameter, torch.Tensor, torch.Tensor]]:
    """Ends one unit in the last place apart, in a share of their elements."""
    generator = torch.Generator().manual_seed(0)
    policy = torch.randn(_POOL, generator=generator).to(torch.bfloat16)
    moved = policy.view(torch.int16) + (torch.rand(_POOL, generator=generator) < changed).to(torch.int16)
    pools = moved.view(torch.bfloat16).to(device), policy.to(device)
    for name, parameter in parameters.items():
        reference, policy = (_repeated(pool, parameter) for pool in pools)
        yield name, parameter, reference, policy


def _repeated(pool: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    made = torch.empty_like(like.data)
    for piece in made.view(-1).split(len(pool)):
        piece.copy_(pool[: len(piece)])
    return made


def _shapes(megabytes: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a 7B's tensors, with as many layers as fit, but at least three."""
    hidden, inner, words = _7B["hidden"], _7B["inner"], _7B["words"]
    layer = {
        **{f"self_attn.{part}_proj": (hidden, hidden) for part in "qkvo"},
        **{f"mlp.{part}_proj": (inner, hidden) for part in ("gate", "up")},
        "mlp.down_proj": (hidden, inner),
        "input_layernorm": (hidden,),
        "post_attention_layernorm": (hidden,),
    }
    ends = {"model.embed_tokens.weight": (words, hidden), "model.norm.weight": (hidden,), "lm_head.weight": (words, hidden)}
    size = 2 * (4 * hidden * hidden + 3 * inner * hidden)
    layers = max(3, min(_7B["layers"], round((megabytes * 1e6 - 4 * words * hidden) / size)))
    return ends | {f"model.layers.{k}.{part}.weight": shape for k in range(layers) for part, shape in layer.items()}
