"""Reading: stories of up to three sentences, and questions whose answers are phrases of the story."""

from __future__ import annotations

import random

from hma.lab.words import split_of

NAMES = "anna tom mary ben lucy sam kate jack nina paul emma carl".split()
OBJECTS = "key lamp book ball coat box cup hat clock map ring bag".split()
ADJECTIVES = "big small old new warm cold heavy light red blue green yellow".split()
PLACES = "kitchen garden school park office market library station cellar hotel".split()

KINDS = (
    (
        "{name} put the {adjective} {object} in the {place} .",
        ("where is the {object} ?", "in the {place}"),
        ("what did {name} put in the {place} ?", "the {adjective} {object}"),
    ),
    (
        "{name} gave the {object} to {other} .",
        ("who has the {object} ?", "{other}"),
        ("what did {name} give to {other} ?", "the {object}"),
    ),
    (
        "{name} went to the {place} with {other} .",
        ("where did {name} go ?", "to the {place}"),
        ("who was with {name} ?", "{other}"),
    ),
    (
        "{name} bought a {adjective} {object} .",
        ("what did {name} buy ?", "a {adjective} {object}"),
        ("who bought a {object} ?", "{name}"),
    ),
)
"""Kinds of sentences, each with two questions and their answers. Names, objects and places differ within a story."""


def story(draw: random.Random, split: str, num_sentences: int = 3) -> tuple[str, list[tuple[str, str]]]:
    """A story of one split and its (question, answer) pairs in random order, two a sentence."""
    while True:
        text, pairs = _story(draw, num_sentences)
        if split_of(text) == split:
            return text, pairs


def _story(draw: random.Random, num_sentences: int) -> tuple[str, list[tuple[str, str]]]:
    names = draw.sample(NAMES, 2 * num_sentences)
    objects, places = draw.sample(OBJECTS, num_sentences), draw.sample(PLACES, num_sentences)
    sentences, pairs = [], []
    for i in range(num_sentences):
        words = {
            "name": names[i],
            "other": names[i + num_sentences],
            "object": objects[i],
            "place": places[i],
            "adjective": draw.choice(ADJECTIVES),
        }
        sentence, *asked = draw.choice(KINDS)
        sentences.append(sentence.format(**words))
        pairs += [(question.format(**words), answer.format(**words)) for question, answer in asked]
    draw.shuffle(pairs)
    return " ".join(sentences), pairs


def asked(text: str, question: str) -> str:
    """What a reader is given: the story and the question."""
    return f"story : {text} question : {question}"
