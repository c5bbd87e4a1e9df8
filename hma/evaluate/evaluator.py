"""The evaluator: a suite's requests built once, answered by whatever weights the live model holds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.point import REWARD
from hma.core.recipe import digest
from hma.core.statistics import Result, item_set
from hma.evaluate.abilities import AbilityTask
from hma.evaluate.generation import AnswerPlan
from hma.evaluate.rewards import chat_text, open_judge
from hma.evaluate.suite import Suite
from hma.evaluate.tiers import Planned, Tier

CHAT = "chat answers"
"""The name of the stage in which the model answers the chat prompts."""

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, items done, items of the stage) after each batch; it may raise to stop."""


class Evaluator:
    """Measures one live model on one suite, again and again.

    ``timings`` holds the seconds that the last run took to have each stage's questions answered, and for
    ``scoring`` them all; ``model_seconds`` the share of them spent in the model's own forward passes and
    ``generate``.
    """

    def __init__(self, suite: Suite, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, lanes: int = 1) -> None:
        """Builds every request. ``lanes`` stages run side by side, each in a thread that computes with one core.

        No stage's numbers depend on ``lanes``.
        """
        device = model.device
        context = getattr(model.config, "max_position_embeddings", None)
        self._model = model
        self._chat = _ChatPrompts(suite, tokenizer, device, context)
        self._judge = open_judge(suite.reward, device)
        self._tasks = [
            AbilityTask(ability, suite.split, suite.num_items, tokenizer, device, context, suite.ends)
            for ability in suite.abilities
        ]
        self.timings: dict[str, float] = {}
        self._lanes = ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(1,)) if lanes > 1 else None

    @property
    def model_seconds(self) -> float:
        """Seconds of the last run spent in the model's own forward passes and ``generate``, added up over stages."""
        return self._chat.planned.model_seconds + sum(task.model_seconds for task in self._tasks)

    def item_sets(self, num_items: int) -> dict[str, str]:
        """The names of the first ``num_items`` items of each metric."""
        asked = {REWARD: self._chat, **{task.name: task for task in self._tasks}}
        return {name: item_set(items.ids[:num_items], items.hashes[:num_items]) for name, items in asked.items()}

    def run(self, progress: StageProgress = lambda stage, done, total: None, start: int = 0) -> dict[str, Result]:
        """Per-item results of the items from ``start`` on: ``reward``, then each ability.

        ``progress`` may be called from several threads.
        """
        stages = {
            REWARD: partial(self._reward, start),
            **{task.name: partial(self._ability, task, start) for task in self._tasks},
        }
        seconds: dict[str, float] = {}
        if self._lanes is None:
            results = {name: stage(seconds, progress) for name, stage in stages.items()}
        else:
            running = {name: self._lanes.submit(stage, seconds, progress) for name, stage in stages.items()}
            wait(running.values())
            results = {name: stage.result() for name, stage in running.items()}
        names = [CHAT, *(task.name for task in self._tasks)]
        scoring = sum(seconds[f"scoring {name}"] for name in names)
        self.timings = {**{name: seconds[name] for name in names}, "scoring": scoring}
        return results

    def _reward(self, start: int, seconds: dict[str, float], progress: StageProgress) -> Result:
        chat = self._chat
        with _timed(seconds, CHAT):
            answers = chat.planned.responses(self._model, partial(progress, CHAT), start)
        with _timed(seconds, f"scoring {CHAT}"):
            rewards = self._judge(chat.texts[start:], answers)
        return Result("mean", np.array(rewards).reshape(-1, 1), chat.ids[start:], tuple(answers), chat.hashes[start:])

    def _ability(self, task: AbilityTask, start: int, seconds: dict[str, float], progress: StageProgress) -> Result:
        with _timed(seconds, task.name):
            responses = task.responses(self._model, partial(progress, task.name), start)
        with _timed(seconds, f"scoring {task.name}"):
            return task.scored(responses, start)


class _ChatPrompts:
    """A suite's chat prompts as the model reads them, and the plan of answering them."""

    def __init__(self, suite: Suite, tokenizer: PreTrainedTokenizerBase, device: torch.device, context: int | None) -> None:
        self.texts = [prompt.text for prompt in suite.reward.prompts]
        self.ids = tuple(prompt.id for prompt in suite.reward.prompts)
        asked = [chat_text(tokenizer, text) for text in self.texts]
        self.hashes = tuple(map(digest, asked))
        generation = suite.reward.generation

        def plan(tier: Tier) -> AnswerPlan:
            return AnswerPlan(
                asked[slice(*tier)],
                tokenizer,
                device,
                max_new_tokens=generation.max_new_tokens,
                temperature=generation.temperature,
                top_p=generation.top_p,
                seed=generation.seed,
                special_tokens=False,
                context_length=context,
                ids=self.ids[slice(*tier)],
            )

        self.planned = Planned(plan, suite.ends, suite.num_items)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started
