"""The texts that fits make likely: answers of the policy that its reward likes (D_theta), and texts of the reference."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.fit import POLICY_ANSWERS, REFERENCE_ANSWERS, REFERENCE_FREE, Draw
from hma.errors import FitError
from hma.evaluate import chat as kinds
from hma.evaluate.abilities import AbilityTask, answer_plan
from hma.evaluate.generation import AnswerPlan, Progress
from hma.evaluate.judging import ChatStage, Judges, WriteEnd, fitting
from hma.evaluate.likelihood import encoded_pair
from hma.evaluate.prompts import Prompt
from hma.evaluate.suite import Suite

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

    def texts(self, source: str, draw: Draw, progress: Progress) -> list[Text]:
        """The texts of one of ``Fit.sources``, the same for the same draw. Raises FitError where there are none."""
        if source == POLICY_ANSWERS:
            found = self._policy_answers(draw, progress)
        elif source == REFERENCE_ANSWERS:
            found = [t for a in self._suite.abilities for t in self._of_ability(a, draw, len(self._suite.abilities), False)]
        elif source == REFERENCE_FREE:
            found = self._free(draw, progress)
        else:
            members = [a for a in self._suite.abilities if (a.axis.group or a.axis.name) == source.removeprefix("labels of ")]
            if not members:
                groups = sorted({a.axis.group or a.axis.name for a in self._suite.abilities})
                raise FitError(f"The suite has no ability group for '{source}'. It has: {', '.join(groups)}.")
            found = [text for ability in members for text in self._of_ability(ability, draw, len(members), True)]
        if not found:
            raise FitError(f"There is nothing to fit on: {source} are none, or all empty. Draw more of them, or other prompts.")
        return found

    def _policy_answers(self, draw: Draw, progress: Progress) -> list[Text]:
        """D_theta [HMA App. D.5]: answers of the policy at the suite's own settings, the best by the suite's first reward."""
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
        training = replace(chat, prompts=chat.training, generation=generation)
        room = [prompt for prompt, *_ in fitting(training, self._tokenizer, self._context)]
        chosen = random.Random(f"prompts/{draw.seed}").sample(room, min(draw.prompts, len(room)))
        if not chosen:
            raise FitError(
                f"None of the {len(chat.training)} training prompts of {name} leaves room for an answer. Add shorter ones."
            )
        asked = tuple(Prompt(f"{p.id}#{i}", p.turns) for p in chosen for i in range(draw.answers))
        part = replace(training, prompts=asked, rewards=chat.rewards[:1])
        suite = replace(self._suite, chat=part, abilities=(), num_items=len(asked), ends=())
        stage = ChatStage(suite, self._model, self._tokenizer, self._write_end, self._judges)
        stage.set_out(0)
        self._write_end(0.0)
        answers = stage.answers(progress, 0)
        (rewards, *_) = stage.judged(answers, 0).values()
        rows = zip(stage.prompts, stage.rows, answers, rewards, strict=True)
        texts = [Text(p.id, tuple(row), a.tokens, a.text, float(reward)) for p, row, a, reward in rows if a.tokens]
        best = sorted(texts, key=lambda text: (-(text.reward or 0.0), text.id))[: round(draw.kept * len(texts))]
        return random.Random(f"texts/{draw.seed}").sample(best, min(draw.drawn, len(best)))

    def _of_ability(self, ability: Any, draw: Draw, tasks: int, labelled: bool) -> list[Text]:
        """Validation items of one of so many tasks with the reference's own answers, or with the right ones."""
        largest = max(self._suite.ends)
        count = min(largest, max(1, -(-draw.drawn // tasks)))
        task = AbilityTask(ability, _SPLIT, count, self._tokenizer, self._model.device, self._context)
        if labelled:
            answers = task.right_answers()
        else:
            self._write_end(1.0)
            answers = self._written(task, draw.seed) if task.is_generated else task.picked(self._model, draw.seed)
        texts = []
        for name, (context_text, answer) in zip(task.ids, answers, strict=True):
            prompt, tokens = answer if isinstance(answer, tuple) else encoded_pair(self._tokenizer, context_text, answer)
            said = self._tokenizer.decode(tokens, skip_special_tokens=True)
            if prompt and tokens:
                texts.append(Text(name, tuple(prompt), tuple(tokens), said))
        return texts

    def _written(self, task: AbilityTask, seed: int) -> list[tuple[str, tuple[list[int], list[int]]]]:
        """The reference's own answers, with the token that ended each.

        Sampled at temperature 1, whatever the task says: only then is it the reference that makes them likeliest. A more
        decided model would make its greedy answers likelier than itself.
        """
        requests = [requests[0] for requests in task.requests]
        where = "item {}".format
        device = self._model.device
        plan = answer_plan(requests, self._tokenizer, device, self._context, task.name, where, temperature=1.0, seed=seed)
        found = plan.answers(self._model)
        return [(r.args[0], (self._tokenizer.encode(r.args[0]), list(a.tokens))) for r, a in zip(requests, found, strict=True)]

    def _free(self, draw: Draw, progress: Progress) -> list[Text]:
        """What the reference writes from its first token on, at temperature 1."""
        start = self._tokenizer.bos_token_id
        if start is None:
            raise FitError(
                f"The tokenizer of {self._tokenizer.name_or_path} has no token that begins a text, so that the reference cannot "
                "write from nothing. Choose the objective two-sided, which takes the tasks' prompts."
            )
        plan = AnswerPlan(
            [self._tokenizer.decode([start])] * draw.drawn,
            self._tokenizer,
            self._model.device,
            max_new_tokens=FREE_TOKENS,
            temperature=1.0,
            seed=draw.seed,
            special_tokens=False,
            name="the reference's own texts",
        )
        self._write_end(1.0)
        with torch.inference_mode():
            found = plan.answers(self._model, progress)
        return [Text(str(i), (start,), a.tokens, a.text) for i, a in enumerate(found) if a.tokens]


def by_length(texts: Sequence[Text]) -> list[Text]:
    """The texts by rising length, so that batches pad little."""
    return sorted(texts, key=lambda text: (len(text.prompt) + len(text.answer), text.id))
