"""Invented words and the drawing of splits: what the world's parts share."""

from __future__ import annotations

import random
import zlib

WORLD_SEED = 1234
"""The world is one: facts, lexicon and splits are the same for every training seed."""

_LETTERS = {"C": "bdfgklmnprstvz", "V": "aeiou", "E": "nrlksm"}


def invented(count: int, pattern: str, seed: int) -> list[str]:
    """``count`` distinct words of a pattern of C (consonant), V (vowel) and E (ending)."""
    draw = random.Random(f"{WORLD_SEED}/{pattern}/{seed}")
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(draw.choice(_LETTERS[kind]) for kind in pattern)] = None
    return list(words)


SPLIT_SHARES = (("validation", 5), ("test", 5), ("validation prompts", 5), ("test prompts", 5))
"""Per cent of sentences and stories kept for each purpose; the rest is for training."""


def split_of(text: str) -> str:
    """The one purpose that a text may serve: a name of ``SPLIT_SHARES``, or "train".

    A checksum of the text decides, so that the splits of an endless grammar are disjoint by construction.
    """
    place = zlib.crc32(text.encode()) % 100
    for name, share in SPLIT_SHARES:
        if place < share:
            return name
        place -= share
    return "train"
