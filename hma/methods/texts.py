"""The texts that fits make likely: answers of the policy that its reward likes (D_theta), and texts of the reference."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.fit import POLICY_ANSWERS, REFERENCE_ANSWERS, REFERENCE_FREE, Draw
from hma.errors import FitError
from hma.evaluate import chat as kinds
from hma.evaluate.abilities import AbilityTask, answer_plan
from hma.evaluate.generation import AnswerPlan, Progress, no_progress
from hma.evaluate.judging import ChatStage, Judges, WriteEnd, fitting
from hma.evaluate.likelihood import encoded_pair
from hma.evaluate.prompts import Prompt
from hma.evaluate.suite import Suite
from hma.methods.fitting import CHUNK

FREE_TOKENS = 64
"""How long the reference goes on where it writes from nothing, unless it ends before."""

_SPLIT = "validation"
"""The items whose prompts, or labels, may be fitted on: those of the test are for reporting."""


@dataclass(frozen=True)
class Text:
    """A prompt and its answer in tokens, both with at least one; ``said`` is the answer's text, ``reward`` what it earned."""

    id: str
    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    said: str
    reward: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Text:
        """The inverse of ``to_dict``."""
        return cls(**{**data, "prompt": tuple(data["prompt"]), "answer": tuple(data["answer"])})


