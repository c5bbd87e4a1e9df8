"""Whether two checkpoints match: all that differs between their tensors, configs and tokenizers, worst first in each."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from typing import Any

from hma.checkpoints.finding import Finding, name_of, others, value_of
from hma.checkpoints.folder import Contents
from hma.checkpoints.header import Tensor
from hma.checkpoints.vocabulary import (
    Vocabulary,
    compare_templates,
    compare_vocabularies,
    has_tokenizer,
    is_shared,
    read_vocabulary,
)
from hma.core.partition import layer_of
from hma.errors import CheckpointError

ADVICE = "Choose two checkpoints of one architecture: the model before RLHF, and the same model after it."

COSMETIC = frozenset(
    "_name_or_path architectures auto_map transformers_version dtype torch_dtype use_cache max_position_embeddings "
    "bos_token_id eos_token_id pad_token_id id2label label2id initializer_range".split()
)
"""Settings of a config in which two checkpoints of one architecture may differ; the policy's are used."""

_SILENT = {"_name_or_path", "transformers_version"}
"""Settings that change nothing."""

_ROPE = {"rope_theta", "rope_scaling", "rope_parameters"}
"""Where transformers 4 and 5 write rotary positions."""

_ROWS = re.compile(r"(?:^|\.)(?:embed_tokens|wte|word_embeddings|embed_in|lm_head|embed_out)\.(?:weight|bias)$")
"""Tensors with a row for each token."""

_LISTED = 6
"""Settings that one message lists."""

_HEAD = re.compile(r"(?:^|\.)lm_head\.weight$")
_EMBEDDING = re.compile(r"(?:^|\.)embed_tokens\.weight$")

Tensors = dict[str, Tensor]


def check_pair(a: Contents, b: Contents) -> list[Finding]:
    """All findings of a reference ``a`` and a policy ``b`` against each other, and of each against itself.

    What could not be read (its own findings say so) is not compared.
    """
    findings: list[Finding] = []
    vocabularies, found = _vocabularies(a, b)
    if a.config and b.config:
        findings += _types(a.config, b.config)
    if a.tensors and b.tensors:
        findings += _tensors(a, b, vocabularies)
    for side in (a, b):
        findings += _own(side)
    if a.config and b.config:
        rows = any(f.subject == "embeddings" for f in findings)
        findings += check_settings(a.config, b.config, ignored=frozenset({"vocab_size"} if rows else ()))
    findings += found
    if a.folder and a.folder == b.folder and b.adapter is None:
        message = f"{a.source} and {b.source} hold the same model, so there is nothing between them to average. {ADVICE}"
        findings.append(Finding("fatal", "pair", message))
    if b.tensors and not any(layer_of(name) is not None for name in b.tensors):
        message = f"{b.folder} has no numbered layers in its tensors' names, so it has no blocks to average."
        findings.append(Finding("fatal", "policy weights", message))
    return findings


def check_settings(a: dict[str, Any], b: dict[str, Any], ignored: frozenset[str] = frozenset()) -> list[Finding]:
    """Findings of two configs. A merge has one, the policy's; with it a reference of another would not be the reference.

    Settings that both name are fatal when they change what the same weights compute, and notes when they do not.
    Of one that a single config names, the other has transformers' default, which is not known here.
    """
    findings = []
    both = (a.keys() & b.keys()) - ignored
    for name in sorted(n for n in both - COSMETIC if a[n] != b[n]):
        message = (
            f"The configs differ in {name_of(name)}: {value_of(a[name])} in the reference and {value_of(b[name])} in the policy, "
            "so their weights do not mean the same. Choose two checkpoints of one architecture with the same settings."
        )
        findings.append(Finding("fatal", "config", message))
    alone = (a.keys() ^ b.keys()) - COSMETIC - ignored
    if alone & _ROPE:
        findings += _rope(a, b)
        alone -= _ROPE
    for name in sorted(n for n in both & COSMETIC - _SILENT if a[n] != b[n]):
        message = (
            f"The configs differ in {name}: {value_of(a[name])} in the reference and {value_of(b[name])} in the policy. "
            "The policy's is used for every merge."
        )
        findings.append(Finding("warning" if name == "architectures" else "note", "config", message))
    for side, config in (("reference", a), ("policy", b)):
        if own := sorted(alone & config.keys()):
            listed = ", ".join(f"{name_of(n)} = {value_of(config[n])}" for n in own[:_LISTED])
            listed += others(max(0, len(own) - _LISTED), "setting")
            message = (
                f"Only the {side}'s config names {listed}. The other has transformers' defaults; whether they are the same is "
                "checked when the models are loaded."
            )
            findings.append(Finding("note", "config", message))
    return findings


