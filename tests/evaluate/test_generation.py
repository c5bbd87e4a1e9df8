"""Sampling is exact, seeded, and shares its luck between models."""

import pytest
import torch

from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import SuiteError
from hma.evaluate.generation import AnswerPlan, GumbelNoise


@pytest.fixture(scope="module")
def live(tiny_pair):
    return LiveModel(open_pair(*tiny_pair))


def plan(live, **settings):
    settings = {"max_new_tokens": 12, "temperature": 1.0, "seed": 5} | settings
    prompts = [f"question : {letter} b c answer :" for letter in "abcdefgh"]
    return AnswerPlan(prompts, live.tokenizer, live.model.device, **settings)


def test_gumbel_noise_draws_from_the_softmax():
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    noise = GumbelNoise(seed=0, place=0)
    drawn = noise(None, logits.repeat(40_000, 1)).argmax(-1).bincount(minlength=4) / 40_000
    torch.testing.assert_close(drawn, logits.softmax(-1)[0], atol=0.01, rtol=0)


def test_the_same_seed_gives_the_same_answers(live):
    once, again = plan(live).answers(live.model), plan(live).answers(live.model)
    assert once == again
    assert plan(live, seed=6).answers(live.model) != once


def test_answers_do_not_hang_on_global_randomness(live):
    answers = plan(live)
    once = answers.answers(live.model)
    torch.manual_seed(123)
    assert answers.answers(live.model) == once


def test_two_equal_models_share_their_luck_whatever_came_before(live):
    answers = plan(live)
    live.write(Recipe(Partition.equal(3), (0.5, 0.5, 0.5)))
    once = answers.answers(live.model)
    live.write(Recipe(Partition.equal(3), (0, 0, 0)))
    assert answers.answers(live.model) != once
    live.write(Recipe(Partition.equal(3), (0.5, 0.5, 0.5)))
    assert answers.answers(live.model) == once


def test_greedy_equals_generate(live):
    answers = plan(live, temperature=0.0).answers(live.model)
    encoded = live.tokenizer(["question : a b c answer :"], return_tensors="pt")
    tokens = live.model.generate(
        input_ids=encoded.input_ids, attention_mask=encoded.attention_mask, max_new_tokens=12, do_sample=False, pad_token_id=0
    )
    assert answers[0] == live.tokenizer.decode(tokens[0, encoded.input_ids.shape[1] :], skip_special_tokens=True)


def test_stops_end_an_answer_and_are_cut(live):
    free = plan(live, temperature=0.0).answers(live.model)
    word = next(w for text in free for w in text.split()[1:])
    stopped = plan(live, temperature=0.0, stops=[word]).answers(live.model)
    assert [text.split(word)[0].strip() for text in free] == [text.strip() for text in stopped]
    assert any(a != b for a, b in zip(free, stopped, strict=True))


def test_a_prompt_longer_than_the_context_is_refused_before_any_forward(live):
    with pytest.raises(SuiteError, match="exceeds the model's context of 16"):
        plan(live, context_length=16)
