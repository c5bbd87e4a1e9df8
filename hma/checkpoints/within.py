"""What does not fit within one checkpoint: between its config and its own tensors."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

from hma.checkpoints.finding import Finding, name_of, value_of
from hma.checkpoints.folder import Contents
from hma.checkpoints.header import is_file, read_json
from hma.core.partition import layer_of
from hma.errors import CheckpointError

ROWS = re.compile(r"(?:^|\.)(?:embed_tokens|wte|word_embeddings|embed_in|lm_head|embed_out)\.(?:weight|bias)$")
"""Tensors with a row for each token."""

HEAD = re.compile(r"(?:^|\.)lm_head\.weight$")
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers")
"""What configs call the number of layers."""

_MOST_LAYERS = 10_000
"""More than any model has."""

_EMBEDDING = re.compile(r"(?:^|\.)embed_tokens\.weight$")


def check_within(side: Contents) -> list[Finding]:
    """What does not fit between the config of one checkpoint and its own tensors."""
    config, tensors, findings = side.config, side.tensors, []
    if not config:
        return []
    if not config.get("model_type"):
        message = f"{side.folder}/config.json names no model_type, so transformers cannot open it. Save the model again."
        findings.append(Finding("fatal", f"{side.side} config", message))
    if config.get("quantization_config"):
        message = (
            f"{side.folder} is quantised, by its config. Weights can be averaged before quantisation only: give the checkpoint "
            "it was made from."
        )
        findings.append(Finding("fatal", f"{side.side} weights", message))
    if own := own_code(side.folder, config):
        message = (
            f"The {side.side} names Python code of its own, {name_of(own)}. It is run only with --allow code; without "
            "it transformers' own class is used for the model_type, if there is one."
        )
        findings.append(Finding("note", f"{side.side} config", message))
    text = config.get("text_config")
    size = (text if isinstance(text, dict) else config).get("vocab_size")
    for name in sorted(n for n in tensors if ROWS.search(n) and tensors[n].shape):
        if type(size) is int and tensors[name].shape[0] != size:
            rows = tensors[name].shape[0]
            message = (
                f"{name_of(name)} has {rows:,} rows in the {side.side}, and its config says vocab_size = {size:,}. "
                "Set the config's to the number of rows, or fetch both of one version."
            )
            findings.append(Finding("fatal", f"{side.side} config", message))
            break
    return findings + _layers(side) + _tied(side)


def _layers(side: Contents) -> list[Finding]:
    """Whether the layers numbered in the tensors' names are 0 to the last, and as many as the config says.

    More than it says is a warning: real models have such, to predict further tokens.
    """
    numbers = {n for n in map(layer_of, side.tensors) if n is not None}
    if not numbers:
        return []
    count = len(numbers)
    missing = next((n for n in range(count) if n not in numbers), None)
    if missing is not None:
        message = (
            f"{side.folder} has no tensors of layer {missing}, and has them of layer {max(numbers)}. "
            "Fetch or save it again, with all its layers numbered from 0."
        )
        return [Finding("fatal", f"{side.side} weights", message)]
    if count > _MOST_LAYERS:
        message = f"{side.folder} has tensors of {count:,} layers, and at most {_MOST_LAYERS:,} are merged. Choose another model."
        return [Finding("fatal", f"{side.side} weights", message)]
    text = side.config.get("text_config")
    configs = (text, side.config) if isinstance(text, dict) else (side.config,)
    told = [(config[name], name) for config in configs for name in _LAYERS if type(config.get(name)) is int]
    if not told or count in (number for number, _ in told):
        return []
    least, name = min(told)
    said = f"{side.folder} has tensors of {count:,} layers, and its config says {name} = {value_of(least)}. "
    if count < least:
        advice = "The rest would be random. Fetch both of one version."
        return [Finding("fatal", f"{side.side} config", said + advice)]
    advice = "The further ones are averaged too, in the last block. See that they belong to the model."
    return [Finding("warning", f"{side.side} config", said + advice)]


def own_code(folder: Path | None, config: dict[str, Any]) -> str | None:
    """A class of the model, its config or its tokenizer in the checkpoint's own Python files, or None."""
    maps = [config.get("auto_map")]
    if folder is not None and is_file(folder / "tokenizer_config.json"):
        with contextlib.suppress(CheckpointError):  # The tokenizer's own check says so.
            maps.append(read_json(folder / "tokenizer_config.json").get("auto_map"))
    named = [value for found in maps if isinstance(found, dict) for value in found.values()]
    flat = [name for value in named for name in (value if isinstance(value, list) else [value])]
    return next((name for name in flat if isinstance(name, str)), None)


def _tied(side: Contents) -> list[Finding]:
    """Whether a head of its own is there or not as the config says; models by other names than Llama's are left alone."""
    tied = side.config.get("tie_word_embeddings")
    has_head = any(HEAD.search(name) for name in side.tensors)
    if tied is True and has_head:
        message = (
            f"lm_head.weight is in the {side.side}, and its config says tie_word_embeddings = True, which takes the embeddings "
            "in its place. Load it with transformers and save it again to see which it is."
        )
        return [Finding("warning", "tied embeddings", message)]
    if tied is False and not has_head and any(_EMBEDDING.search(name) for name in side.tensors):
        message = (
            f"lm_head.weight is not in the {side.side}, and its config says tie_word_embeddings = False, so the head would be "
            "random. Give a checkpoint saved as a language model, or set tie_word_embeddings if it shares the embeddings."
        )
        return [Finding("fatal", "tied embeddings", message)]
    return []
