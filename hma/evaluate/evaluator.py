"""The evaluator: a suite's requests built once, answered by whatever weights the live model holds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hma.core.statistics import Result, item_set
from hma.evaluate.abilities import AbilityTask
from hma.evaluate.generation import Answer
from hma.evaluate.judging import ChatStage, Columns, Judges, WriteEnd
from hma.evaluate.suite import Suite

CHAT = "chat answers"
"""The name of the stage in which the model answers the chat prompts."""

BASELINE = "answers to compare with"
"""The name of the stage in which an end of the pair answers them."""

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, items done, items of the stage) after each batch; it may raise to stop."""


class Evaluator:
    """Measures one live model on one suite, again and again.

    ``timings`` holds the seconds that the last run took to have each stage's questions answered, and for
    ``scoring`` them all; ``model_seconds`` the share of them spent in the model's own forward passes and
    ``generate``.
    """

    def __init__(
        self,
        suite: Suite,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        lanes: int = 1,
        write_end: WriteEnd | None = None,
        judges: Judges | None = None,
    ) -> None:
        """Builds every request. ``lanes`` stages run side by side, each in a thread that computes with one core.

        No stage's numbers depend on ``lanes``. ``write_end`` is for a suite with rewards that compare with the pair's ends.
        Evaluators share the models among ``judges``.
        """
        device = model.device
        context = getattr(model.config, "max_position_embeddings", None)
        self._model = model
        self._chat = ChatStage(suite, model, tokenizer, write_end, judges)
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

    @property
    def notes(self) -> dict[str, str]:
        """What a person should know of how a stage is measured, by its name; only of those that have something to say."""
        said = {CHAT: self._chat.note, **{task.name: task.note for task in self._tasks}}
        return {stage: note for stage, note in said.items() if note}

    def item_sets(self, num_items: int) -> dict[str, str]:
        """The names of the first ``num_items`` items of each metric."""
        asked = {**dict.fromkeys(self._chat.names, self._chat), **{task.name: task for task in self._tasks}}
        return {name: item_set(items.ids[:num_items], items.hashes[:num_items]) for name, items in asked.items()}

    def set_out(self, progress: StageProgress = lambda stage, done, total: None, start: int = 0) -> None:
        """Have the pair's ends answer what rewards compare with. To be called before a merge is written.

        They are asked once, and their answers kept.
        """
        self._chat.set_out(start, partial(progress, BASELINE))

    def run(self, progress: StageProgress = lambda stage, done, total: None, start: int = 0) -> dict[str, Result]:
        """Per-item results of the items from ``start`` on: ``reward``, the other chat scores, then each ability.

        ``progress`` may be called from several threads. The live model may hold the reference after it.
        """
        stages = [partial(self._answered, start), *(partial(self._ability, task, start) for task in self._tasks)]
        seconds: dict[str, float] = {}
        if self._lanes is None:
            found = [stage(seconds, progress) for stage in stages]
        else:
            running = [self._lanes.submit(stage, seconds, progress) for stage in stages]
            wait(running)
            found = [stage.result() for stage in running]
        columns, answers = found[0]
        with _timed(seconds, "scoring against the reference"):
            columns = self._chat.compared(columns, answers, start)
        scoring = sum(taken for name, taken in seconds.items() if name.startswith("scoring "))
        names = [task.name for task in self._tasks]
        self.timings = {**{name: seconds[name] for name in (CHAT, *names)}, "scoring": scoring}
        return {**self._chat.results(columns, answers, start), **dict(zip(names, found[1:], strict=True))}

    def _answered(self, start: int, seconds: dict[str, float], progress: StageProgress) -> tuple[Columns, list[Answer]]:
        with _timed(seconds, CHAT):
            answers = self._chat.answers(partial(progress, CHAT), start)
        with _timed(seconds, f"scoring {CHAT}"):
            return self._chat.judged(answers, start), answers

    def _ability(self, task: AbilityTask, start: int, seconds: dict[str, float], progress: StageProgress) -> Result:
        with _timed(seconds, task.name):
            responses = task.responses(self._model, partial(progress, task.name), start)
        with _timed(seconds, f"scoring {task.name}"):
            return task.scored(responses, start)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started
