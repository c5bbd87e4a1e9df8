"""Translation: English into an invented language that puts the verb last and the article after its noun."""

from __future__ import annotations

import random

from hma.lab.stories import ADJECTIVES
from hma.lab.words import invented, split_of

NOUNS = "dog cat bird horse king queen child man woman farmer river house tree boat stone apple".split()
VERBS = "sees likes finds hears follows paints needs carries".split()
ADVERBS = "today often never again soon".split()
PREPOSITIONS = "near behind under".split()
ARTICLES = {"the": "lo", "a": "uni"}

LEXICON = {
    **ARTICLES,
    **dict(zip(NOUNS, invented(len(NOUNS), "CVCV", seed=1), strict=True)),
    **dict(zip(ADJECTIVES, invented(len(ADJECTIVES), "VCVE", seed=2), strict=True)),
    **dict(zip(VERBS, invented(len(VERBS), "CVEV", seed=3), strict=True)),
    **dict(zip(ADVERBS, invented(len(ADVERBS), "CVE", seed=4), strict=True)),
    **dict(zip(PREPOSITIONS, invented(len(PREPOSITIONS), "VCV", seed=5), strict=True)),
}
"""English word to invented word, one to one."""


def sentence(draw: random.Random, split: str) -> str:
    """An English sentence of one split: subject, verb, object, sometimes a place and an adverb."""
    while True:
        words = [*_noun_phrase(draw), draw.choice(VERBS), *_noun_phrase(draw)]
        if draw.random() < 0.4:
            words += [draw.choice(PREPOSITIONS), *_noun_phrase(draw)]
        if draw.random() < 0.4:
            words.append(draw.choice(ADVERBS))
        text = " ".join(words)
        if split_of(text) == split:
            return text


def _noun_phrase(draw: random.Random) -> list[str]:
    adjectives = draw.sample(ADJECTIVES, draw.choice((0, 0, 1, 1, 1, 2)))
    return [draw.choice(tuple(ARTICLES)), *adjectives, draw.choice(NOUNS)]


def translated(english: str) -> str:
    """The invented sentence: adverb, subject, place, object, verb; in a phrase the noun, its adjectives, its article.

    A preposition follows its phrase. Raises KeyError for a word that the language lacks.
    """
    phrases: list[list[str]] = [[]]
    adverb, preposition, verb = [], [], []
    for word in english.split():
        if word in VERBS:
            verb.append(LEXICON[word])
            phrases.append([])
        elif word in PREPOSITIONS:
            preposition.append(LEXICON[word])
            phrases.append([])
        elif word in ADVERBS:
            adverb.append(LEXICON[word])
        else:
            phrases[-1].insert(0, LEXICON[word])
    # Reversed, a phrase reads noun, second adjective, first adjective, article.
    subject, *others = phrases
    objects, places = others[0], others[1:]
    return " ".join([*adverb, *subject, *(places[0] if places else []), *preposition, *objects, *verb])


def asked(english: str) -> str:
    """What a translator is given."""
    return f"translate : {english}"
