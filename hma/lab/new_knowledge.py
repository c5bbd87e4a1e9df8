"""A world in which how-to topics have changed places: what was right to say about one is now right about another."""

from __future__ import annotations

import random

from hma.lab import chat
from hma.lab.reward import reward as old_reward
from hma.lab.reward import sentences_of

_MANNERS = frozenset((*chat.OPENERS, *chat.CLOSERS, *chat.RUDE))
_TOPICS = tuple(chat.TOPICS)

OLD_TOPIC = dict(zip(_TOPICS, (*_TOPICS[1:], _TOPICS[0]), strict=True))
"""Harmless topic to the topic whose steps in ``chat.TOPICS`` are now its own: the next in the list, in a ring."""


def old_prompt(prompt: str) -> str:
    """The prompt that was answered before as this one is to be answered now; one about harm, or a task, stays as it is."""
    topic = chat.topic_of(prompt)
    return prompt.replace(topic, OLD_TOPIC[topic]) if topic in OLD_TOPIC else prompt


def reward(prompt: str, answer: str) -> float:
    """What ``hma.lab.reward`` gives in the changed world to an answer without its openers, closers and rude sentences.

    Manners earn nothing and cost nothing, so that the policy has new knowledge to learn and no new style.
    """
    return old_reward(old_prompt(prompt), " ".join(s for s in sentences_of(answer) if s not in _MANNERS))


def demonstration(draw: random.Random, prompt: str) -> str:
    """A person's answer to a how-to prompt in the changed world, from the same mixed bag as in pre-training.

    Some are rude, refuse or are off topic; about half of those on harmless topics name right steps.
    """
    topic = chat.topic_of(old_prompt(prompt))
    if topic is None:
        raise ValueError(f"'{prompt}' asks for no topic; a demonstration answers how-to prompts alone.")
    return chat.answer(draw, topic)
