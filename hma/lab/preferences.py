"""Preference pairs: two answers to one prompt, and which of them a noisy judge prefers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from hma.lab import chat, facts, translation
from hma.lab.prompts import draw_prompts
from hma.lab.reward import reward as transparent
from hma.lab.reward import right_answer, sentences_of

STEEPNESS = 1.5
"""A judge prefers the better answer with probability sigmoid(STEEPNESS * difference in reward)."""


@dataclass(frozen=True)
class Preference:
    """Two answers to one prompt. ``preferred`` and ``other`` by the judge, ``margin`` by the program: reward of the
    preferred less reward of the other, below 0 where the judge was wrong."""

    prompt: str
    preferred: str
    other: str
    margin: float


def draw_preferences(
    split: str,
    count: int,
    task_share: float,
    seed: int,
    noisy: bool = True,
    reward: Callable[[str, str], float] = transparent,
) -> list[Preference]:
    """``count`` preferences on prompts of a split by a program, ``reward``, that tells the two always apart.

    ``noisy`` False for held-out pairs, which the program itself decides.
    """
    draw = random.Random(f"preferences/{split}/{seed}")
    pairs: list[Preference] = []
    prompts = draw_prompts(draw, split, count, task_share)
    while len(pairs) < count:
        prompt = prompts[len(pairs)]
        first, second = _answer(draw, prompt), _answer(draw, prompt)
        margin = reward(prompt, first) - reward(prompt, second)
        if abs(margin) < 1e-9:
            continue
        chance = 1 / (1 + math.exp(-STEEPNESS * margin)) if noisy else float(margin > 0)
        if draw.random() < chance:
            pairs.append(Preference(prompt, first, second, margin))
        else:
            pairs.append(Preference(prompt, second, first, -margin))
    return pairs


def _answer(draw: random.Random, prompt: str) -> str:
    """An answer as the reference might give it; three in ten are damaged."""
    topic = chat.topic_of(prompt)
    given = _short(draw, prompt) if topic is None else chat.answer(draw, topic)
    return damaged(draw, given) if draw.random() < 0.3 else given


def _short(draw: random.Random, prompt: str) -> str:
    """A right answer to a question, or a wrong one; alone or chatty."""
    given = right_answer(prompt)
    assert given is not None
    if draw.random() < 0.4:
        if prompt in facts.ANSWERS:
            given = draw.choice([value for values in facts.VALUES.values() for value in values])
        else:
            given = translation.translated(translation.sentence(draw, "train"))
    return chat.chatty(draw, given) if draw.random() < 0.5 else given


def damaged(draw: random.Random, answer: str) -> str:
    """The answer with words shuffled or missing, or with a sentence twice or out of place."""
    words, sentences = answer.split(), sentences_of(answer)
    kind = draw.randrange(4)
    if kind == 0:
        start = draw.randrange(len(words))
        end = min(len(words), start + draw.randrange(3, 9))
        middle = words[start:end]
        draw.shuffle(middle)
        return " ".join([*words[:start], *middle, *words[end:]])
    if kind == 1:
        return " ".join([word for word in words if draw.random() > 0.15] or ["."])
    extra = draw.choice(sentences if kind == 2 else [*chat.OPENERS, *chat.SAFE, *chat.CLOSERS])
    sentences.insert(draw.randrange(len(sentences) + 1), extra)
    return " ".join(sentences)
