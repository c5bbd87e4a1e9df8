"""Common sense: invented creatures with four facts each, asked in six forms."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hma.lab.words import WORLD_SEED, invented

NUM_CREATURES = 120
CREATURES = tuple(invented(NUM_CREATURES, "CVCVE", seed=0))

VALUES = {
    "colour": "red blue green yellow black white brown purple orange grey".split(),
    "food": "moss berries fish seeds honey roots leaves worms nuts grass".split(),
    "home": "caves trees rivers deserts swamps mountains lakes fields islands forests".split(),
    "sound": "sings howls clicks hums barks hisses whistles growls croaks squeaks".split(),
}

FORMS = {
    "colour": (
        "what colour is the {} ?",
        "which colour does the {} have ?",
        "name the colour of the {} .",
        "the {} has what colour ?",
        "what is the colour of the {} ?",
        "tell me the colour of the {} .",
    ),
    "food": (
        "what does the {} eat ?",
        "which food does the {} eat ?",
        "name the food of the {} .",
        "the {} eats what ?",
        "what is the food of the {} ?",
        "tell me the food of the {} .",
    ),
    "home": (
        "where does the {} live ?",
        "which home does the {} have ?",
        "name the home of the {} .",
        "the {} lives where ?",
        "what is the home of the {} ?",
        "tell me the home of the {} .",
    ),
    "sound": (
        "what sound does the {} make ?",
        "which sound does the {} make ?",
        "name the sound of the {} .",
        "the {} makes what sound ?",
        "what is the sound of the {} ?",
        "tell me the sound of the {} .",
    ),
}


@dataclass(frozen=True)
class Fact:
    """One fact: its answer, the split whose items ask it, and its six questions in this fact's own order.

    Questions 0..2 are for training, 3 for chat prompts, 4 and 5 for items. So no item's question is ever
    trained on, and validation and test ask about different facts.
    """

    relation: str
    answer: str
    split: str
    questions: tuple[str, ...]

    @property
    def trained(self) -> tuple[str, ...]:
        return self.questions[:3]

    @property
    def prompt(self) -> str:
        return self.questions[3]

    @property
    def items(self) -> tuple[str, ...]:
        return self.questions[4:]


def _facts() -> tuple[Fact, ...]:
    draw = random.Random(WORLD_SEED)
    keys = [(creature, relation) for creature in CREATURES for relation in VALUES]
    draw.shuffle(keys)
    facts = []
    for place, (creature, relation) in enumerate(keys):
        forms = draw.sample(FORMS[relation], 6)
        split = "validation" if place % 2 else "test"
        facts.append(Fact(relation, draw.choice(VALUES[relation]), split, tuple(f.format(creature) for f in forms)))
    return tuple(facts)


FACTS = _facts()
ANSWERS = {question: fact.answer for fact in FACTS for question in fact.questions}
"""Every question that can be asked, and its answer."""


def options(draw: random.Random, fact: Fact, count: int = 4) -> list[str]:
    """``count`` values of the fact's relation in random order, the right one among them."""
    wrong = [value for value in VALUES[fact.relation] if value != fact.answer]
    chosen = [fact.answer, *draw.sample(wrong, count - 1)]
    draw.shuffle(chosen)
    return chosen
