"""Log-likelihoods of continuations, in a batch plan that is fixed when it is built."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from hma.errors import SuiteError
from hma.evaluate.batches import Batches
from hma.evaluate.failures import no_numbers
from hma.evaluate.generation import Progress, goes_on_from, left_padded, no_progress, pad_token

BATCH_SIZE = 128
"""Rows of one forward pass."""

Score = tuple[float, bool]
"""A log-likelihood in nats, and whether greedy decoding would write the continuation."""


Answer = tuple[int, tuple[int, ...]]
"""A continuation: its place among the pairs, and its tokens."""

SPARED = 1 / 3
"""A prefix is read once for all of its answers where that spares so large a share of the tokens (`hma bench prefix`)."""


@dataclass(frozen=True)
class Question:
    """The tokens of a context, and its continuations."""

    prefix: tuple[int, ...]
    answers: tuple[Answer, ...]

    @cached_property
    def reads(self) -> dict[tuple[int, ...], list[Answer]]:
        """The answers by what the model reads for them: all their tokens but the last. Options of one token share a row."""
        found: dict[tuple[int, ...], list[Answer]] = {}
        for place, answer in self.answers:
            found.setdefault(answer[:-1], []).append((place, answer))
        return found

    def tokens(self, shared: bool) -> int:
        """How many tokens the model reads for it: the prefix for each row of its own, or ``shared`` once."""
        return (1 if shared else len(self.reads)) * len(self.prefix) + sum(map(len, self.reads))

    def shares(self, spared: float) -> bool:
        """Whether reading the prefix once spares at least this share of the tokens."""
        return len(self.reads) > 1 and self.tokens(True) <= (1 - spared) * self.tokens(False)


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

    Options of one token share their question's row. Longer ones share the reading of their question, where that spares
    enough and the model goes on from such a cache: the question once, then each option from there.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        tokenizer: PreTrainedTokenizerBase,
        device: torch.device,
        *,
        context_length: int | None = None,
        batch_size: int = BATCH_SIZE,
        spared: float = SPARED,
        name: str = "these questions",
        where: Callable[[int], str] = "question {}".format,
    ) -> None:
        """``spared`` 0 shares whatever can be shared, 1 nothing; ``name`` says in errors what is measured, ``where`` by its
        place among the pairs where one stands.

        Raises SuiteError for an empty continuation or a pair longer than ``context_length``.
        """
        asked: dict[tuple[int, ...], list[Answer]] = {}
        for place, (context, continuation) in enumerate(pairs):
            prefix, answer = encoded_pair(tokenizer, context, continuation)
            if not prefix or not answer:
                raise SuiteError(f"{where(place)}: the option {continuation!r} after {context[-60:]!r} has no tokens to score.")
            read = len(prefix) + len(answer) - 1
            if context_length is not None and read > context_length:
                raise SuiteError(
                    f"{where(place)} has {read} tokens with the option {continuation!r:.60}, and the model's context is "
                    f"{context_length}. It begins {context[:60]!r}. Leave it out of the task, or choose a pair that reads more."
                )
            asked.setdefault(tuple(prefix), []).append((place, tuple(answer)))
        self.questions = [Question(prefix, tuple(answers)) for prefix, answers in asked.items()]
        self._contexts = [context for context, _ in pairs]
        self._spared, self._batch_size, self._name = spared, batch_size, name
        self._pad, self._device = pad_token(tokenizer), device
        self._batches: tuple[Batches, ...] = ()
        self.model_seconds = 0.0

    @property
    def note(self) -> str:
        """What a person should know of how it was measured."""
        return next((batches.note for batches in self._batches if batches.note), "")

    @torch.inference_mode()
    def responses(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[Score]:
        """The score of each pair, in their order. ``model_seconds`` is the time in the model's forward passes.

        Raises MeasureError for logits that are no numbers, and when memory runs out.
        """
        self._batches = self._batches or self._built(goes_on_from(model, DynamicCache(config=model.config)))
        self.model_seconds = 0.0
        scores: list[Score] = [(0.0, False)] * len(self._contexts)
        done = 0
        for found, seconds in (batch for batches in self._batches for batch in batches.each(lambda b: b.scores(model))):
            self.model_seconds += seconds
            for place, score in found:
                if math.isnan(score[0]):
                    raise no_numbers(self._name, self._contexts[place], str(model.dtype).removeprefix("torch."))
                scores[place] = score
            done += len(found)
            progress(done, len(scores))
        return scores

    def _built(self, goes_on: bool) -> tuple[Batches, ...]:
        """Batches of whole rows, and of questions that are read once; both by rising length."""
        shared = [question for question in self.questions if goes_on and question.shares(self._spared)]
        alone = [question for question in self.questions if not (goes_on and question.shares(self._spared))]
        rows = [(question.prefix + read, answers) for question in alone for read, answers in question.reads.items()]
        size = max(1, self._batch_size // max((len(question.reads) for question in shared), default=1))
        build, build_shared = partial(_RowBatch, self._pad, self._device), partial(_SharedBatch, self._pad, self._device)
        return (
            Batches(sorted(rows, key=lambda row: len(row[0])), build, self._batch_size, self._name),
            Batches(sorted(shared, key=lambda question: len(question.prefix)), build_shared, size, self._name),
        )


class _RowBatch:
    """Left-padded rows, so that the positions to be scored are the last of each row."""

    def __init__(self, pad: int, device: torch.device, rows: Sequence[tuple[tuple[int, ...], Sequence[Answer]]]) -> None:
        self._ids, self._mask = left_padded([read for read, _ in rows], pad, device)
        self._positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        answers = [(i, place, answer) for i, (_, answers) in enumerate(rows) for place, answer in answers]
        self._answers = [(place, answer) for _, place, answer in answers]
        self._kept = max(len(answer) for _, _, answer in answers)
        # One (row, step, token) triple per answer token, so that a batch is read with one gather.
        triples = [(row, self._kept - len(answer) + i, token) for row, _, answer in answers for i, token in enumerate(answer)]
        self._row, self._step, self._token = (torch.tensor(column, device=device) for column in zip(*triples, strict=True))

    def scores(self, model: PreTrainedModel) -> tuple[list[tuple[int, Score]], float]:
        """The scores of the batch's pairs by place, and the seconds of the forward pass alone."""
        started = time.perf_counter()
        more = taken(model, position_ids=self._positions, logits_to_keep=self._kept)
        logits = model(input_ids=self._ids, attention_mask=self._mask, use_cache=False, **more).logits
        picked = logits[:, -self._kept :][self._row, self._step].float()
        _finish(picked)
        seconds = time.perf_counter() - started
        return _scores(self._answers, picked, self._token), seconds


