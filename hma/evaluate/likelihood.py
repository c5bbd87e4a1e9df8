"""Log-likelihoods of continuations, in a batch plan that is fixed when it is built."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.errors import SuiteError
from hma.evaluate.generation import Progress, left_padded, no_progress, pad_token

BATCH_SIZE = 128
"""Rows of one forward pass."""


def encoded_pair(tokenizer: PreTrainedTokenizerBase, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """Tokens of a context and of its continuation, split as lm-eval splits them.

    Spaces at the end of the context belong to the continuation, and the whole is tokenised together.
    """
    spaces = len(context) - len(context.rstrip())
    if spaces:
        continuation = context[-spaces:] + continuation
        context = context[:-spaces]
    prefix = tokenizer.encode(context)
    return prefix, tokenizer.encode(context + continuation)[len(prefix) :]


class LikelihoodPlan:
    """(context, continuation) pairs tokenised and batched once.

    Pairs that read the same tokens (options of one token after one question) share a row.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        tokenizer: PreTrainedTokenizerBase,
        device: torch.device,
        *,
        context_length: int | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        """Raises SuiteError for an empty continuation or a pair longer than ``context_length``."""
        rows: dict[tuple[int, ...], list[tuple[int, list[int]]]] = {}
        for place, (context, continuation) in enumerate(pairs):
            prefix, answer = encoded_pair(tokenizer, context, continuation)
            if not prefix or not answer:
                raise SuiteError(f"The option {continuation!r} after {context[-60:]!r} has no tokens to score.")
            read = tuple(prefix + answer[:-1])
            if context_length is not None and len(read) > context_length:
                raise SuiteError(
                    f"A question of {len(read)} tokens exceeds the model's context of {context_length}: {context[:60]!r}…"
                )
            rows.setdefault(read, []).append((place, answer))
        ordered = sorted(rows.items(), key=lambda row: len(row[0]))
        self._total = len(pairs)
        self.model_seconds = 0.0
        pad = pad_token(tokenizer)
        self._batches = [_RowBatch(ordered[i : i + batch_size], pad, device) for i in range(0, len(ordered), batch_size)]

    @torch.inference_mode()
    def responses(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[tuple[float, bool]]:
        """(log-likelihood in nats, whether greedy decoding would write it) per pair, in their order.

        ``model_seconds`` is the time in the model's forward passes.
        """
        self.model_seconds = 0.0
        scores: list[tuple[float, bool]] = [(0.0, False)] * self._total
        done = 0
        for batch in self._batches:
            batch_scores, seconds = batch.scores(model)
            self.model_seconds += seconds
            for place, score in batch_scores:
                scores[place] = score
            done += len(batch_scores)
            progress(done, self._total)
        return scores


class _RowBatch:
    """Left-padded rows, so that the positions to be scored are the last of each row."""

    def __init__(self, rows: list[tuple[tuple[int, ...], list[tuple[int, list[int]]]]], pad: int, device: torch.device):
        self._ids, self._mask = left_padded([read for read, _ in rows], pad, device)
        self._positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        self._answers = [(i, place, answer) for i, (_, answers) in enumerate(rows) for place, answer in answers]
        self._kept = max(len(answer) for _, _, answer in self._answers)
        # One (row, step, token) triple per answer token, so that a batch is read with one gather.
        triples = [
            (row, self._kept - len(answer) + step, token) for row, _, answer in self._answers for step, token in enumerate(answer)
        ]
        self._row, self._step, self._token = (torch.tensor(column, device=device) for column in zip(*triples, strict=True))

    def scores(self, model: PreTrainedModel) -> tuple[list[tuple[int, tuple[float, bool]]], float]:
        """The scores of the batch's pairs by place, and the seconds of the forward pass alone."""
        # Not every architecture takes these two: some count positions from the mask, some give every logit.
        optional = {"position_ids": self._positions, "logits_to_keep": self._kept}
        taken = inspect.signature(model.forward).parameters
        optional = {name: value for name, value in optional.items() if name in taken}
        started = time.perf_counter()
        logits = model(input_ids=self._ids, attention_mask=self._mask, use_cache=False, **optional).logits
        logits = logits[:, -self._kept :].float()
        if logits.is_cuda:
            torch.cuda.synchronize(logits.device)
        seconds = time.perf_counter() - started
        chosen = logits.log_softmax(-1)[self._row, self._step, self._token].tolist()
        greedy = (logits.argmax(-1)[self._row, self._step] == self._token).tolist()
        scores, start = [], 0
        for _, place, answer in self._answers:
            end = start + len(answer)
            scores.append((place, (sum(chosen[start:end]), all(greedy[start:end]))))
            start = end
        return scores, seconds
