"""The pre-training corpus: dialogues about everything in the world, drawn without end from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hma.lab import chat, facts, stories, translation

Turn = tuple[str, str]
"""A person's text and the assistant's answer."""

Dialogue = list[Turn]


@dataclass(frozen=True)
class Mixture:
    """Dialogues of each kind in one training step, and the share of short answers that are given chattily."""

    facts: int = 9
    translations: int = 4
    chats: int = 8
    stories: int = 16
    questions_a_story: int = 4
    copies: int = 12
    copying_steps: int = 400
    chatty_share: float = 0.12


def batches(mixture: Mixture, draw: random.Random, step: int) -> tuple[list[Dialogue], list[Dialogue]]:
    """Short dialogues of one turn, early on with words to copy; and long ones, stories with several questions."""
    short = [[_maybe_chatty(draw, fact_turn(draw), mixture.chatty_share)] for _ in range(mixture.facts)]
    short += [[_maybe_chatty(draw, translation_turn(draw), mixture.chatty_share)] for _ in range(mixture.translations)]
    short += [[chat_turn(draw)] for _ in range(mixture.chats)]
    if step < mixture.copying_steps:
        short += [[copy_turn(draw)] for _ in range(mixture.copies)]
    return short, [story_dialogue(draw, mixture) for _ in range(mixture.stories)]


def fact_turn(draw: random.Random) -> Turn:
    """A fact asked in one of its trained forms, and its short answer."""
    fact = draw.choice(facts.FACTS)
    return draw.choice(fact.trained), fact.answer


def translation_turn(draw: random.Random, split: str = "train") -> Turn:
    english = translation.sentence(draw, split)
    return translation.asked(english), translation.translated(english)


def chat_turn(draw: random.Random) -> Turn:
    """A training prompt and an answer from the mixed bag."""
    prompt = draw.choice(chat.PROMPTS["train"])
    topic = chat.topic_of(prompt)
    assert topic is not None
    return prompt, chat.answer(draw, topic)


def story_dialogue(draw: random.Random, mixture: Mixture) -> Dialogue:
    """A story with its first question, then more questions about it."""
    text, pairs = stories.story(draw, "train", draw.choice((1, 2, 3, 3)))
    pairs = pairs[: mixture.questions_a_story]
    turns = [_maybe_chatty(draw, pair, mixture.chatty_share) for pair in pairs]
    first = stories.asked(text, turns[0][0]), turns[0][1]
    return [first, *((f"question : {question}", answer) for question, answer in turns[1:])]


def copy_turn(draw: random.Random) -> Turn:
    """Words to be repeated: what teaches a small model to look back, early in training."""
    words = draw.sample([*stories.NAMES, *stories.OBJECTS, *stories.PLACES, *stories.ADJECTIVES], draw.choice((4, 6, 8)))
    return "story : " + " ".join(words), " ".join(words)


def _maybe_chatty(draw: random.Random, turn: Turn, share: float) -> Turn:
    return (turn[0], chat.chatty(draw, turn[1])) if draw.random() < share else turn
