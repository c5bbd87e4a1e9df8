"""Formats: how a prompt is put to a model, and how a prompt with its answer is put to a judge.

A format is the tokenizer's ``chat template``, ``hh-rlhf`` (``###Human: … ###Assistant: …``), or a text of one's own
in which ``{prompt}`` and, for judges, ``{answer}`` stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hma.errors import SuiteError
from hma.evaluate.prompts import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHAT_TEMPLATE, HH_RLHF = "chat template", "hh-rlhf"

HUMAN = "###Human:"
"""What begins a person's turn in ``hh-rlhf`` [HMA's code]; an answer that goes on to write one is cut there."""

_ASSISTANT = "###Assistant:"


def checked_format(format: str, *, answered: bool) -> str:
    """``format`` itself, of prompts or (``answered``) of prompts with answers. Raises ValueError for what is none."""
    fields = ("{prompt}", "{answer}") if answered else ("{prompt}",)
    if format in (CHAT_TEMPLATE, HH_RLHF) or all(field in format for field in fields):
        return format
    raise ValueError(f"'format' is {format!r}, expected '{CHAT_TEMPLATE}', '{HH_RLHF}', or a text with {' and '.join(fields)}")


def adds_special_tokens(format: str) -> bool:
    """Whether the tokenizer is to add its special tokens to a text of this format: a chat template writes its own."""
    return format != CHAT_TEMPLATE


def asked_text(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, format: str = CHAT_TEMPLATE) -> str:
    """The prompt as a model reads it, ready for the assistant's answer."""
    if format == CHAT_TEMPLATE:
        return _templated(tokenizer, prompt, prompt.turns, add_generation_prompt=True)
    if format == HH_RLHF:
        return f"{_hh_rlhf(prompt.turns)} {_ASSISTANT}"
    return format.replace("{prompt}", prompt.text)


def judged_text(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, answer: str, format: str = CHAT_TEMPLATE) -> str:
    """The prompt with an answer as a judge reads them."""
    if format == CHAT_TEMPLATE:
        return _templated(tokenizer, prompt, (*prompt.turns, answer))
    if format == HH_RLHF:
        return _hh_rlhf((*prompt.turns, answer.strip()))
    before, after = format.split("{prompt}", 1)  # Neither text is looked through for the other's place.
    return before.replace("{answer}", answer) + prompt.text + after.replace("{answer}", answer)


def _hh_rlhf(turns: tuple[str, ...]) -> str:
    return " ".join(f"{_ASSISTANT if i % 2 else HUMAN} {turn}" for i, turn in enumerate(turns))


def _templated(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, turns: tuple[str, ...], **options: bool) -> str:
    if tokenizer.chat_template is None:
        raise SuiteError(
            f"The tokenizer of {tokenizer.name_or_path} has no chat template. Add chat_template.jinja to its folder, or name a "
            f"format in the suite: '{HH_RLHF}', or a text with {{prompt}} in it."
        )
    messages = [{"role": "assistant" if i % 2 else "user", "content": turn} for i, turn in enumerate(turns)]
    try:
        return tokenizer.apply_chat_template(messages, tokenize=False, **options)
    except Exception as error:  # A template is a program of its own, and raises what it likes.
        raise SuiteError(
            f"The chat template of {tokenizer.name_or_path} does not take the prompt '{prompt.id}' of {len(prompt.turns)} "
            f"turns: {error}. Leave the prompt out, or name another format in the suite."
        ) from error
