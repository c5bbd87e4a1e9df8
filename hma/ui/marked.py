"""Texts with their differences marked, as HTML in which every word of theirs is escaped."""

from __future__ import annotations

from html import escape

from hma.core.edits import GONE, NEW, Edit, edits
from hma.text import printable

_TAGS = {GONE: ("del", "−"), NEW: ("ins", "+")}
"""What is not in both has a tag of its own, which the style sheet draws, and a sign: it does not hang on colour."""


def differences(before: str, after: str) -> str:
    """``after`` with the words that it has beside ``before``'s, and in their places those that it lacks."""
    return f'<div class="hma-marked">{"".join(map(_piece, edits(before, after)))}</div>'


def _piece(edit: Edit) -> str:
    words = edit.words.strip()
    if edit.kind not in _TAGS or not words:
        return escape(printable(edit.words))
    tag, sign = _TAGS[edit.kind]
    space = edit.words[: len(edit.words) - len(edit.words.lstrip())]
    return f"{space}<{tag}><b>{sign}</b>{escape(printable(words))}</{tag}>"
