"""Pre-training: the reference, from nothing."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hma.lab import training
from hma.lab.corpus import batches
from hma.lab.scenario import ModelSize, Pretraining

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


def new_model(size: ModelSize, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """An untrained Llama: float32, untied embeddings; matrices that write to the residual stream start smaller."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        initializer_range=0.06,
        pad_token_id=training.PAD,
        bos_token_id=training.BOS,
        eos_token_id=training.EOS,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight /= (2 * size.layers) ** 0.5
            elif name.endswith(("embed_tokens.weight", "lm_head.weight")):
                weight /= 3
    model.generation_config = GenerationConfig(
        bos_token_id=training.BOS, eos_token_id=training.EOS, pad_token_id=training.PAD, max_new_tokens=32
    )
    return model


def pretrain(
    size: ModelSize, settings: Pretraining, tokenizer: PreTrainedTokenizerFast, seed: int, progress: Progress
) -> LlamaForCausalLM:
    """The reference: trained on the mixture, on whole dialogues."""
    model = new_model(size, tokenizer, seed).train()
    encoder = training.Encoder(tokenizer, settings.prompt_weight)
    optimiser = training.optimiser(model, settings.learning_rate, settings.weight_decay, betas=(0.9, 0.98))
    draw = random.Random(f"pretraining/{seed}")
    for i in range(settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * _schedule(i, settings)
        losses = [training.loss_of(model, *encoder.rows(rows)) for rows in batches(settings.mixture, draw, i)]
        training.step(model, optimiser, torch.stack(losses).sum())
        progress(i + 1, settings.steps)
    return model.eval()


def _schedule(i: int, settings: Pretraining) -> float:
    """The share of the learning rate at step ``i``."""
    fall = (settings.steps - i) / (0.4 * settings.steps)
    return min(1.0, (i + 1) / settings.warm_up, max(0.03, fall))
