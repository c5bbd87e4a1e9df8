"""Cheap stand-ins for a reward, from the pair alone: likelihoods of answers. Wherever shown they are called proxies."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from hma.evaluate.batches import Batches
from hma.evaluate.generation import left_padded

_BATCH_LOGITS = 1 << 28
"""Logits of one forward pass at most: a gibibyte in float32."""

_BATCH_ROWS = 128


@torch.inference_mode()
def log_likelihoods(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    temperature: float = 1.0,
) -> list[float]:
    """log p(answer | prompt) of each answer's tokens in nats, summed over them, with logits divided by ``temperature``.

    Prompts and answers are token ids, none of them empty. Batches are of answers as they stand.
    """
    longest = max(map(len, answers), default=1)
    rows = max(1, min(_BATCH_ROWS, _BATCH_LOGITS // (longest * model.config.get_text_config().vocab_size)))
    batches = Batches(list(zip(prompts, answers, strict=True)), list, rows, "the likelihoods of the answers")
    found = batches.each(lambda batch: _of_batch(model, *zip(*batch, strict=True), temperature))
    return [likelihood for batch in found for likelihood in batch]


def _of_batch(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], temperature: float
) -> list[float]:
    read = [[*prompt, *answer[:-1]] for prompt, answer in zip(prompts, answers, strict=True)]
    ids, mask = left_padded(read, 0, model.device)
    kept = max(map(len, answers))
    # Not every architecture takes these two: some count positions from the mask, some give every logit.
    optional = {"position_ids": (mask.cumsum(1) - 1).clamp(min=0), "logits_to_keep": kept}
    taken = inspect.signature(model.forward).parameters
    optional = {name: value for name, value in optional.items() if name in taken}
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False, **optional).logits[:, -kept:].float() / temperature
    said, counted = left_padded(answers, 0, model.device)  # (rows, kept): each answer's last token last, as its logits are
    chosen = logits.gather(2, said[:, :, None])[:, :, 0] - logits.logsumexp(2)
    return (chosen.double() * counted).sum(1).tolist()


def mean_log_likelihoods(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
) -> list[float]:
    """log p(answer | prompt) a token, in nats: of the policy's own answers, HMA's objective [HMA §6] on chat prompts."""
    sums = log_likelihoods(model, prompts, answers)
    return [total / len(answer) for total, answer in zip(sums, answers, strict=True)]
