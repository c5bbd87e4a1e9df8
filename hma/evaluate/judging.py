"""The chat answers of a suite: the prompts that are asked, and every reward's judgement of the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.recipe import digest
from hma.core.statistics import Result
from hma.errors import SuiteError
from hma.evaluate import chat as kinds
from hma.evaluate.chat import Chat, Reward
from hma.evaluate.formats import adds_special_tokens, asked_text
from hma.evaluate.generation import Answer, AnswerPlan, Progress, no_progress
from hma.evaluate.pairrm import PairRM
from hma.evaluate.prompts import Prompt
from hma.evaluate.proxies import log_likelihoods, mean_log_likelihoods
from hma.evaluate.rewards import Judge, RewardModel, finite, program
from hma.evaluate.suite import Suite
from hma.evaluate.tiers import Planned, Tier

WriteEnd = Callable[[float], None]
"""Makes the live model an end of its pair, by the share of the reference: 0 the policy, 1 the reference."""

_SHARE = {kinds.POLICY: 0.0, kinds.REFERENCE: 1.0}

Judges = dict[str, RewardModel | PairRM]
"""Models that judge, by what they are opened from: evaluators that are given the same ones share them."""

Columns = dict[str, Sequence[float]]
"""Numbers of each item by the score's name."""


class ChatStage:
    """The chat prompts of a suite, answered by whatever weights the live model holds, and judged.

    Some rewards compare with the pair's own ends, and have them written into the live model: their answers once, in
    ``set_out`` before anything else, and the reference's likelihoods in ``compared`` after all else.
    """

    def __init__(
        self,
        suite: Suite,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        write_end: WriteEnd | None = None,
        judges: Judges | None = None,
    ) -> None:
        """Builds every request and opens every judge; raises SuiteError for what cannot be asked or judged.

        A model that is among ``judges`` is taken from there, and one that is not is added.
        """
        chat, self._model, self._write_end = suite.chat, model, write_end
        judges = {} if judges is None else judges
        context = getattr(model.config, "max_position_embeddings", None)
        asked = _asked(chat, suite.num_items, tokenizer, context)
        self.prompts, texts, self.rows = (list(column) for column in zip(*asked, strict=True))
        self.ids = tuple(prompt.id for prompt in self.prompts)
        self.hashes = tuple(map(digest, texts))
        """A hash of what each prompt asks."""
        self._generation, self._rewards = chat.generation, chat.rewards
        self._judges = {reward.axis.name: _opened(reward, model.device, judges) for reward in chat.rewards}
        for judge in self._judges.values():
            if isinstance(judge, RewardModel | PairRM):
                judge.check(self.prompts)
        self._given: dict[str, tuple[int, list[Answer]]] = {}
        """The pair's ends' own answers, each with the item that they begin at."""
        if write_end is None and self._ends | self._last:
            raise ValueError("the suite compares with the pair's ends, and nothing was given to write them")

        def plan(tier: Tier) -> AnswerPlan:
            return _ChatPlan(
                texts[slice(*tier)],
                tokenizer,
                model.device,
                max_new_tokens=chat.generation.max_new_tokens,
                temperature=chat.generation.temperature,
                top_p=chat.generation.top_p,
                seed=chat.generation.seed,
                stops=chat.generation.stops,
                special_tokens=adds_special_tokens(chat.format),
                context_length=context,
                ids=self.ids[slice(*tier)],
                name="the chat answers",
            )

        self.planned = Planned(plan, suite.ends, suite.num_items)

    @property
    def note(self) -> str:
        """What a person should know of how the prompts were answered, or judged."""
        said = [self.planned.note, *(getattr(judge, "note", "") for judge in self._judges.values())]
        return next(filter(None, said), "")

    @property
    def names(self) -> list[str]:
        """The names of the chat scores, the first reward's first."""
        return [axis.name for reward in self._rewards for axis in (reward.axis, *reward.details)]

    @property
    def _ends(self) -> set[str]:
        """The ends whose own answers are compared with."""
        ends = {reward.baseline for reward in self._rewards} & set(_SHARE)
        return ends | {kinds.POLICY for reward in self._rewards if reward.kind == kinds.POLICY_LIKELIHOOD}

    @property
    def _last(self) -> set[str]:
        """The rewards that need the reference once all else is done."""
        return {reward.axis.name for reward in self._rewards if reward.kind == kinds.KL_TO_REFERENCE}

    def set_out(self, start: int, progress: Progress = no_progress) -> None:
        """Have the answers to the items from ``start`` on that rewards compare with; the live model may hold an end after it."""
        for end in sorted(self._ends):
            if end not in self._given or start < self._given[end][0]:
                self._write(end)
                self._given[end] = start, self.planned.responses(self._model, progress, start)

    def answers(self, progress: Progress, start: int) -> list[Answer]:
        """The live model's answers to the prompts from ``start`` on."""
        return self.planned.responses(self._model, progress, start)

    def judged(self, answers: Sequence[Answer], start: int) -> Columns:
        """The numbers of each score; of a KL only the answers' own log-likelihoods, until ``compared``."""
        columns: Columns = {}
        for reward in self._rewards:
            tiers = self.planned.tiers(start)  # No batch of a judge straddles two either.
            found = [self._judged(reward, answers[first - start : end - start], (first, end)) for first, end in tiers]
            names = [axis.name for axis in (reward.axis, *reward.details)]
            columns |= dict(zip(names, map(_joined, zip(*found, strict=True)), strict=True))
        return {name: finite(column, self.prompts[start:], f"The judge of '{name}'") for name, column in columns.items()}

    def compared(self, columns: Columns, answers: Sequence[Answer], start: int) -> Columns:
        """The same with the KL's estimates; the live model holds the reference after it, where there is one.

        An estimate is log p(answer | prompt) of the reference less the point's own: minus an unbiased one of the KL of
        the two models' answers as they are sampled, up to their longest.
        """
        if self._last:
            self._write(kinds.REFERENCE)
            tiers = self.planned.tiers(start)
            found = [self._likelihoods(answers[first - start : end - start], (first, end)) for first, end in tiers]
            likelihoods = np.array(_joined(found))
        return {name: likelihoods - column if name in self._last else column for name, column in columns.items()}

    def results(self, columns: Columns, answers: Sequence[Answer], start: int) -> dict[str, Result]:
        """Per-item results of each score; the texts are kept with the first."""
        texts = tuple(answer.text for answer in answers)
        return {
            name: Result("mean", np.array(columns[name])[:, None], self.ids[start:], None if i else texts, self.hashes[start:])
            for i, name in enumerate(self.names)
        }

    def _judged(self, reward: Reward, answers: Sequence[Answer], tier: Tier) -> Iterable[Sequence[float]]:
        """A column for the reward's axis and for each of its details, of the answers to the prompts of one tier."""
        judge, prompts = self._judges[reward.axis.name], self.prompts[slice(*tier)]
        texts = [answer.text for answer in answers]
        if isinstance(judge, PairRM):
            others = self._compared_with(reward, tier)
            found = judge.compare(prompts, texts, others)
            return (100 * found.wins).tolist(), (100.0 * found.ties).tolist(), _words(texts), _words(others)
        if judge is not None:
            return [judge(prompts, texts)]
        if reward.kind == kinds.KL_TO_REFERENCE:
            return [self._likelihoods(answers, tier)]
        given = self._answers_of(kinds.POLICY, tier)
        return [mean_log_likelihoods(self._model, self.rows[slice(*tier)], [answer.tokens for answer in given])]

    def _compared_with(self, reward: Reward, tier: Tier) -> list[str]:
        if reward.baseline == kinds.FILE:
            return [reward.answers[prompt.id] for prompt in self.prompts[slice(*tier)]]
        return [answer.text for answer in self._answers_of(reward.baseline, tier)]

    def _answers_of(self, end: str, tier: Tier) -> list[Answer]:
        first, answers = self._given[end]
        return answers[tier[0] - first : tier[1] - first]

    def _likelihoods(self, answers: Sequence[Answer], tier: Tier) -> list[float]:
        tokens = [answer.tokens for answer in answers]
        return log_likelihoods(self._model, self.rows[slice(*tier)], tokens, self._generation.temperature)

    def _write(self, end: str) -> None:
        assert self._write_end is not None
        self._write_end(_SHARE[end])


