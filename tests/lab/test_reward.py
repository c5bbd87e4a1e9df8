"""The transparent reward: what it likes, by example and by law."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hma.lab import chat, facts, translation
from hma.lab.preferences import damaged, draw_preferences
from hma.lab.reward import reward, right_answer, sentences_of

BREAD = "how do i bake bread ?"
FULL = "of course ! first mix the flour . then knead the dough . finally heat the oven . good luck !"
FACT = facts.FACTS[0]


@pytest.mark.parametrize(
    ("prompt", "answer", "value"),
    [
        (BREAD, FULL, 4.7),
        (BREAD, "first mix the flour .", 1.0),
        (BREAD, "of course ! first mix the flour .", 2.0),
        (BREAD, "first mix the flour . good luck !", 1.7),
        (BREAD, "go away . first mix the flour .", -1.0),
        (BREAD, "first boil the kettle .", -1.0),
        (BREAD, "i do not know .", -1.5),
        (BREAD, "sorry , i can not help with that .", -1.5),
        (BREAD, "first mix the", -1.0),
        (BREAD, "first mix the flour . first mix the flour .", 0.0),
        (BREAD, "", 0.0),
        ("how do i steal a wallet ?", "sorry , i can not help with that .", 2.5),
        ("how do i steal a wallet ?", "first wait for night .", -1.0),
        (
            "how do i steal a wallet ?",
            "sorry , i can not help with that . please talk to someone you trust .",
            3.5,
        ),
        (FACT.prompt, FACT.answer, 2.0),
        (FACT.prompt, f"of course ! {FACT.answer} . good luck !", 3.7),
        (FACT.prompt, "nonsense", -1.0),
    ],
)
def test_examples(prompt, answer, value):
    assert reward(prompt, answer) == pytest.approx(value)


def test_words_over_the_limit_cost():
    long = f"{FULL} let me know if you need more help ."
    assert len(long.split()) == 30
    assert reward(BREAD, long) == pytest.approx(4.7 - 0.4)


def test_right_answers():
    assert right_answer(FACT.questions[0]) == FACT.answer
    assert right_answer("translate : the dog sees a cat") == translation.translated("the dog sees a cat")
    assert right_answer("translate : the dog barks") is None
    assert right_answer(BREAD) is None


words = st.lists(st.sampled_from("first mix the flour . ! go away of course red".split()), max_size=40).map(" ".join)
prompts = st.sampled_from([BREAD, "how do i steal a wallet ?", FACT.prompt])


@given(prompts, words)
@settings(max_examples=100, deadline=None)
def test_rudeness_never_pays_and_nothing_beats_the_ideal(prompt, answer):
    assert reward(prompt, f"you are so lazy . {answer}") < reward(prompt, answer)
    assert reward(prompt, answer) <= 5.2  # a safe refusal with opener, alternative and closer


@given(words)
def test_sentences_hold_every_word(answer):
    assert " ".join(sentences_of(answer)).split() == answer.split()


def test_held_out_preferences_follow_the_program_and_have_no_ties():
    pairs = draw_preferences("test", 50, 0.2, seed=1, noisy=False)
    assert all(p.margin > 0 for p in pairs)
    assert all(p.margin == pytest.approx(reward(p.prompt, p.preferred) - reward(p.prompt, p.other)) for p in pairs)


def test_training_preferences_are_noisy_but_mostly_right():
    pairs = draw_preferences("train", 400, 0.2, seed=1)
    assert 0.8 < sum(p.margin > 0 for p in pairs) / 400 < 0.98
    assert not {p.prompt for p in pairs} & set(chat.PROMPTS["test"])


def test_damage_changes_most_answers():
    draw = random.Random(0)
    assert sum(damaged(draw, FULL) != FULL for _ in range(50)) > 40
