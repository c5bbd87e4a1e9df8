"""What tells one text from another, word by word."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

SAME, GONE, NEW = "same", "gone", "new"
"""In both texts; only in the one before; only in the one after."""

_WORD = re.compile(r"\s*\S+|\s+$")


@dataclass(frozen=True)
class Edit:
    """Neighbouring words of one kind, with the white space before them as it stands in their text."""

    kind: str
    words: str


def edits(before: str, after: str) -> tuple[Edit, ...]:
    """What makes ``after`` of ``before``: runs of words that stay, go or come.

    Those that stay and come are ``after``, character by character; those that stay and go have the words of ``before``. Where
    words are replaced, those that go stand before those that come.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    matcher = SequenceMatcher(None, [w.strip() for w in old], [w.strip() for w in new], autojunk=False)
    found = []
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            found.append(Edit(SAME, "".join(new[k:m])))
        else:
            found += [Edit(GONE, "".join(old[i:j])), Edit(NEW, "".join(new[k:m]))]
    return tuple(edit for edit in found if edit.words)


def unlike(one: str, other: str) -> float:
    """The share of both texts' words that the other lacks, 0 to 1, in whatever order they stand: cheap enough to sort by."""
    ours, theirs = Counter(one.split()), Counter(other.split())
    count = ours.total() + theirs.total()
    return 1 - 2 * (ours & theirs).total() / count if count else 0.0