class Writer:
    """Makes texts with the ends of a pair; the live model holds one of them after it."""

    def __init__(
        self, suite: Suite, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, write_end: WriteEnd, judges: Judges
    ) -> None:
        """``suite`` at its validation split; ``write_end`` makes the model an end by its share of the reference."""
        if suite.split != _SPLIT:
            raise ValueError(f"texts are made of {_SPLIT} items, not of {suite.split} ones")
        self._suite, self._model, self._tokenizer = suite, model, tokenizer
        self._write_end, self._judges = write_end, judges
        self._context = getattr(model.config, "max_position_embeddings", None)

    def texts(
        self,
        source: str,
        draw: Draw,
        progress: Progress = no_progress,
        begun: Sequence[Sequence[Text]] = (),
        keep: Callable[[Sequence[Sequence[Text]]], None] = lambda chunks: None,
    ) -> list[Text]:
        """The texts of one of ``Fit.sources``, the same for the same draw. Raises FitError where there are none.

        They are written in chunks: ``begun`` holds those of the first ones, from a time before, and ``keep`` is called with
        those of all so far whenever another is done, but for the last.
        """
        chunks = self._chunks(source, draw)
        total = sum(size for size, _ in chunks)
        found = [list(chunk) for chunk in begun]
        for _, write in chunks[len(found) :]:
            progress(sum(size for size, _ in chunks[: len(found)]), total)
            found.append(write())
            if len(found) < len(chunks):
                keep(found)
        progress(total, total)
        texts = [text for chunk in found for text in chunk]
        if not texts:
            raise FitError(f"There is nothing to fit on: {source} are all empty. Ask other prompts, or choose another pair.")
        return _best(texts, draw) if source == POLICY_ANSWERS else texts

    def _chunks(self, source: str, draw: Draw) -> list[_Chunk]:
        """How the texts of a source are written: the same chunks for the same draw, of about ``CHUNK`` texts."""
        if source == POLICY_ANSWERS:
            return self._policy_answers(draw)
        if source == REFERENCE_FREE:
            return self._free(draw)
        abilities, labelled = self._suite.abilities, source != REFERENCE_ANSWERS
        group = source.removeprefix("labels of ")
        if labelled:
            abilities = [a for a in abilities if (a.axis.group or a.axis.name) == group]
        if not abilities:
            groups = sorted({a.axis.group or a.axis.name for a in self._suite.abilities})
            raise FitError(f"The suite has no ability group '{group}'. It has: {', '.join(groups)}.")
        return [chunk for ability in abilities for chunk in self._of_ability(ability, draw, len(abilities), labelled)]

    def _policy_answers(self, draw: Draw) -> list[_Chunk]:
        """D_theta [HMA App. D.5]: answers of the policy at the suite's own settings, judged by the suite's first reward."""
        chat, name = self._suite.chat, self._suite.path
        if not chat.training:
            raise FitError(
                f"{name} names no training prompts, and HMA is fitted on the policy's answers to them. Add a file of the prompts "
                'that RLHF was trained on: "chat": {"prompts": {"train": "prompts.jsonl", …}}.'
            )
        if chat.rewards[0].baseline == kinds.FILE:
            raise FitError(
                f"The first reward of {name} compares with the answers of a file, which has none to the training prompts. "
                "Put a reward that judges any answer first, or compare with the reference's own answers."
            )
        generation = replace(chat.generation, skip_long=True)
        training = replace(chat, prompts=chat.training, generation=generation, rewards=chat.rewards[:1])
        room = [(prompt, len(row)) for prompt, _, row in fitting(training, self._tokenizer, self._context)]
        chosen = random.Random(f"prompts/{draw.seed}").sample(room, min(draw.prompts, len(room)))
        if not chosen:
            raise FitError(
                f"None of the {len(chat.training)} training prompts of {name} leaves room for an answer. Add shorter ones."
            )
        asked = [(Prompt(f"{p.id}#{i}", p.turns), length) for p, length in chosen for i in range(draw.answers)]

        def write(places: Sequence[int]) -> list[Text]:
            part = replace(training, prompts=tuple(asked[place][0] for place in places))
            suite = replace(self._suite, chat=part, abilities=(), num_items=len(places), ends=())
            stage = ChatStage(suite, self._model, self._tokenizer, self._write_end, self._judges)
            stage.set_out(0)
            self._write_end(0.0)
            answers = stage.answers(no_progress, 0)
            (rewards, *_) = stage.judged(answers, 0).values()
            rows = zip(stage.prompts, stage.rows, answers, rewards, strict=True)
            return [Text(p.id, tuple(row), a.tokens, a.text, float(reward)) for p, row, a, reward in rows if a.tokens]

        return _chunked([length for _, length in asked], write)

    def _of_ability(self, ability: Any, draw: Draw, tasks: int, labelled: bool) -> list[_Chunk]:
        """Validation items of one of so many tasks with the reference's own answers, or with the right ones."""
        largest = max(self._suite.ends)
        count = min(largest, max(1, -(-draw.drawn // tasks)))
        task = AbilityTask(ability, _SPLIT, count, self._tokenizer, self._model.device, self._context)
        if labelled:
            return [(len(task.ids), lambda: self._answered(task.ids, task.right_answers()))]

        def pick() -> list[Text]:
            self._write_end(1.0)
            return self._answered(task.ids, task.picked(self._model, draw.seed))

        def write(places: Sequence[int]) -> list[Text]:
            return self._answered([task.ids[place] for place in places], self._written(task, places, draw.seed))

        if not task.is_generated:
            return [(len(task.ids), pick)]
        return _chunked([len(self._tokenizer.encode(requests[0].args[0])) for requests in task.requests], write)

    def _answered(self, names: Sequence[str], answers: Sequence[tuple[str, Any]]) -> list[Text]:
        """The texts of items and answers, either of these as a text or with its prompt in tokens; empty ones are left out."""
        texts = []
        for name, (context_text, answer) in zip(names, answers, strict=True):
            prompt, tokens = answer if isinstance(answer, tuple) else encoded_pair(self._tokenizer, context_text, answer)
            said = self._tokenizer.decode(tokens, skip_special_tokens=True)
            if prompt and tokens:
                texts.append(Text(name, tuple(prompt), tuple(tokens), said))
        return texts

    def _written(
        self, task: AbilityTask, places: Sequence[int], seed: int
    ) -> list[tuple[str, tuple[list[int], tuple[int, ...]]]]:
        """The reference's own answers to the items at these places, with the token that ended each.

        Sampled at temperature 1, whatever the task says: only then is it the reference that makes them likeliest. A more
        decided model would make its greedy answers likelier than itself.
        """
        requests = [task.requests[place][0] for place in places]
        names = [str(place) for place in places]
        device = self._model.device

        def where(place: int) -> str:
            return f"item {names[place]}"

        plan = answer_plan(
            requests, self._tokenizer, device, self._context, task.name, where, temperature=1.0, seed=seed, ids=names
        )
        self._write_end(1.0)
        found = plan.answers(self._model)
        return [(r.args[0], (self._tokenizer.encode(r.args[0]), a.tokens)) for r, a in zip(requests, found, strict=True)]

    def _free(self, draw: Draw) -> list[_Chunk]:
        """What the reference writes from its first token on, at temperature 1."""
        start = self._tokenizer.bos_token_id
        if start is None:
            raise FitError(
                f"The tokenizer of {self._tokenizer.name_or_path} has no token that begins a text, so that the reference cannot "
                "write from nothing. Choose the objective two-sided, which takes the tasks' prompts."
            )

        def write(places: Sequence[int]) -> list[Text]:
            plan = AnswerPlan(
                [self._tokenizer.decode([start])] * len(places),
                self._tokenizer,
                self._model.device,
                max_new_tokens=FREE_TOKENS,
                temperature=1.0,
                seed=draw.seed,
                special_tokens=False,
                ids=[str(place) for place in places],
                name="the reference's own texts",
            )
            self._write_end(1.0)
            with torch.inference_mode():
                found = plan.answers(self._model)
            return [Text(str(place), (start,), a.tokens, a.text) for place, a in zip(places, found, strict=True) if a.tokens]

        return _chunked([1] * draw.drawn, write)


_Chunk = tuple[int, Callable[[], list[Text]]]
"""How many texts are to be written, and what writes them."""


def _chunked(lengths: Sequence[int], write: Callable[[Sequence[int]], list[Text]]) -> list[_Chunk]:
    """Chunks of texts with prompts of these lengths, which ``write`` writes by their places: alike in length, as in batches."""
    places = sorted(range(len(lengths)), key=lambda place: lengths[place]) if len(lengths) > CHUNK else range(len(lengths))
    some = [places[first : first + CHUNK] for first in range(0, len(lengths), CHUNK)]
    return [(len(chunk), partial(write, chunk)) for chunk in some]


def _best(texts: Sequence[Text], draw: Draw) -> list[Text]:
    """Those drawn from the answers with the highest rewards. Raises FitError where none is kept."""
    count = round(draw.kept * len(texts))
    if not count:
        raise FitError(
            f"None of the policy's {len(texts)} answers is left to fit on: of these a share of {draw.kept:g} is kept (--kept), "
            "which is not even one. Keep a larger share, or ask for more --prompts or --answers."
        )
    best = sorted(texts, key=lambda text: (-(text.reward or 0.0), text.id))[:count]
    return random.Random(f"texts/{draw.seed}").sample(best, min(draw.drawn, count))


def by_length(texts: Sequence[Text]) -> list[Text]:
    """The texts by rising length, so that batches pad little."""
    return sorted(texts, key=lambda text: (len(text.prompt) + len(text.answer), text.id))
