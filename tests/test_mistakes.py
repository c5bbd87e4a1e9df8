"""What is wrong with an option is said in words, not in formulas, with what would be right."""

from __future__ import annotations

import pytest

from tests.cli import hma


def told(*arguments):
    """What the program says of a mistake, as one line without the frame around it; nothing else is printed."""
    done = hma(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    return " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sweep", "--steps", "1"), "'--steps': '1'. It must be a whole number, 2 or more."),
        (("sweep", "--steps", "few"), "'--steps': 'few'. It must be a whole number, 2 or more."),
        (("app", "--port", "99999"), "'--port': '99999'. It must be a whole number from 1 to 65535."),
        (("lab", "pairs", "--jobs", "0"), "'--jobs': '0'. It must be a whole number, 1 or more."),
        (("bench", "merge", "--changed", "2"), "'--changed': '2'. It must be a number from 0 to 1."),
        (("search", "--budget", "2.5"), "'--budget': '2.5'. It must be a whole number."),
        (("front", "--rho", "x"), "'--rho': 'x'. It must be a number."),
    ],
)
def test_a_number_that_is_refused_is_answered_with_what_it_may_be(arguments, said):
    assert f"Invalid value for {said}" in told(*arguments)


def test_help_says_in_words_what_a_number_may_be():
    assert "INTEGER, 2 or more" in hma("sweep", "--help").stdout
    assert "INTEGER from 1 to 65535" in hma("app", "--help").stdout
    assert "NUMBER from 0 to 1" in hma("bench", "merge", "--help").stdout


def test_an_option_that_is_missing_is_asked_for_with_what_it_takes():
    assert "Missing option '--alphas'. Share of the reference per block" in told("measure")
    assert "--alphas 0.2,0.2,0.2 (or one for all)" in told("measure")
    assert "Missing option '--out'. The HTML file to make." in told("handout")


def test_what_an_argument_is_stands_in_the_help_and_is_said_where_it_is_missing():
    for_people = "A folder that `python -m hma export` wrote."
    assert for_people in " ".join(hma("verify", "--help").stdout.split())
    assert f"Missing argument 'FOLDER'. {for_people}" in told("verify")
