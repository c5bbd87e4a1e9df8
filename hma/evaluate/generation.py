"""Answers by transformers' ``generate`` in a batch plan that is fixed when it is built.

The same plan, seed and weights give the same answers: batches are fixed, a row leaves its batch once its
answer has ended, and sampling draws its randomness from the plan's seed and the prompt's own id, not from
any global generator.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache, LogitsProcessor, PreTrainedModel, PreTrainedTokenizerBase
from transformers.generation.logits_process import TemperatureLogitsWarper, TopPLogitsWarper

from hma.errors import SuiteError
from hma.evaluate.batches import Batches
from hma.evaluate.failures import no_numbers

BATCH_SIZE = 128
"""Rows of one generation batch."""

STEPS = 6
"""New tokens between two looks at which rows of a batch have ended. Those are not computed any further."""

Progress = Callable[[int, int], None]
"""Called with (items done, items in all) after each batch; it may raise to stop."""


def no_progress(done: int, total: int) -> None:
    """A ``Progress`` that reports to nobody."""


@dataclass(frozen=True)
class Batch:
    """Left-padded prompts: ``input_ids`` and ``attention_mask`` are ``(rows, prompt_length)``."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """An answer's text, cut at its stop, and every token that was written, with the one that ended it."""

    text: str
    tokens: tuple[int, ...]


class GumbelNoise(LogitsProcessor):
    """Turns arg-max into an exact sample, with common random numbers.

    Adding independent Gumbel noise to log-probabilities and taking the arg-max draws from the softmax.
    The noise depends on seed, prompt id and step alone, so two models that are asked the same prompts use
    the same luck, whatever else is in their batches: differences between them are less noisy than with
    independent samples.
    """

    def __init__(self, seed: int, ids: Sequence[str], device: torch.device | str = "cpu") -> None:
        """``ids`` name the prompts of the batch's rows."""
        self._generators = [torch.Generator(device).manual_seed(_number(f"{seed}/{name}")) for name in ids]
        self.rows: torch.Tensor | None = None
        """The rows of the batch that ``scores`` are of; None for all."""
        self.seconds = 0.0

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        started = time.perf_counter()
        uniform = self._uniform(scores)
        drawn = scores.float() - uniform.clamp_(1e-20, 1 - 1e-7).log_().neg_().log_()
        self.seconds += time.perf_counter() - started
        return drawn

    def _uniform(self, scores: torch.Tensor) -> torch.Tensor:
        """Numbers in 0..1 for each of ``scores``, every row's from its prompt's own generator."""
        rows = range(len(self._generators)) if self.rows is None else self.rows.tolist()
        uniform = torch.empty(len(rows), scores.shape[1], device=scores.device)
        for noise, row in zip(uniform, rows, strict=True):
            noise.uniform_(generator=self._generators[row])
        return uniform


class Finite(LogitsProcessor):
    """Passes scores on as they are, and notes for which rows they were NaN or infinite at any step."""

    broken: torch.Tensor | None = None

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        broken = ~scores.amax(-1).isfinite()
        self.broken = broken if self.broken is None else self.broken | broken
        return scores


