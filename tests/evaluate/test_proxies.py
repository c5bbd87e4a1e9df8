"""Likelihoods of answers: whatever they are batched with, and what the KL is by enumeration."""

import itertools
import math

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from hma.evaluate import proxies
from hma.evaluate.proxies import log_likelihoods, mean_log_likelihoods


@pytest.fixture(scope="module")
def models():
    """Two models of four tokens."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2, initializer_range=0.5
    )
    return LlamaForCausalLM(config).eval(), LlamaForCausalLM(config).eval()


def alone(model, prompt, answer, temperature=1.0):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0] / temperature
    steps = logits.log_softmax(-1)[len(prompt) - 1 : -1]
    return sum(steps[i, token].item() for i, token in enumerate(answer))


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_a_likelihood_is_that_of_the_answer_alone(models, temperature, monkeypatch):
    prompts, answers = [[1], [2, 3, 1], [3, 3], [1, 2]], [[2, 0], [1], [3, 2, 1, 0], [0, 0, 0]]
    expected = [alone(models[0], p, a, temperature) for p, a in zip(prompts, answers, strict=True)]
    for most in (1 << 28, 32, 1):  # all together, two at a time, one by one
        monkeypatch.setattr(proxies, "_BATCH_LOGITS", most)
        assert log_likelihoods(models[0], prompts, answers, temperature) == pytest.approx(expected, abs=1e-5)
    if temperature == 1:
        per_token = [total / len(answer) for total, answer in zip(expected, answers, strict=True)]
        assert mean_log_likelihoods(models[0], prompts, answers) == pytest.approx(per_token, abs=1e-5)
    assert log_likelihoods(models[0], [], []) == []


def test_all_answers_of_a_length_have_one_likelihood_together(models):
    every = [list(answer) for answer in itertools.product(range(4), repeat=3)]
    sums = log_likelihoods(models[0], [[1, 2]] * len(every), every)
    assert sum(map(math.exp, sums)) == pytest.approx(1, abs=1e-5)
