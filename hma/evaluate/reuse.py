"""What it would save to keep the hidden states at a block's lower end, and to compute only what lies above the first change.

A measurement, not a way of measuring: ``hma bench reuse`` prints what comes of it, docs/measuring.md what was decided.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from hma.evaluate.evaluator import Evaluator
from hma.evaluate.suite import Suite
from hma.threads import one_thread

LIKELIHOOD, PROMPTS, STEPS = "likelihood", "prompts", "steps"
"""What a forward pass is for: a likelihood task, the prompts of answers, or what goes on from these.

New tokens differ from model to model, so that nothing of their passes can be kept. The continuations of a likelihood task
could, where they go on from a shared prefix, but are not looked at: the shipped suite has none.
"""


@dataclass(frozen=True)
class Call:
    """A forward pass that a point was made of: what it was for, what it took, and how the model was called."""

    kind: str
    seconds: float
    arguments: dict[str, Any]


def reuse(
    suite: Suite, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, starts: Sequence[int], runs: int
) -> dict[str, Any]:
    """What one point on one core is made of, and what share of it is left when its passes begin at each of ``starts``.

    ``seconds`` of a whole point (the median of ``runs``) and ``shares`` of it by kind of pass. For likelihood tasks and
    for prompts, ``left`` has the time from each start upwards as a share of a whole pass; ``kept_bytes`` is what must be
    kept for it (for prompts also keys and values of the layers below, which new tokens look at); ``difference`` is
    the largest between logits of whole passes and of those that go on from what was kept.
    """
    with one_thread():  # As the workbench has it for small models.
        evaluator = Evaluator(suite, model, tokenizer)
        points = sorted((_recorded(evaluator, model) for _ in range(runs + 1)), key=lambda point: point[0])
        seconds, calls = points[runs // 2]  # The first run is the slowest.
        shares = {kind: sum(c.seconds for c in calls if c.kind == kind) / seconds for kind in (LIKELIHOOD, PROMPTS, STEPS)}
        passes = {kind: _replayed(model, calls, kind, starts, runs) for kind in (LIKELIHOOD, PROMPTS)}
    return {"seconds": seconds, "shares": shares, **passes}


def llama(hidden: int, layers: int, words: int) -> PreTrainedModel:
    """A Llama with random weights, the same every time, of heads of 64 and inner layers of 2.75 times its width."""
    torch.manual_seed(0)
    sizes = {"hidden_size": hidden, "intermediate_size": hidden * 11 // 4, "num_attention_heads": hidden // 64}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=words, num_hidden_layers=layers, **sizes)).eval()
    model.generation_config = GenerationConfig()
    return model


def _recorded(evaluator: Evaluator, model: PreTrainedModel) -> tuple[float, list[Call]]:
    """Seconds of a point, and its forward passes."""
    calls: list[Call] = []
    begun, generating = [0.0], [False]

    def generate(*given: Any, **named: Any) -> Any:
        generating[0] = True
        try:
            return type(model).generate(model, *given, **named)
        finally:
            generating[0] = False

    def before(module: Any, given: Any) -> None:
        begun[0] = time.perf_counter()

    def after(module: Any, given: Any, named: dict[str, Any], output: Any) -> None:
        seconds, cache = time.perf_counter() - begun[0], named.get("past_key_values")
        goes_on = cache is not None and cache.get_seq_length() > named["input_ids"].shape[1]  # More than this pass has read.
        kind = STEPS if goes_on else PROMPTS if generating[0] else LIKELIHOOD
        arguments = {name: value for name, value in named.items() if name != "past_key_values"}
        calls.append(Call(kind, seconds, {} if goes_on else arguments))

    model.generate = generate
    try:
        with model.register_forward_pre_hook(before), model.register_forward_hook(after, with_kwargs=True):
            started = time.perf_counter()
            evaluator.run()
            return time.perf_counter() - started, calls
    finally:
        del model.generate


@torch.inference_mode()
def _replayed(model: PreTrainedModel, calls: list[Call], kind: str, starts: Sequence[int], runs: int) -> dict[str, Any]:
    """All passes of one kind again, whole and from each of ``starts``, in turns."""
    asked = [call.arguments for call in calls if call.kind == kind]
    above = {start: [_resumed(model, arguments, start) for arguments in asked] for start in starts}
    left: dict[int, list[float]] = {start: [] for start in starts}
    difference = 0.0
    for _ in range(runs):
        whole, logits = _timed(model, asked)
        for start in starts:
            with _cut(model, start):
                seconds, others = _timed(model, above[start])
            left[start].append(seconds / whole)
            difference = max(difference, *((a - b).abs().max().item() for a, b in zip(logits, others, strict=True)))
    states = sum(arguments["inputs_embeds"].nbytes for arguments in above[starts[0]])
    config = model.config.get_text_config(decoder=True)
    keys = getattr(config, "num_key_value_heads", config.num_attention_heads) / config.num_attention_heads
    below = {start: 2 * start * keys if kind == PROMPTS else 0 for start in starts}
    return {
        "left": [statistics.median(left[start]) for start in starts],
        "kept_bytes": [int(states * (1 + below[start])) for start in starts],
        "difference": difference,
    }


def _timed(model: PreTrainedModel, asked: list[dict[str, Any]]) -> tuple[float, list[torch.Tensor]]:
    """Seconds of forward passes, and their logits."""
    started = time.perf_counter()
    logits = [model(**arguments).logits for arguments in asked]
    return time.perf_counter() - started, logits


def _resumed(model: PreTrainedModel, arguments: dict[str, Any], start: int) -> dict[str, Any]:
    """The arguments of the same pass from layer ``start`` upwards, with what that layer reads: ``(rows, length, hidden)``."""
    read: list[torch.Tensor] = []
    with model.get_decoder().layers[start].register_forward_pre_hook(lambda layer, given: read.append(given[0])):
        model(**arguments)
    return {**{name: value for name, value in arguments.items() if name != "input_ids"}, "inputs_embeds": read[0]}


@contextlib.contextmanager
def _cut(model: PreTrainedModel, start: int) -> Iterator[None]:
    """The model without the layers below ``start``, which reads what it is given as embeddings."""
    decoder = model.get_decoder()
    layers = decoder.layers
    decoder.layers = layers[start:]
    try:
        yield
    finally:
        decoder.layers = layers
