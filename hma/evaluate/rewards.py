"""Rewards: what judges a chat answer. Every judge is called with the person's texts and the answers."""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from hma.errors import MeasureError, SuiteError
from hma.evaluate import sources
from hma.evaluate.suite import Reward

Judge = Callable[[Sequence[str], Sequence[str]], list[float]]
"""(prompts, answers) to one reward an answer, larger is better."""


def open_judge(reward: Reward, device: torch.device) -> Judge:
    """The judge that a suite names, ready to be called."""
    return program(reward.judge) if reward.kind == "program" else RewardModel(reward.judge, device)


_loaded: dict[str, str] = {}
"""Modules of reward programs that this process has loaded, with the hash of each one's file at that time."""


def program(judge: str) -> Judge:
    """A judge from ``module:function``, where the function takes (prompt, answer) and gives a number.

    One whose files changed since this process loaded it is loaded afresh.
    """
    module, _, attribute = judge.partition(":")
    files = sources.program_files(judge)
    hashes = {name: sources.hash_of(file) for name, file in files.items()}
    if any(_loaded.get(name, now) != now for name, now in hashes.items()):
        for stale, file in files.items():
            sys.modules.pop(stale, None)
            Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)  # It is dated to the second only.
        importlib.invalidate_caches()
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever the module's own lines raise
        raise SuiteError(f"The reward program '{judge}' cannot be loaded: {type(error).__name__}: {error}.") from error
    _loaded.update(hashes)

    def judged(prompts: Sequence[str], answers: Sequence[str]) -> list[float]:
        rewards = [float(function(p, a)) for p, a in zip(prompts, answers, strict=True)]
        return _finite(rewards, judge)

    return judged


class RewardModel:
    """An ``AutoModelForSequenceClassification`` with one label; its raw logit is the reward.

    The text is the model's own chat template over the prompt and the answer. Raises SuiteError for a
    model that does not open, has other than one label, no chat template or no padding, and in calls for
    a text that is longer than it can read.
    """

    def __init__(self, source: str, device: torch.device, batch_size: int = 64) -> None:
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(source)
            self._model = AutoModelForSequenceClassification.from_pretrained(source).to(device).eval()
        except (OSError, ValueError) as error:
            raise SuiteError(f"The reward model {source} cannot be opened: {error}") from None
        labels = self._model.config.num_labels
        if labels != 1:
            raise SuiteError(f"The reward model {Path(source).name} has {labels} labels; a reward needs exactly one.")
        if self._tokenizer.chat_template is None:
            raise SuiteError(f"The reward model {source} has no chat template. Add chat_template.jinja to its folder.")
        if self._tokenizer.pad_token_id is None or self._model.config.pad_token_id is None:
            raise SuiteError(f"The reward model {source} names no pad token. Set pad_token in its tokenizer and config.")
        self._longest = getattr(self._model.config, "max_position_embeddings", None) or math.inf
        self._device, self._batch_size = device, batch_size

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[str], answers: Sequence[str]) -> list[float]:
        texts = [judged_text(self._tokenizer, p, a) for p, a in zip(prompts, answers, strict=True)]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        rewards = [0.0] * len(texts)
        for start in range(0, len(order), self._batch_size):
            places = order[start : start + self._batch_size]
            encoded = self._tokenizer([texts[i] for i in places], padding=True, add_special_tokens=False, return_tensors="pt")
            length = encoded["input_ids"].shape[1]
            if length > self._longest:
                raise MeasureError(
                    f"An answer with its prompt has {length} tokens; the reward model reads {self._longest}. "
                    "Ask for shorter answers in the suite (max_new_tokens)."
                )
            encoded = {k: v.to(self._device) for k, v in encoded.items() if k in ("input_ids", "attention_mask")}
            for place, logit in zip(places, self._model(**encoded).logits[:, 0].tolist(), strict=True):
                rewards[place] = logit
        return _finite(rewards, "the reward model")


def chat_text(tokenizer: PreTrainedTokenizerBase, prompt: str) -> str:
    """A person's text in the tokenizer's chat template, ready for the assistant's answer."""
    if tokenizer.chat_template is None:
        raise SuiteError(
            "The checkpoint's tokenizer has no chat template, so chat prompts cannot be asked. "
            "Add chat_template.jinja to the policy's folder."
        )
    return tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)


def judged_text(tokenizer: PreTrainedTokenizerBase, prompt: str, answer: str) -> str:
    """Prompt and answer in the chat template, as a reward model reads them."""
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return tokenizer.apply_chat_template(messages, tokenize=False)


def _finite(rewards: list[float], judge: str) -> list[float]:
    for place, reward in enumerate(rewards):
        if not math.isfinite(reward):
            raise MeasureError(f"{judge} gave {reward} for answer {place}. Nothing was stored; mend the judge and measure again.")
    return rewards
