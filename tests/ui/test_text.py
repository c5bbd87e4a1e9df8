"""Digits, signs and names, and that no text of others becomes markup or speaks to a terminal."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma import __main__ as program
from hma import text
from hma.core.partition import Partition
from hma.core.point import MEAN, Score
from hma.core.precision import Precision
from hma.core.question import Reply
from hma.core.recipe import Recipe
from hma.core.statistics import Result
from hma.core.tax import taxes
from hma.errors import Cancelled, HmaError, MeasureError, Refused, StoreError


@pytest.mark.parametrize(
    ("value", "half", "shown"),
    [
        (3.91837, 0.21, "3.92"),
        (3.91837, 0.48, "3.9"),
        (83.127, 2.3, "83.1"),
        (83.127, 4.4, "83"),
        (83.127, 0.96, "83.1"),
        (83.127, 12.0, "83"),
        (-0.81, 0.11, "−0.81"),
        (-0.0001, 0.2, "0.00"),
        (100.0, 0.0, "100.0"),
        (0.123456, 0.00001, "0.123"),
    ],
)
def test_a_score_has_the_digits_that_its_interval_supports(value, half, shown):
    assert text.rounded(Score(value, half / 2, 10, value - half, value + half)) == shown


@given(st.floats(1e-6, 1e4))
def test_the_last_digit_is_never_finer_than_a_hundredth_of_the_half_width(half):
    digits = text.decimals(half)
    assert 0 <= digits <= 3
    assert digits == 0 or 10.0**-digits >= half / 100 - 1e-12 or digits == 3
    assert digits == 3 or 10.0**-digits <= half * 1.0001 or digits == 0


def test_differences_carry_their_sign():
    assert text.signed(4.26, 0.9) == "+4.3"
    assert text.signed(-4.26, 0.9) == "−4.3"
    assert text.signed(0.001, 0.9) == "0.0"
    assert text.interval(-1.26, 2.5) == "−1.3 to 2.5"


def test_a_search_tells_why_it_chose_and_what_its_points_are_worth():
    names = ("input", "middle", "output")
    start, front = Reply(why="start"), Reply(why="front", errors=(0.204, 0.12), inert=(1,))
    assert text.advice([], names) == ""
    assert text.advice([start, start], names) == "Points chosen: 2 to begin with."
    told = text.advice([start, start, front, start], names)
    assert told.startswith("Points chosen: 3 to begin with, 1 where the front promised to gain most. Left out one by one, ")
    assert "an error of 0.20 (reward) and 0.12 (mean ability) of their spread" in told
    assert told.endswith("No effect shows of: middle.")
    assert text.advice([replace(front, inert=())], names).endswith("no better than their mean.")
    assert text.advice([replace(front, inert=(0, 1, 2))], names).endswith("No block shows an effect.")


def test_recipes_are_called_by_their_method():
    partition = Partition.equal(6)
    named = {(0, 0, 0): "policy (after RLHF)", (1, 1, 1): "reference (before RLHF)", (0.2,) * 3: "MA 0.2"}
    for alphas, name in named.items():
        assert text.recipe_name(Recipe(partition, alphas)) == name
    assert text.recipe_name(Recipe(partition, (0.25, 1, 0))) == "HMA 0.25 / 1 / 0"


@pytest.mark.parametrize("mark", ["*a*", "<b>", "[a](b)", "`a`", "$a$", "_a_", "# a", "~~a~~", "![a](b)", ":red[a]"])
def test_markup_is_escaped(mark):
    escaped = text.plain(mark)
    for place, letter in enumerate(escaped):
        if letter in "*<>[]()`$_#~!:":
            assert escaped[place - 1] == "\\"


def test_a_shortcode_is_broken():
    assert ":\u200b" in text.plain("see :smile: here").replace("\\", "")


@pytest.mark.parametrize("mark", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\b", "\x00", "\u202e", "\u2028", "\ud800"])
def test_what_a_terminal_obeys_is_shown_as_its_escape(mark):
    for shown in (text.printable(f"a {mark} b"), text.plain(f"a {mark} b")):
        assert mark[0] not in shown
        assert shown.isprintable()
        assert shown.encode()
        assert ascii(mark[0])[1:-1] in shown.replace("\\\\", "\\")


def test_words_lines_and_their_spaces_stay_as_they_are():
    words = "Zeile\n\tñ 5\u00a0% − 日本 می\u200cخواهم 👩\u200d🔬"
    assert text.printable(words) == words


@pytest.mark.parametrize(("kind", "code"), [(Cancelled, 130), (Refused, 2), (MeasureError, 1), (StoreError, 2), (HmaError, 2)])
def test_errors_are_printed_without_what_a_terminal_obeys(kind, code, monkeypatch, capsys):
    def refuse(**given):
        raise kind("no tensor \x1b[2J\x9b[bold]x\u202e\nof [red]it")

    monkeypatch.setattr(program, "commands", lambda **_: refuse)
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == code
    printed = capsys.readouterr().err
    assert r"no tensor \x1b[2J\x9b[bold]x\u202e" in printed
    assert "of [red]it" in printed
    assert printed.replace("\n", "").isprintable()


def result(values):
    return Result("mean", np.array(values, dtype=float).reshape(-1, 1), tuple(map(str, range(len(values)))))


def test_a_tax_is_paired_by_item():
    before = {"reward": result([1, 2, 3, 4]), "a": result([100, 100, 0, 100]), "b": result([0, 100, 100, 0])}
    after = {"reward": result([2, 3, 4, 5]), "a": result([0, 100, 0, 100]), "b": result([0, 100, 100, 0])}
    lost = taxes(before, after, {"one": ["a"], "two": ["b"]})
    assert lost["a"].value == 25
    assert (lost["b"].value, lost["b"].low, lost["b"].high) == (0, 0, 0)  # the same on every item: no noise
    assert lost[MEAN].value == 12.5


def test_what_rounding_took_is_said_with_its_cures():
    recipe = Recipe(Partition.equal(6), (0.2, 0.4, 0.4))
    said = text.lost(recipe, (0.035, 0.41, None))
    assert "input 0.2 became 0.035" in said
    assert "middle" not in said
    assert "float16" in said
    assert not text.lost(recipe, ())
    halves = text.lost(replace(recipe, precision=Precision("float16")), (0.25, 0.4, 0.4))
    assert "float16 has too few numbers. Choose --dtype float32 or --rounding stochastic." in halves


def test_a_recipe_of_linear_weights_alone_says_so():
    partition = Partition(6, (0, 2, 4), ("head",), linear_only=True)
    assert text.recipe_name(Recipe(partition, (0.2,))) == "HMA 0.2 / 0.2 / 0.2 / 0.2, linear weights only"
    assert text.recipe_name(Recipe(partition, (1.0,))) == "reference (before RLHF)"


def test_a_recipe_that_chose_its_numbers_says_so():
    recipe = Recipe(Partition.equal(6), (0.2, 0.2, 0.2), Precision("float16", "stochastic", 3))
    assert text.recipe_name(recipe) == "MA 0.2, float16, stochastic rounding (seed 3)"
