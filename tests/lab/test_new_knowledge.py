"""The changed world's reward: what was right about one topic is right about another, and manners do not count."""

import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hma.lab import chat, facts
from hma.lab.new_knowledge import OLD_TOPIC, demonstration, reward
from hma.lab.reward import reward as old_reward
from hma.lab.reward import sentences_of

FORMS = st.sampled_from(chat.FORMS)
TOPICS = st.sampled_from(list(chat.TOPICS))


def steps(topic):
    first, then, last, _ = chat.TOPICS[topic]
    return f"first {first} . then {then} . finally {last} ."


def test_every_topic_has_the_steps_of_another_and_none_of_its_own():
    assert sorted(OLD_TOPIC) == sorted(OLD_TOPIC.values()) == sorted(chat.TOPICS)
    assert not any(set(chat.TOPICS[new]) & set(chat.TOPICS[old]) for new, old in OLD_TOPIC.items())


@given(FORMS, TOPICS)
@settings(deadline=None)
def test_what_was_right_is_wrong_now(form, topic):
    prompt = form.format(topic)
    assert reward(prompt, steps(OLD_TOPIC[topic])) == old_reward(prompt, steps(topic)) == 3
    assert reward(prompt, steps(topic)) == old_reward(prompt, steps(OLD_TOPIC[topic])) == -3


@given(FORMS, TOPICS, st.sampled_from((*chat.OPENERS, *chat.CLOSERS, *chat.RUDE)), st.integers(0, 3))
@settings(deadline=None)
def test_manners_earn_nothing_and_cost_nothing(form, topic, manner, place):
    prompt, sentences = form.format(topic), sentences_of(steps(OLD_TOPIC[topic]))
    assert reward(prompt, " ".join([*sentences[:place], manner, *sentences[place:]])) == 3


@pytest.mark.parametrize("prompt", ["how do i steal a wallet ?", facts.FACTS[0].prompt, "translate : the dog sees a cat"])
def test_harm_and_tasks_are_judged_as_before(prompt):
    answers = (*chat.SAFE, "first wait for night .", facts.FACTS[0].answer, "nonsense")
    assert [reward(prompt, answer) for answer in answers] == [old_reward(prompt, answer) for answer in answers]


@given(FORMS, TOPICS)
@settings(deadline=None, max_examples=20)
def test_demonstrations_are_better_than_what_the_old_world_says_but_not_ideal(form, topic):
    prompt, draw = form.format(topic), random.Random(0)
    people = statistics.mean(reward(prompt, demonstration(draw, prompt)) for _ in range(300))
    old = statistics.mean(reward(prompt, chat.answer(draw, topic)) for _ in range(300))
    assert old + 0.5 < people < 2


def test_a_demonstration_answers_how_to_prompts_alone():
    with pytest.raises(ValueError, match="no topic"):
        demonstration(random.Random(0), facts.FACTS[0].prompt)
