"""Cheap stand-ins for a reward, from the pair alone: likelihoods of answers. Wherever shown they are called proxies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from hma.evaluate.batches import Batches
from hma.evaluate.generation import left_padded
from hma.evaluate.likelihood import taken

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
    found = batches.each(lambda batch: summed(model, *zip(*batch, strict=True), temperature).tolist())
    return [likelihood for batch in found for likelihood in batch]


def summed(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], temperature: float = 1.0
) -> torch.Tensor:
    """The same of one batch: float64 ``(rows,)`` (float32 on MPS), which a gradient can be taken of."""
    read = [[*prompt, *answer[:-1]] for prompt, answer in zip(prompts, answers, strict=True)]
    ids, mask = left_padded(read, 0, model.device)
    kept = max(map(len, answers))
    more = taken(model, position_ids=(mask.cumsum(1) - 1).clamp(min=0), logits_to_keep=kept)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False, **more).logits[:, -kept:].float() / temperature
    said, counted = left_padded(answers, 0, model.device)  # (rows, kept): each answer's last token last, as its logits are
    chosen = logits.gather(2, said[:, :, None])[:, :, 0] - logits.logsumexp(2)
    wide = chosen if chosen.device.type == "mps" else chosen.double()
    return wide.masked_fill(counted == 0, 0.0).sum(1)


def mean_log_likelihoods(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]
) -> list[float]:
    """log p(answer | prompt) a token, in nats: of the policy's own answers, HMA's objective [HMA §6] on chat prompts."""
    sums = log_likelihoods(model, prompts, answers)
    return [total / len(answer) for total, answer in zip(sums, answers, strict=True)]
