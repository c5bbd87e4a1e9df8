"""Sampling is exact, seeded, and shares its luck between models."""

import json
import shutil

import pytest
import torch

from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import SuiteError
from hma.evaluate import generation
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
    noise, scores = GumbelNoise(seed=0, ids=[str(i) for i in range(200)]), logits.repeat(200, 1)
    drawn = torch.cat([noise(None, scores).argmax(-1) for _ in range(200)]).bincount(minlength=4) / 40_000
    torch.testing.assert_close(drawn, logits.softmax(-1)[0], atol=0.01, rtol=0)


def test_the_same_seed_gives_the_same_answers(live):
    once, again = plan(live).responses(live.model), plan(live).responses(live.model)
    assert once == again
    assert plan(live, seed=6).responses(live.model) != once


def test_answers_do_not_hang_on_global_randomness(live):
    answers = plan(live)
    once = answers.responses(live.model)
    torch.manual_seed(123)
    assert answers.responses(live.model) == once


def test_a_merge_gives_the_same_answers_whatever_came_before(live):
    answers = plan(live)
    live.write(Recipe(Partition.equal(3), (0.5, 0.5, 0.5)))
    once = answers.responses(live.model)
    live.write(Recipe(Partition.equal(3), (0, 0, 0)))
    assert answers.responses(live.model) != once
    live.write(Recipe(Partition.equal(3), (0.5, 0.5, 0.5)))
    assert answers.responses(live.model) == once


def test_greedy_equals_generate(live):
    answers = plan(live, temperature=0.0).responses(live.model)
    encoded = live.tokenizer(["question : a b c answer :"], return_tensors="pt")
    tokens = live.model.generate(
        input_ids=encoded.input_ids, attention_mask=encoded.attention_mask, max_new_tokens=12, do_sample=False, pad_token_id=0
    )
    assert answers[0] == live.tokenizer.decode(tokens[0, encoded.input_ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_rows_that_have_ended_leave_the_batch_and_change_no_answer(live, monkeypatch, temperature):
    live.write(Recipe(Partition.equal(3), (0, 0, 0)))
    rows = []
    count = lambda model, given, named: rows.append(len(named["input_ids"]))  # noqa: E731
    hook = live.model.register_forward_pre_hook(count, with_kwargs=True)
    stops = plan(live, temperature=temperature).responses(live.model)[0].split()[3:4]
    answers = {}
    for steps in (1, 2, 5, 12):
        monkeypatch.setattr(generation, "STEPS", steps)
        rows.clear()
        answers[steps] = plan(live, temperature=temperature, stops=stops).responses(live.model)
        assert rows[0] == 8
        assert (min(rows) < 8) == (steps < 12)
    hook.remove()
    assert all(given == answers[12] for given in answers.values())


def test_what_ends_an_answer_is_read_from_the_checkpoint_too(live):
    free = plan(live, temperature=0.0).responses(live.model)
    word = next(w for text in free for w in text.split()[1:-1])
    live.model.generation_config.eos_token_id = [2, live.tokenizer.convert_tokens_to_ids(word)]
    try:
        ended = plan(live, temperature=0.0).responses(live.model)
    finally:
        live.model.generation_config.eos_token_id = 2
    cut = [text.split(f" {word}")[0] for text in free]
    assert any(text.split()[1:].count(word) for text in free)
    assert all(len(a.split()) <= len(b.split()) + 1 for a, b in zip(ended, cut, strict=True))


def test_decoding_is_the_suites_not_the_checkpoints(tiny_pair, tmp_path, live):
    folder = shutil.copytree(tiny_pair[1], tmp_path / "policy")
    settings = json.loads((folder / "generation_config.json").read_text())
    liked = {**settings, "do_sample": True, "repetition_penalty": 9.0, "temperature": 3.0, "top_k": 1}
    (folder / "generation_config.json").write_text(json.dumps(liked))
    other = LiveModel(open_pair(tiny_pair[0], folder))
    live.write(Recipe(Partition.equal(3), (0, 0, 0)))
    assert plan(other).responses(other.model) == plan(live).responses(live.model)


def test_two_models_share_their_luck():
    """With one noise, a model that differs by little mostly says the same; with two, it does not."""
    torch.manual_seed(0)
    logits = torch.randn(2000, 20)
    near = logits + 0.01 * torch.randn_like(logits)
    names = [f"prompt {i}" for i in range(2000)]
    said = GumbelNoise(1, names)(None, logits).argmax(-1)
    assert (GumbelNoise(1, names)(None, near).argmax(-1) == said).float().mean() > 0.97
    assert (GumbelNoise(2, names)(None, near).argmax(-1) == said).float().mean() < 0.5
    assert (GumbelNoise(1, names[::-1])(None, logits.flip(0)).argmax(-1).flip(0) == said).all()  # a prompt's own, wherever it is


def test_stops_end_an_answer_and_are_cut(live):
    free = plan(live, temperature=0.0).responses(live.model)
    word = next(w for text in free for w in text.split()[1:])
    stopped = plan(live, temperature=0.0, stops=[word]).responses(live.model)
    assert [text.split(word)[0].strip() for text in free] == [text.strip() for text in stopped]
    assert any(a != b for a, b in zip(free, stopped, strict=True))


def test_attention_is_torchs_own(live):
    assert live.model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_prompts_are_batched_by_length_and_answered_in_their_order(live, temperature):
    prompts = [" ".join("abcdefgh"[:length]) for length in (8, 1, 5, 2, 7, 3, 6)]
    settings = {"max_new_tokens": 5, "temperature": temperature, "ids": prompts}
    alone = [
        AnswerPlan([prompt], live.tokenizer, live.model.device, **settings | {"ids": [prompt]}).responses(live.model)[0]
        for prompt in prompts
    ]
    asked = []
    count = lambda _, given, named: asked.append(tuple(named["input_ids"].shape))  # noqa: E731
    tested = AnswerPlan(prompts, live.tokenizer, live.model.device, batch_size=3, **settings)
    with live.model.register_forward_pre_hook(count, with_kwargs=True):
        assert tested.responses(live.model) == alone
    assert [shape for shape in asked if shape[1] > 1] == [(3, 4), (3, 8), (1, 9)]  # With <bos>.
    assert AnswerPlan(prompts, live.tokenizer, live.model.device, **settings)._order == list(range(7))  # One batch: no gain.


def test_a_prompt_longer_than_the_context_is_refused_before_any_forward(live):
    with pytest.raises(
        SuiteError,
        match=r"^prompt 0 has 8 tokens, and the model's context of 16 has room for 4 beside 12 new ones\. It begins 'q",
    ):
        plan(live, context_length=16)