class _SharedBatch:
    """Left-padded prefixes that are read once, and right-padded answers that go on from them."""

    def __init__(self, pad: int, device: torch.device, questions: Sequence[Question]) -> None:
        self._ids, self._mask = left_padded([q.prefix for q in questions], pad, device)
        self._positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        reads = [(row, read) for row, q in enumerate(questions) for read in q.reads if read]
        place_of = {pair: i for i, pair in enumerate(reads)}
        length = max(len(read) for _, read in reads)
        self._rows = torch.tensor([row for row, _ in reads], device=device)
        self._more_ids = torch.tensor([[*read, *[pad] * (length - len(read))] for _, read in reads], device=device)
        real = torch.tensor([[1] * len(read) + [0] * (length - len(read)) for _, read in reads], device=device)
        self._more_mask = torch.cat([self._mask[self._rows], real], dim=1)
        self._more_positions = self._mask.sum(1)[self._rows, None] + torch.arange(length, device=device)
        answers = [(row, place, answer) for row, q in enumerate(questions) for place, answer in q.answers]
        self._answers = [(place, answer) for _, place, answer in answers]
        tokens = [token for _, answer in self._answers for token in answer]
        self._token = torch.tensor(tokens, device=device)
        # Where each token's logits are: after the prefix in its row, or after a step of the answer in its own.
        first, later, at = [], [], 0
        for row, _, answer in answers:
            first.append((at, row))
            later += [(at + 1 + step, place_of[row, answer[:-1]], step) for step in range(len(answer) - 1)]
            at += len(answer)
        self._first = [torch.tensor(column, device=device) for column in zip(*first, strict=True)]
        self._later = [torch.tensor(column, device=device) for column in zip(*later, strict=True)]

    def scores(self, model: PreTrainedModel) -> tuple[list[tuple[int, Score]], float]:
        """The scores of the batch's pairs by place, and the seconds of the forward passes alone."""
        started = time.perf_counter()
        cache = DynamicCache(config=model.config)
        more = taken(model, position_ids=self._positions, logits_to_keep=1)
        last = model(input_ids=self._ids, attention_mask=self._mask, past_key_values=cache, use_cache=True, **more).logits[:, -1]
        cache.batch_select_indices(self._rows)
        more = taken(model, position_ids=self._more_positions)
        logits = model(
            input_ids=self._more_ids, attention_mask=self._more_mask, past_key_values=cache, use_cache=True, **more
        ).logits
        picked = torch.empty(len(self._token), logits.shape[-1], device=logits.device)
        place, row = self._first
        picked[place] = last[row].float()
        place, row, step = self._later
        picked[place] = logits[row, step].float()
        _finish(picked)
        seconds = time.perf_counter() - started
        return _scores(self._answers, picked, self._token), seconds


def taken(model: PreTrainedModel, **named: Any) -> dict[str, Any]:
    """Those of the arguments that the model takes: some architectures count positions from the mask, or give every logit."""
    parameters = inspect.signature(model.forward).parameters
    return {name: value for name, value in named.items() if name in parameters}


def _finish(logits: torch.Tensor) -> None:
    """Wait for a device that computes beside the program."""
    if logits.is_cuda:
        torch.cuda.synchronize(logits.device)


def _scores(answers: Sequence[Answer], logits: torch.Tensor, tokens: torch.Tensor) -> list[tuple[int, Score]]:
    """The scores of answers by place, from the logits before each of their tokens, one answer after the other.

    A score is NaN where logits are NaN or infinite.
    """
    chosen = logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0].tolist()
    greedy = (logits.argmax(-1) == tokens).tolist()
    scores, start = [], 0
    for place, answer in answers:
        end = start + len(answer)
        scores.append((place, (sum(chosen[start:end]), all(greedy[start:end]))))
        start = end
    return scores
