"""The evaluator: a suite's requests built once, answered by whatever weights the live model holds."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.point import REWARD
from hma.core.statistics import Result
from hma.evaluate.abilities import AbilityTask
from hma.evaluate.generation import AnswerPlan, Progress
from hma.evaluate.rewards import chat_text, open_judge
from hma.evaluate.suite import Suite

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, items done, items of the stage) after each batch; it may raise to stop."""


class Evaluator:
    """Measures one live model on one suite, again and again.

    ``timings`` holds the seconds that each stage of the last run took, by name; ``model_seconds`` the
    share of them spent in the model's own forward passes and ``generate``.
    """

    def __init__(self, suite: Suite, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        device = model.device
        context = getattr(model.config, "max_position_embeddings", None)
        self._model, self._suite = model, suite
        self._prompts = [prompt.text for prompt in suite.reward.prompts]
        generation = suite.reward.generation
        self._chat = AnswerPlan(
            [chat_text(tokenizer, prompt) for prompt in self._prompts],
            tokenizer,
            device,
            max_new_tokens=generation.max_new_tokens,
            temperature=generation.temperature,
            top_p=generation.top_p,
            seed=generation.seed,
            special_tokens=False,
            context_length=context,
        )
        self._judge = open_judge(suite.reward, device)
        self._tasks = [
            AbilityTask(ability, suite.split, suite.num_items, tokenizer, device, context) for ability in suite.abilities
        ]
        self.timings: dict[str, float] = {}

    @property
    def model_seconds(self) -> float:
        """Seconds of the last run spent in the model's own forward passes and ``generate``."""
        return self._chat.model_seconds + sum(task.model_seconds for task in self._tasks)

    def run(self, progress: StageProgress = lambda stage, done, total: None) -> dict[str, Result]:
        """Per-item results: ``reward``, then each ability."""
        self.timings = {}
        results = {REWARD: self._reward(progress)}
        for task in self._tasks:
            with self._timed(task.name):
                results[task.name] = task.result(self._model, _stage(progress, task.name))
        return results

    def _reward(self, progress: StageProgress) -> Result:
        with self._timed("chat answers"):
            answers = self._chat.answers(self._model, _stage(progress, "chat answers"))
        with self._timed("judging"):
            rewards = self._judge(self._prompts, answers)
        ids = tuple(prompt.id for prompt in self._suite.reward.prompts)
        return Result("mean", np.array(rewards).reshape(-1, 1), ids, tuple(answers))

    def _timed(self, name: str) -> _Timer:
        return _Timer(self.timings, name)


class _Timer:
    def __init__(self, timings: dict[str, float], name: str) -> None:
        self._timings, self._name = timings, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self._timings[self._name] = time.perf_counter() - self._start


def _stage(progress: StageProgress, name: str) -> Progress:
    return lambda done, total: progress(name, done, total)