def _types(a: dict[str, Any], b: dict[str, Any]) -> list[Finding]:
    types = a.get("model_type"), b.get("model_type")
    if types[0] == types[1]:
        return []
    shown = [name_of(t) if t else "nameless" for t in types]
    message = f"The reference is a {shown[0]} model and the policy a {shown[1]} model. {ADVICE}"
    return [Finding("fatal", "architecture", message)]


def _tensors(a: Contents, b: Contents, vocabularies: tuple[Vocabulary | None, Vocabulary | None]) -> list[Finding]:
    """Names, shapes and dtypes that differ: one finding for each way in which they do, with how many more do."""
    findings = []
    for holder, other in ((a, b), (b, a)):
        if names := sorted(holder.tensors.keys() - other.tensors.keys()):
            findings.append(_missing(names, holder, other))
    both = sorted(a.tensors.keys() & b.tensors.keys())
    shapes = [n for n in both if a.tensors[n].shape != b.tensors[n].shape]
    rows = [n for n in shapes if _ROWS.search(n) and a.tensors[n].shape[1:] == b.tensors[n].shape[1:] and a.tensors[n].shape]
    for group in _groups(rows, lambda n: (a.tensors[n].shape[0], b.tensors[n].shape[0])):
        findings.append(_padding(group, a, b, vocabularies))
    for group in _groups((n for n in shapes if n not in rows), lambda n: (a.tensors[n].shape, b.tensors[n].shape)):
        found = [value_of(side.tensors[group[0]].shape) for side in (a, b)]
        more = others(len(group) - 1, "tensor")
        message = f"{name_of(group[0])} is {found[0]} in the reference and {found[1]} in the policy{more}. {ADVICE}"
        findings.append(Finding("fatal", "shapes", message))
    apart = [n for n in both if a.tensors[n].dtype != b.tensors[n].dtype]
    for group in _groups(apart, lambda n: (a.tensors[n].dtype, b.tensors[n].dtype)):
        found = [side.tensors[group[0]].dtype for side in (a, b)]
        more = others(len(group) - 1, "tensor")
        message = f"{name_of(group[0])} is {found[0]} in the reference and {found[1]} in the policy{more}. "
        findings.append(Finding("fatal", "dtypes", message + "Save both checkpoints in one dtype."))
    return findings


