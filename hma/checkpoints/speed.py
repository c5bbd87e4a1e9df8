"""How fast merges are written in place on a device, against plain copies."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from hma.checkpoints.live import device_name, find_device
from hma.checkpoints.weights import LiveWeights
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import HmaError

_7B = {"hidden": 4096, "inner": 11008, "words": 32000, "layers": 32}
"""The shape of a Llama of 7 billion parameters; a smaller one has fewer layers."""


def merge_speed(megabytes: int, runs: int, device: str | None = None) -> dict[str, Any]:
    """Gigabytes that merges and copies move a second, in turns, and the ratio of the two; seconds of one block of three.

    The tensors are random, in bfloat16 and of a 7B's shapes, about ``megabytes`` for each checkpoint.
    """
    chosen = torch.device(device) if device else find_device()
    shapes = _shapes(megabytes)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise HmaError("There is no CUDA device here. Leave --device out, or choose cpu.")
    made = [[torch.randn(shape, device=chosen, dtype=torch.bfloat16) for shape in shapes.values()] for _ in range(3)]
    live, reference, policy = made
    parameters = [torch.nn.Parameter(tensor, requires_grad=False) for tensor in live]
    layers = 1 + max(int(name.split(".")[2]) for name in shapes if ".layers." in name)
    weights = LiveWeights(layers, zip(shapes, parameters, reference, policy, strict=True))
    partition = Partition.equal(layers)
    size = sum(tensor.numel() for tensor in live) * 2

    def timed(work: Callable[[], Any]) -> float:
        _wait(chosen)
        started = time.perf_counter()
        work()
        _wait(chosen)
        return time.perf_counter() - started

    copies, merges, blocks = [], [], []
    for run in range(-1, runs):  # The first touches all memory.
        copied = timed(lambda: [to.copy_(of) for to, of in zip(live, policy, strict=True)])
        alphas = tuple(0.2 + 0.001 * (run + 2) * (k + 1) for k in range(partition.num_blocks))
        merged = timed(partial(weights.write, Recipe(partition, alphas)))
        block = timed(partial(weights.write, Recipe(partition, (alphas[0], 0.9 - 0.001 * run, *alphas[2:]))))
        if run >= 0:
            copies.append(copied)
            merges.append(merged)
            blocks.append(block)
    ratios = [(3 / m) / (2 / c) for m, c in zip(merges, copies, strict=True)]
    return {
        "device": device_name(chosen),
        "gigabytes": size / 1e9,
        "copy_rate": 2 * size / 1e9 / statistics.median(copies),
        "merge_rate": 3 * size / 1e9 / statistics.median(merges),
        "merge_seconds": statistics.median(merges),
        "block_seconds": statistics.median(blocks),
        "block_share": statistics.median(b / m for b, m in zip(blocks, merges, strict=True)),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


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