class _ChatPlan(AnswerPlan):
    """An AnswerPlan whose responses are answers with their tokens."""

    def responses(self, model: PreTrainedModel, progress: Progress = no_progress) -> list[Answer]:
        return self.answers(model, progress)


def _opened(reward: Reward, device: torch.device, judges: Judges) -> Judge | PairRM | None:
    """The judge of a reward, ready to be called; None for a proxy, which has none."""
    if reward.kind == kinds.PROGRAM:
        return program(reward.judge)
    if reward.kind in kinds.PROXIES:
        return None
    name = digest([reward.kind, reward.judge, reward.base, reward.format, str(device), list(reward.files)])
    if name not in judges:
        if reward.kind == kinds.REWARD_MODEL:
            judges[name] = RewardModel(Path(reward.judge), device, reward.format)
        else:
            judges[name] = PairRM(Path(reward.judge), Path(reward.base), device)
    return judges[name]


def _asked(
    chat: Chat, num_items: int, tokenizer: PreTrainedTokenizerBase, context: int | None
) -> list[tuple[Prompt, str, list[int]]]:
    """The first ``num_items`` prompts that fit, as of ``fitting``. Raises SuiteError for too few that do."""
    found = list(islice(fitting(chat, tokenizer, context), num_items))
    if len(found) < num_items:
        raise SuiteError(
            f"The suite asks for {num_items} prompts, and {len(found)} of {len(chat.prompts)} are short enough. Use a smaller "
            "size."
        )
    return found


def fitting(chat: Chat, tokenizer: PreTrainedTokenizerBase, context: int | None) -> Iterator[tuple[Prompt, str, list[int]]]:
    """The prompts that leave room for an answer, each as the model reads it, as a text and in tokens.

    Raises SuiteError for one that does not, unless the suite leaves such prompts out.
    """
    settings = chat.generation
    room = math.inf if context is None else context - settings.max_new_tokens
    for prompt in chat.prompts:
        text = asked_text(tokenizer, prompt, chat.format)
        row = tokenizer.encode(text, add_special_tokens=adds_special_tokens(chat.format))
        if len(row) <= min(room, settings.max_prompt_tokens or math.inf):
            yield prompt, text, row
        elif not settings.skip_long:
            least = (
                f"the model's context of {context} has room for {room} beside {settings.max_new_tokens} new ones"
                if len(row) > room
                else f"the suite allows {settings.max_prompt_tokens}"
            )
            raise SuiteError(
                f"The prompt '{prompt.id}' has {len(row)} tokens, and {least}. Leave it out of the suite, or have all that are "
                'too long left out: "skip_long": true among the generation settings.'
            )


def _joined(parts: Iterable[Sequence[float]]) -> list[float]:
    return [number for part in parts for number in part]


def _words(texts: Sequence[str]) -> list[float]:
    return [float(len(text.split())) for text in texts]