def _groups(names: Iterable[str], key: Any) -> list[list[str]]:
    """Names that share a key, in order of the first."""
    groups: dict[Hashable, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return list(groups.values())


def _missing(names: list[str], holder: Contents, other: Contents) -> Finding:
    if len(names) == 1 and _HEAD.search(names[0]):
        tied = [f"{value_of(c.config.get('tie_word_embeddings'))} in the {c.side}" for c in (holder, other)]
        message = (
            f"{names[0]} is in the {holder.side} and not in the {other.side}, and tie_word_embeddings is {' and '.join(tied)}. "
            f"If both tie the head to the embeddings, load the {holder.side} with transformers and save it again, which drops "
            f"the copy. {ADVICE}"
        )
        return Finding("fatal", "tied embeddings", message)
    more = others(len(names) - 1, "tensor")
    message = f"{name_of(names[0])} is in the {holder.side} and not in the {other.side}{more}. {ADVICE}"
    return Finding("fatal", "tensors", message)


def _padding(names: list[str], a: Contents, b: Contents, vocabularies: tuple[Vocabulary | None, Vocabulary | None]) -> Finding:
    """Embeddings of which one checkpoint has more rows: which rows, whether they are padding, and how to make them equal."""
    rows = [side.tensors[names[0]].shape[0] for side in (a, b)]
    small, large = (a, b) if rows[0] < rows[1] else (b, a)
    few, many = sorted(rows)
    sizes = [v.size if v else None for v in vocabularies]
    head = (
        f"{name_of(names[0])} has {rows[0]:,} rows in the reference and {rows[1]:,} in the policy"
        f"{others(len(names) - 1, 'tensor')}: the {large.side} has rows {few:,} to {many - 1:,} more. "
    )
    known = [size for size in sizes if size is not None]
    if known and max(known) <= few:
        head += (
            f"They are padding, since the tokens end at {max(known):,}. Cut them off: load the {large.side} with transformers, "
            f"model.resize_token_embeddings({few}), and save it."
        )
    elif known:
        head += (
            f"They are not all padding, since the tokens end at {max(known):,}. Give the {small.side} such rows: load it with "
            f"transformers, model.resize_token_embeddings({many}), and save it. Its new rows are made up, so see that no "
            "prompt needs them."
        )
    else:
        head += (
            "No tokenizer.json or vocab.json says which are padding. If they are, load the "
            f"{large.side} with transformers, model.resize_token_embeddings({few}), and save it."
        )
    return Finding("fatal", "embeddings", head)


def _own(side: Contents) -> list[Finding]:
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
    text = config.get("text_config")
    size = (text if isinstance(text, dict) else config).get("vocab_size")
    for name in sorted(n for n in tensors if _ROWS.search(n) and tensors[n].shape):
        if type(size) is int and tensors[name].shape[0] != size:
            rows = tensors[name].shape[0]
            message = (
                f"{name_of(name)} has {rows:,} rows in the {side.side}, and its config says vocab_size = {size:,}. "
                "Set the config's to the number of rows, or fetch both of one version."
            )
            findings.append(Finding("fatal", f"{side.side} config", message))
            break
    return findings + _tied(side)


def _tied(side: Contents) -> list[Finding]:
    """Whether a head of its own is there or not as the config says; models by other names than Llama's are left alone."""
    tied = side.config.get("tie_word_embeddings")
    has_head = any(_HEAD.search(name) for name in side.tensors)
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


def _rope(a: dict[str, Any], b: dict[str, Any]) -> list[Finding]:
    """Rotary positions that are written in two forms, compared by what both say."""
    one, two = _rope_of(a), _rope_of(b)
    apart = sorted(n for n in one.keys() & two.keys() if one[n] != two[n])
    if apart:
        said = [", ".join(f"{name_of(n)} = {value_of(rope[n])}" for n in apart) for rope in (one, two)]
        message = (
            f"The rotary positions differ: {said[0]} in the reference and {said[1]} in the policy, so their weights do not mean "
            "the same. Choose two checkpoints of one architecture with the same settings."
        )
        return [Finding("fatal", "config", message)]
    if one.keys() == two.keys():
        return []
    said = [", ".join(f"{name_of(n)} = {value_of(v)}" for n, v in sorted(rope.items())) for rope in (one, two)]
    message = (
        f"The rotary positions are said in part: {said[0]} in the reference and {said[1]} in the policy. The rest are "
        "transformers' defaults, which are compared when the models are loaded."
    )
    return [Finding("warning", "config", message)]


def _rope_of(config: dict[str, Any]) -> dict[str, Any]:
    """Rotary settings by the names of transformers 5; the type is ``default`` where none is named."""
    found: dict[str, Any] = {"rope_type": "default"}
    if "rope_theta" in config:
        found["rope_theta"] = config["rope_theta"]
    for name in ("rope_scaling", "rope_parameters"):
        if isinstance(config.get(name), dict):
            found |= {"rope_type" if n == "type" else n: v for n, v in config[name].items()}
    return found


def _vocabularies(a: Contents, b: Contents) -> tuple[tuple[Vocabulary | None, Vocabulary | None], list[Finding]]:
    """Both vocabularies, and findings about tokenizers and chat templates."""
    read, findings = [], []
    for side in (a, b):
        try:
            shared = side is b and a.folder and b.folder and read[0] and is_shared(a.folder, b.folder)
            read.append(read[0] if shared else read_vocabulary(side.folder) if side.folder else None)
        except CheckpointError as error:
            read.append(None)
            findings.append(Finding("fatal", "tokenizer", str(error)))
    if a.folder is None or b.folder is None or not a.config or not b.config or findings:
        return (read[0], read[1]), findings
    if not has_tokenizer(b.folder):
        message = (
            f"{b.folder} has no tokenizer by a usual name, and the policy's is used for every merge: without one nothing can be "
            "measured. Copy the reference's tokenizer files into it if it was trained with them."
        )
        findings.append(Finding("warning", "tokenizer", message))
    elif not has_tokenizer(a.folder):
        findings.append(Finding("note", "tokenizer", f"{a.folder} has no tokenizer. It is taken to have the policy's."))
    elif read[0] and read[1]:
        findings += compare_vocabularies(read[0], read[1])
    else:
        message = "The vocabularies are not compared here, as one is in no tokenizer.json or vocab.json. They are on loading."
        findings.append(Finding("note", "tokenizer", message))
    for side, vocabulary in zip((a, b), read, strict=True):
        findings += _beyond(side, vocabulary)
    if has_tokenizer(a.folder) and has_tokenizer(b.folder):
        findings += compare_templates(a.folder, b.folder)
    return (read[0], read[1]), findings


def _beyond(side: Contents, vocabulary: Vocabulary | None) -> list[Finding]:
    """A warning when a tokenizer has tokens for which the checkpoint has no embedding."""
    rows = [t.shape[0] for n, t in side.tensors.items() if _ROWS.search(n) and t.shape]
    if not vocabulary or not rows or vocabulary.size <= min(rows):
        return []
    last = vocabulary.size - 1
    token = name_of(repr(vocabulary.tokens[last]))
    message = (
        f"The {side.side}'s tokenizer goes to token {last:,} ({token}), and it has embeddings for "
        f"{min(rows):,}. A prompt with a token beyond them fails; see that none has, or resize the embeddings."
    )
    return [Finding("warning", "embeddings", message)]
