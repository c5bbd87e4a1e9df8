"""Differences of texts: what they give back, and which words they call alike."""

import numpy as np
import pytest

from hma.core.edits import GONE, NEW, SAME, Edit, edits, unlike

PAIRS = [
    ("the old cat sat", "the new cat sat down"),
    ("", "hello there"),
    ("hello there", ""),
    ("one\n\n  two ", "one two"),
    ("the same", "the same"),
    ("a b c d", "d c b a"),
]


def kept(found, *kinds):
    return "".join(edit.words for edit in found if edit.kind in kinds)


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_what_stays_and_comes_is_the_one_text_and_what_stays_and_goes_the_others_words(before, after):
    found = edits(before, after)
    assert kept(found, SAME, NEW) == after
    assert " ".join(edit.words for edit in found if edit.kind != NEW).split() == before.split()


def test_long_texts_of_few_words_are_held_to_the_same():
    generator = np.random.default_rng(0)
    for _ in range(20):
        before, after = (" ".join(generator.choice(["a", "b", "c"], 300)) for _ in range(2))
        assert kept(edits(before, after), SAME, NEW) == after


def test_words_that_are_replaced_stand_before_those_that_come():
    assert edits("the old cat", "the new cat") == (Edit(SAME, "the"), Edit(GONE, " old"), Edit(NEW, " new"), Edit(SAME, " cat"))
    assert edits("the same", "the same") == (Edit(SAME, "the same"),)


def test_texts_are_unlike_by_the_words_that_the_other_lacks():
    assert unlike("a b", "b a") == 0
    assert unlike("a a", "a") == pytest.approx(1 / 3)
    assert unlike("a", "b") == 1
    assert unlike("", "") == 0
    assert unlike("a", "") == unlike("", "a") == 1