def _number(name: str) -> int:
    """A number of 63 bits that a name stands for, on every machine the same."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


class AnswerPlan:
    """Prompts tokenised and batched once, to be answered by any weights of one architecture."""

    def __init__(
        self,
        prompts: Sequence[str],
        tokenizer: PreTrainedTokenizerBase,
        device: torch.device,
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stops: Sequence[str] = (),
        special_tokens: bool = True,
        context_length: int | None = None,
        batch_size: int = BATCH_SIZE,
        ids: Sequence[str] | None = None,
        noise: type[GumbelNoise] = GumbelNoise,
        name: str = "these prompts",
        where: Callable[[int], str] = "prompt {}".format,
    ) -> None:
        """``prompts`` are texts as the model reads them; ``stops`` end an answer and are cut from it.

        ``ids`` name the prompts, for their randomness; by default their numbers do; ``noise`` makes it. ``name`` says in
        errors what they are, ``where`` by its number where one stands.

        ``special_tokens`` False for prompts that already hold them (chat templates).
        Raises SuiteError when a prompt and its answer do not fit in ``context_length``.
        """
        self._tokenizer = tokenizer
        self._max_new_tokens = max_new_tokens
        self._temperature, self._top_p, self._seed = temperature, top_p, seed
        self._stops = tuple(stop for stop in stops if stop)
        self._noise = noise
        self._pad = pad_token(tokenizer)
        self._ends = _end_tokens(tokenizer, self._stops)
        rows = [tokenizer.encode(prompt, add_special_tokens=special_tokens) for prompt in prompts]
        room = math.inf if context_length is None else context_length - max_new_tokens
        if (place := next((place for place, row in enumerate(rows) if len(row) > room), None)) is not None:
            raise SuiteError(
                f"{where(place)} has {len(rows[place])} tokens, and the model's context of {context_length} has room for "
                f"{max(0, room)} beside {max_new_tokens} new ones. It begins {prompts[place][:60]!r}. Leave it out, ask for "
                "shorter answers, or choose a pair that reads more."
            )
        names = list(map(str, range(len(rows)))) if ids is None else ids
        self._name = name
        places = range(len(rows))
        self._order = sorted(places, key=lambda place: len(rows[place])) if len(rows) > batch_size else list(places)
        """The prompts' places by rising length where there are several batches, so that each pads little."""
        asked = [(rows[place], names[place]) for place in self._order]
        self._batches = Batches(asked, partial(_built, self._pad, device), batch_size, name)
        self._total = len(rows)
        self.model_seconds = 0.0

    @property
    def note(self) -> str:
        """What a person should know of how it was answered."""
        return self._batches.note

    def responses(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[Any]:
        """The text of one answer a prompt, in the order of the prompts."""
        return [answer.text for answer in self.answers(model, progress)]

    @torch.inference_mode()
    def answers(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[Answer]:
        """One answer a prompt, in the order of the prompts.

        ``model_seconds`` is the time in ``generate``, less that for drawing our own noise. Raises MeasureError for logits that
        are no numbers, and when memory runs out.
        """
        answers: list[Answer] = []
        self.model_seconds = 0.0
        ends = sorted({*self._ends, *_listed(model.generation_config.eos_token_id)})
        for new in self._batches.each(partial(self._written, model, ends)):
            texts = self._tokenizer.batch_decode(new, skip_special_tokens=True)
            for text, tokens in zip(texts, new.tolist(), strict=True):
                length = next((i + 1 for i, token in enumerate(tokens) if token in ends), len(tokens))
                answers.append(Answer(self._cut(text), tuple(tokens[:length])))
            progress(len(answers), self._total)
        by_place = dict(zip(self._order, answers, strict=True))
        return [by_place[place] for place in range(len(answers))]

    def _written(self, model: PreTrainedModel, ends: list[int], batch: Batch) -> torch.Tensor:
        """The tokens of a batch's answers, on the CPU."""
        noise = self._noise(self._seed, batch.ids, batch.input_ids.device) if self._temperature else None
        started = time.perf_counter()
        new = self._new_tokens(model, batch, ends, noise).cpu()
        self.model_seconds += time.perf_counter() - started - (noise.seconds if noise else 0.0)
        return new

    def _new_tokens(self, model: PreTrainedModel, batch: Batch, ends: list[int], noise: GumbelNoise | None) -> torch.Tensor:
        """The answers' tokens ``(rows, max_new_tokens)``, padded after their ends.

        ``generate`` goes on from its own cache ``STEPS`` tokens at a time, with the rows that have not ended.
        """
        ids, mask = batch.input_ids, batch.attention_mask
        new = torch.full((len(ids), self._max_new_tokens), self._pad, device=ids.device)
        rows = torch.arange(len(ids), device=ids.device)
        cache = DynamicCache(config=model.config)
        steps = STEPS if ends and goes_on_from(model, cache) else self._max_new_tokens
        for done in range(0, self._max_new_tokens, steps):
            finite = Finite()
            if noise:
                noise.rows = rows
            ids = model.generate(
                input_ids=ids,
                attention_mask=mask,
                past_key_values=cache if steps < self._max_new_tokens else None,
                max_new_tokens=min(steps, self._max_new_tokens - done),
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=ends or None,
                pad_token_id=self._pad,
                logits_processor=[finite, *self._warpers, noise] if noise else [finite],
            )
            if finite.broken.any():
                prompt = batch.input_ids[rows[finite.broken.nonzero()[0, 0]]]
                text = self._tokenizer.decode(prompt, skip_special_tokens=True)
                raise no_numbers(self._name, text, str(model.dtype).removeprefix("torch."))
            said = ids[:, mask.shape[1] :]
            new[rows, done : done + said.shape[1]] = said
            going = (~torch.isin(said, torch.tensor(ends, device=ids.device)).any(1)).nonzero().squeeze(1)
            if not len(going) or done + steps >= self._max_new_tokens:
                break
            rows, ids = rows[going], ids[going]
            mask = torch.cat([mask[going], torch.ones_like(said[going])], dim=1)
            cache.batch_select_indices(going)
        return new

    @property
    def _warpers(self) -> list[LogitsProcessor]:
        warpers: list[LogitsProcessor] = []
        if self._temperature != 1:
            warpers.append(TemperatureLogitsWarper(self._temperature))
        if self._top_p < 1:
            warpers.append(TopPLogitsWarper(self._top_p))
        return warpers

    def _cut(self, text: str) -> str:
        for stop in self._stops:
            text = text.split(stop)[0]
        return text


def _built(pad: int, device: torch.device, rows: Sequence[tuple[Sequence[int], str]]) -> Batch:
    """A batch of prompts, each with its name."""
    return Batch(*left_padded([row for row, _ in rows], pad, device), tuple(name for _, name in rows))


def _end_tokens(tokenizer: PreTrainedTokenizerBase, stops: Sequence[str]) -> list[int]:
    """Token ids that end an answer: end of text, and every stop that is a single token.

    Longer stops cannot end a batch early; they are cut from the text afterwards, to the same effect.
    """
    ends = _listed(tokenizer.eos_token_id)
    for stop in stops:
        ids = tokenizer.encode(stop, add_special_tokens=False)
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
            ends += ids
    return sorted(set(ends))


def goes_on_from(model: PreTrainedModel, cache: DynamicCache) -> bool:
    """Whether the model goes on from such a cache, and its rows can leave it. Others are asked in one go."""
    uses = model._supports_default_dynamic_cache() and "past_key_values" in inspect.signature(model.forward).parameters
    return uses and all(hasattr(layer, "batch_select_indices") for layer in cache.layers)


def _listed(tokens: int | list[int] | None) -> list[int]:
    return [] if tokens is None else [tokens] if isinstance(tokens, int) else list(tokens)


def pad_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that fills short rows; it is masked, so any will do where the tokenizer names none."""
    named = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return next(token for token in named if token is not None)


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both ``(rows, longest row)``, with every row's last token last."""
    length = max(map(len, rows))
    ids = torch.full((len(rows), length), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, length - len(row) :] = torch.tensor(row)
        mask[i, length - len(row) :] = 1
    return ids.to(device), mask.to(device)
