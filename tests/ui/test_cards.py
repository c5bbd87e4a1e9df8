"""Model cards as HTML: what they are made of is drawn, and nothing in them does anything."""

from html import escape

import pytest

from hma.card import safe
from hma.ui import cards
from tests.ui.world import TRAP


def test_headings_tables_and_code_are_drawn():
    drawn = cards.html(
        "# MA 0.5\n\n| score | tax |\n| --- | --- |\n| a \\| \\_b | +3 |\n\nIn `alpha` terms\n\n```\npython -m hma <x>\n```\n"
    )
    assert "<h1>MA 0.5</h1>" in drawn
    assert '<div class="hma-scores"><table>' in drawn and "</table></div>" in drawn
    assert "<td>a | _b</td>" in drawn and "<code>alpha</code>" in drawn
    assert "python -m hma &lt;x&gt;" in drawn


@pytest.mark.parametrize(
    "trap",
    [
        "<script>alert(1)</script>",
        "| a |\n| --- |\n| <img src=x onerror=alert(1)> |",
        "# <b>x</b>",
        "`<i>`",
        "![<i>](javascript:alert(1))",
        "```<i>\n</code></pre><i>\n```",
        "<https://example.org>",
    ],
)
def test_what_it_says_stays_text(trap):
    drawn = cards.html(trap)
    assert not any(tag in drawn for tag in ("<script", "<img", "<b>", "<i>", "<a ", "href"))


@pytest.mark.parametrize("name", ["# Big", "- item", "+ item", "1. one", "12) two", "> said", "==="])
def test_a_name_that_begins_a_line_begins_no_heading_and_no_list(name):
    drawn = cards.html(f"{safe(name)}: 100 items")
    assert drawn == f'<div class="hma-card"><p>{escape(name)}: 100 items</p>\n</div>'


def test_a_link_is_the_text_that_stands_there():
    assert "[here](https://example.org)" in cards.html("[here](https://example.org)")


def test_a_name_that_a_file_made_up_stands_in_a_cell_as_it_is():
    row = f"| score |\n| --- |\n| {safe(f'a | {TRAP}')} |"
    assert f"<td>a | {escape(TRAP)}</td>" in cards.html(row)
    assert safe("two\nlines") == "two lines"
