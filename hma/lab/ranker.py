"""The pairwise ranker: a tiny DeBERTa that compares two answers, saved in the folder format of PairRM.

``judges/ranker`` holds PairRM's own two files, ``config.json`` (llm-blender's RankerConfig) and
``model.safetensors``; ``judges/ranker/base`` is the DeBERTa with its tokenizer, which llm-blender opens first.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import logsigmoid
from transformers import DebertaV2Config, DebertaV2Model, PreTrainedTokenizerFast

from hma.lab import training
from hma.lab.preferences import Preference
from hma.lab.pretrain import Progress
from hma.lab.scenario import Judges
from hma.lab.tokenizer import SPECIAL, vocabulary, word_tokenizer

PREFIXES = ("<|source|>", "<|candidate1|>", "<|candidate2|>", "<|candidate|>")
"""Tokens that llm-blender adds after the tokenizer's own words, in this order."""

SOURCE_LENGTH, CANDIDATE_LENGTH = 32, 48


class Ranker(nn.Module):
    """The modules of llm-blender's pair ranker under its own names, so that their weights load there."""

    def __init__(self, base: DebertaV2Model) -> None:
        super().__init__()
        hidden = base.config.hidden_size
        self.pretrained_model = base
        self.head_layer = nn.Sequential(
            nn.Dropout(0.0), nn.Linear(2 * hidden, hidden), nn.Tanh(), nn.Dropout(0.0), nn.Linear(hidden, 1)
        )

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """How much better the first candidate is, ``(rows,)``; ``places (rows, 3)`` are those of the three prefixes."""
        states = self.pretrained_model(input_ids=ids, attention_mask=mask).last_hidden_state
        rows = torch.arange(len(ids))[:, None]
        source, first, second = states[rows, places].unbind(dim=1)
        scores = [self.head_layer(torch.cat([source, candidate], dim=-1)) for candidate in (first, second)]
        return (scores[0] - scores[1])[:, 0]


def ranker_tokenizer() -> PreTrainedTokenizerFast:
    """The miniature's words between ``[CLS]`` and ``[SEP]``, padded on the right."""
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    words = [*names.values(), *vocabulary()[len(SPECIAL) :]]
    return word_tokenizer(words, "[CLS] $A [SEP]", "right", names)


def train_ranker(preferences: Sequence[Preference], settings: Judges, seed: int, progress: Progress) -> Ranker:
    """A ranker from nothing: each pair once, its two answers in random order."""
    tokenizer = ranker_tokenizer()
    words = tokenizer.get_vocab()
    torch.manual_seed(seed)
    model = Ranker(DebertaV2Model(_config(len(words) + len(PREFIXES), settings))).train()
    optimiser = training.optimiser(model, settings.ranker_learning_rate, decay=0.01, betas=(0.9, 0.98))
    draw = random.Random(f"ranker/{seed}")
    order = [p for _ in range(settings.ranker_epochs) for p in draw.sample(list(preferences), len(preferences))]
    starts = range(0, len(order), settings.batch_size)
    for i, start in enumerate(starts):
        for group in optimiser.param_groups:
            group["lr"] = settings.ranker_learning_rate * min(1.0, (i + 1) / 50, max(0.05, 1 - i / len(starts)))
        batch = order[start : start + settings.batch_size]
        signs = torch.tensor([draw.choice((1.0, -1.0)) for _ in batch])
        shown = [(p.preferred, p.other) if sign > 0 else (p.other, p.preferred) for p, sign in zip(batch, signs, strict=True)]
        rows = [_row(words, p.prompt, *answers) for p, answers in zip(batch, shown, strict=True)]
        training.step(model, optimiser, -logsigmoid(model(*_padded(rows)) * signs).mean())
        progress(i + 1, len(starts))
    return model.eval()


def save_ranker(model: Ranker, folder: Path) -> None:
    """Writes PairRM's folder and, inside it, the base model that llm-blender opens first."""
    base = folder / "base"
    model.pretrained_model.save_pretrained(base)
    ranker_tokenizer().save_pretrained(base)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(_ranker_config(), indent=2) + "\n", encoding="utf-8")


def _config(num_words: int, settings: Judges) -> DebertaV2Config:
    return DebertaV2Config(
        vocab_size=num_words,
        hidden_size=settings.ranker_hidden,
        num_hidden_layers=settings.ranker_layers,
        num_attention_heads=4,
        intermediate_size=2 * settings.ranker_hidden,
        max_position_embeddings=256,
        relative_attention=True,
        position_buckets=32,
        pos_att_type=["p2c", "c2p"],
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        position_biased_input=False,
        type_vocab_size=0,
        pad_token_id=0,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def _ranker_config() -> dict[str, Any]:
    """llm-blender's RankerConfig. ``model_name`` is overridden when the ranker is loaded from another place."""
    return {
        "ranker_type": "pairranker",
        "model_type": "deberta-v2",
        "model_name": "base",
        "cache_dir": "",
        "load_checkpoint": "",
        "device": "cpu",
        "source_maxlength": SOURCE_LENGTH,
        "candidate_maxlength": CANDIDATE_LENGTH,
        "n_tasks": 1,
        "loss_type": "instructgpt",
        "reduce_type": "linear",
        "inference_mode": "bubble",
        "drop_out": 0.0,
        "fp16": False,
    }


def _row(words: dict[str, int], prompt: str, first: str, second: str) -> tuple[list[int], list[int]]:
    """Ids as llm-blender's collator puts them, and the places of the three prefixes in them."""
    prefix = len(words)
    ids: list[int] = []
    places = []
    for i, text in enumerate((prompt, first, second)):
        places.append(len(ids) + 1)
        ids += [words["[CLS]"], prefix + i, *(words.get(w, words["[UNK]"]) for w in text.split()), words["[SEP]"]]
    return ids, places


def _padded(rows: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (longest - len(row)) for row, _ in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _ in rows])
    return ids, mask, torch.tensor([places for _, places in rows])
