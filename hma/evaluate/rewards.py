"""Rewards that judge each answer by itself: programs and reward models. Larger is better."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from hma.errors import MeasureError, SuiteError
from hma.evaluate.batches import Batches
from hma.evaluate.formats import CHAT_TEMPLATE, adds_special_tokens, judged_text
from hma.evaluate.programs import load_program, program_files
from hma.evaluate.prompts import Prompt

Judge = Callable[[Sequence[Prompt], Sequence[str]], list[float]]
"""(prompts, answers) to one reward an answer."""

BATCH_SIZE = 64
"""Texts of one forward pass of a reward model."""


def program(name: str) -> Judge:
    """A judge from a reward program, a function of (the prompt's text, the answer) that gives a number."""
    function = load_program(name)

    def judged(prompts: Sequence[Prompt], answers: Sequence[str]) -> list[float]:
        return [_asked(name, function, prompt, answer) for prompt, answer in zip(prompts, answers, strict=True)]

    return judged


def _asked(name: str, function: Callable[[str, str], float], prompt: Prompt, answer: str) -> float:
    """What a reward program gives. Raises MeasureError, with the line of its own files, where it fails or gives no number."""
    try:
        given = function(prompt.text, answer)
    except Exception as error:  # whatever its own lines raise
        place = _failed(error, {str(file) for file in program_files(name).values()})
        if place is None:
            raise  # It may be the device that failed, which is not the program's mistake alone.
        problem = f"failed at {place}: {type(error).__name__}: {str(error).rstrip('.')}"
    else:
        try:
            if math.isfinite(reward := float(given)):
                return reward
        except (TypeError, ValueError, OverflowError):
            pass
        code = getattr(function, "__code__", None)
        written = f"({Path(code.co_filename).name}, line {code.co_firstlineno}) " if code else ""
        problem = f"{written}gave {given!r:.60}, expected a finite number"
    raise MeasureError(
        f"The reward program '{name}' {problem}. It was given the prompt '{prompt.id}', which begins {prompt.text[:60]!r}, and "
        f"an answer that begins {answer[:60]!r}. Nothing was stored; mend it and measure again."
    )


def _failed(error: Exception, files: Collection[str]) -> str | None:
    """The innermost line of these files that an error passed. None for one that a device or the system may have raised.

    A RuntimeError is a program's own where a ``raise`` of its files, or Python itself, raised it.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename in files]
    by_python = isinstance(error, RecursionError | NotImplementedError)
    raised = bool(own) and own[-1] is frames[-1] and (own[-1].line or "").startswith("raise ")
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and not (by_python or raised)):
        return None
    if not own:
        return "its call"
    return f"line {own[-1].lineno} of {Path(own[-1].filename).name}" + (f" ({own[-1].line!r:.80})" if own[-1].line else "")


class RewardModel:
    """An ``AutoModelForSequenceClassification`` with one label; its raw logit is the reward.

    It reads prompt and answer in a ``format``, its own chat template by default. Texts are batched by length, or read one
    by one where tokenizer and config name no common pad token: what one gets does not depend on its neighbours beyond
    rounding.
    """

    def __init__(self, folder: Path, device: torch.device, format: str = CHAT_TEMPLATE, batch_size: int = BATCH_SIZE) -> None:
        """Raises SuiteError for a folder that is no reward model: it does not open, has other than one label or weights that
        are missing, or lacks the chat template that it needs."""
        self._name, self._format = folder.name, format
        try:
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            self._tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise SuiteError(f"The reward model {folder} cannot be opened: {reason_of(error)}") from None
        _check(folder, config, self._tokenizer, format)
        self._model = _opened(folder).to(device).eval()
        self._longest = getattr(config, "max_position_embeddings", None) or math.inf
        pads = self._tokenizer.pad_token_id is not None and self._tokenizer.pad_token_id == config.pad_token_id
        self._device, self._batch_size = device, batch_size if pads else 1
        self.note = ""
        """What a person should know of how it judged."""
        self._tokenizer.padding_side = "right"  # After the text, where it changes no position of an absolute kind.

    def check(self, prompts: Sequence[Prompt]) -> None:
        """Raise SuiteError for a prompt that is too long for the model by itself: it could judge no answer to it."""
        for prompt, row in zip(prompts, self._rows(prompts, [""] * len(prompts)), strict=True):
            if len(row) > self._longest:
                raise SuiteError(
                    f"The prompt '{prompt.id}' has {len(row)} tokens, without an answer; the reward model {self._name} reads "
                    f"{self._longest}. Leave it out of the suite."
                )

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> list[float]:
        """The logit of each answer. Raises MeasureError, before any forward pass, for a text longer than the model reads."""
        rows = self._tokenised(prompts, answers)
        rewards = [0.0] * len(rows)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))

        def judged(places: Sequence[int]) -> list[tuple[int, float]]:
            logits = self._model(**self._inputs([rows[i] for i in places])).logits
            return list(zip(places, logits[:, 0].float().tolist(), strict=True))

        batches = Batches(order, list, self._batch_size, f"the reward model {self._name}")
        for found in batches.each(judged):
            for place, logit in found:
                rewards[place] = logit
        self._batch_size, self.note = batches.size, batches.note or self.note
        return finite(rewards, prompts, f"The reward model {self._name}")

    def _inputs(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        if len(rows) == 1:
            return {"input_ids": torch.tensor(rows, device=self._device)}
        padded = self._tokenizer.pad({"input_ids": rows}, return_tensors="pt")
        return {name: padded[name].to(self._device) for name in ("input_ids", "attention_mask")}

    def _tokenised(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> list[list[int]]:
        rows = self._rows(prompts, answers)
        for prompt, row in zip(prompts, rows, strict=True):
            if len(row) > self._longest:
                raise MeasureError(
                    f"The prompt '{prompt.id}' with its answer has {len(row)} tokens; the reward model {self._name} reads "
                    f"{self._longest}. Ask for shorter answers in the suite (max_new_tokens), or leave out the prompt."
                )
        return rows

    def _rows(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> list[list[int]]:
        texts = [judged_text(self._tokenizer, p, a, self._format) for p, a in zip(prompts, answers, strict=True)]
        return self._tokenizer(texts, add_special_tokens=adds_special_tokens(self._format))["input_ids"] if texts else []


def _check(folder: Path, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase, format: str) -> None:
    """Raise SuiteError for what keeps a reward model from judging, before its weights are read."""
    if config.num_labels != 1:
        raise SuiteError(
            f"The reward model {folder.name} has {config.num_labels} labels; a reward needs exactly one. "
            "Choose a model that was trained to give one number."
        )
    judged_text(tokenizer, Prompt("probe", ("a",)), "b", format)


def _opened(folder: Path) -> PreTrainedModel:
    try:
        model, info = AutoModelForSequenceClassification.from_pretrained(
            folder, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise SuiteError(f"The reward model {folder} cannot be opened: {reason_of(error)}") from None
    if missing := sorted(info["missing_keys"]):
        raise SuiteError(
            f"The reward model {folder} has no weights for {missing[0]}, which would be left to chance. "
            "Choose a model that was trained as a reward model."
        )
    return model


def reason_of(error: Exception) -> str:
    """Why transformers does not open a judge's folder. Code of its own is never run; unsaid, transformers would ask."""
    if "trust_remote_code" in str(error):
        return "it needs Python code of its own, which is not run for a judge. Choose one that transformers has the code of."
    return str(error)


def finite(rewards: Sequence[float], prompts: Sequence[Prompt], judge: str) -> list[float]:
    """The rewards themselves. Raises MeasureError for one that is no number."""
    for prompt, reward in zip(prompts, rewards, strict=True):
        if not math.isfinite(reward):
            raise MeasureError(
                f"{judge} gave {reward} for the answer to '{prompt.id}'. Nothing was stored; mend it and measure again."
            )
    return list(rewards)
