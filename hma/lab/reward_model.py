"""The learned reward model: the reference's lower layers with one output, trained on preference pairs."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch.nn.functional import logsigmoid
from transformers import LlamaForCausalLM, LlamaForSequenceClassification, PreTrainedTokenizerFast

from hma.evaluate.formats import judged_text
from hma.evaluate.prompts import Prompt
from hma.lab import training
from hma.lab.preferences import Preference
from hma.lab.pretrain import Progress
from hma.lab.scenario import Judges


def train_reward_model(
    reference: LlamaForCausalLM,
    preferences: Sequence[Preference],
    settings: Judges,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    progress: Progress,
) -> LlamaForSequenceClassification:
    """A model with one label whose logit is the reward: Bradley-Terry loss, one pass over the pairs."""
    model = _beginning(reference, settings.reward_model_layers, seed)
    optimiser = training.optimiser(model, settings.learning_rate, decay=0.01, betas=(0.9, 0.98))
    order = list(preferences)
    random.Random(f"reward model/{seed}").shuffle(order)
    starts = range(0, len(order), settings.batch_size)
    for i, start in enumerate(starts):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, (i + 1) / 20, max(0.05, 1 - i / len(starts)))
        batch = order[start : start + settings.batch_size]
        pairs = [(Prompt("", (p.prompt,)), answer) for p in batch for answer in (p.preferred, p.other)]
        texts = [judged_text(tokenizer, *pair) for pair in pairs]
        logits = model(**_encoded(tokenizer, texts)).logits.view(-1, 2)  # (pairs, [preferred, other])
        training.step(model, optimiser, -logsigmoid(logits[:, 0] - logits[:, 1]).mean())
        progress(i + 1, len(starts))
    return model.eval()


def _beginning(reference: LlamaForCausalLM, num_layers: int, seed: int) -> LlamaForSequenceClassification:
    """The reference's embeddings, first layers and final norm under a new head."""
    config = type(reference.config).from_dict({**reference.config.to_dict(), "num_hidden_layers": num_layers})
    config.num_labels = 1
    torch.manual_seed(seed)
    model = LlamaForSequenceClassification(config)
    kept = {k: v for k, v in reference.state_dict().items() if k in model.state_dict()}
    model.load_state_dict(kept, strict=False)
    return model.train()


def _encoded(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> dict[str, torch.Tensor]:
    encoded = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}
