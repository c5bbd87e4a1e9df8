"""Dialogues as tensors, and the loss on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from hma.lab.corpus import Dialogue

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

PAD, BOS, EOS = 0, 1, 2


class Encoder:
    """Words to ids, with the weight of each word in the loss."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, prompt_weight: float) -> None:
        self._ids = tokenizer.get_vocab()
        self._prompt_weight = prompt_weight

    def rows(self, dialogues: Sequence[Dialogue]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and loss weights, each ``(num_dialogues, longest)``, padded on the right; a padding weighs 0."""
        encoded = [self._row(dialogue) for dialogue in dialogues]
        longest = max(len(ids) for ids, _ in encoded)
        ids = torch.full((len(encoded), longest), PAD)
        weights = torch.zeros(len(encoded), longest)
        for i, (row, weight) in enumerate(encoded):
            ids[i, : len(row)] = torch.tensor(row)
            weights[i, : len(row)] = torch.tensor(weight)
        return ids, weights

    def _row(self, dialogue: Dialogue) -> tuple[list[int], list[float]]:
        ids, weights = [BOS], [0.0]
        for prompt, answer in dialogue:
            asked = [self._ids[word] for word in f"human : {prompt} assistant :".split()]
            said = [*(self._ids[word] for word in answer.split()), EOS]
            ids += asked + said
            weights += [self._prompt_weight] * len(asked) + [1.0] * len(said)
        return ids, weights


def loss_of(model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weighted mean negative log-likelihood of each next word; ``ids`` and ``weights`` from ``Encoder.rows``."""
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits  # (rows, length - 1, vocabulary)
    losses = cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    wanted = weights[:, 1:].flatten()
    return (losses * wanted).sum() / wanted.sum()


def optimiser(model: torch.nn.Module, learning_rate: float, decay: float, betas: tuple[float, float]) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices alone."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=True)


def step(model: torch.nn.Module, optimiser: torch.optim.AdamW, loss: torch.Tensor) -> None:
    """One update, with the gradient clipped to length 1."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
