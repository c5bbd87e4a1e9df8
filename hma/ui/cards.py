"""A model card as HTML: its headings, lists, tables and code, and everything else in it as the text that stands there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any

_BLOCKS = ("heading", "table", "list", "fence", "blockquote")
_INLINE = ("backticks", "escape", "image")
"""Links and raw HTML are not among these, so they stay text: what a card says may come from anywhere."""


@lru_cache(maxsize=64)
def html(card: str) -> str:
    """The card, with tables that scroll by themselves, and pictures as their descriptions: only their folder has them."""
    from markdown_it import MarkdownIt  # Not before there is a card to show.

    reader = MarkdownIt("zero", {"html": False}).enable([*_BLOCKS, *_INLINE])
    reader.add_render_rule("image", _described)
    for tag in ("table_open", "table_close"):
        reader.add_render_rule(tag, _scrolling)
    return f'<div class="hma-card">{reader.render(card)}</div>'


def _described(_: Any, tokens: Sequence[Any], place: int, *__: Any) -> str:
    return f"<em>Picture: {escape(tokens[place].content)}</em>"


def _scrolling(_: Any, tokens: Sequence[Any], place: int, *__: Any) -> str:
    return '<div class="hma-scores"><table>' if tokens[place].nesting > 0 else "</table></div>"
