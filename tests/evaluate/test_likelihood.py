"""A question's prompt is read once for all of its answers, to the same numbers as whole rows; batches are fixed."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from hma.evaluate.likelihood import LikelihoodPlan, Question
from tests import tiny

SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "pad_token_id": 0}
SMALL |= {"num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 64, "vocab_size": len(tiny.WORDS)}
KINDS = {
    "llama": {},
    "mistral": {"sliding_window": 6},
    "gemma2": {"sliding_window": 6},
    "qwen3": {},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "gpt_neox": {},
    "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "phi": {"num_key_value_heads": 2},
    "bloom": {"n_layer": 2, "n_head": 2},
    "mamba": {},
}
CHOICES = ["red", "red blue", "green . a b c", "blue", "red blue", "d e f g h a b c d"]
TEXTS = ["a b c d e f g h a b c d", "a b", "h g f e d c", "question : a answer :", "b", "a b c d e f g"]
PAIRS = [(text, f" {choice}") for text in TEXTS for choice in CHOICES]


def model(kind):
    torch.manual_seed(0)
    known = AutoConfig.for_model(kind)
    names = set(vars(known)) | set(getattr(known, "attribute_map", {})) | set(KINDS[kind])
    settings = {name: value for name, value in (SMALL | KINDS[kind]).items() if name in names}
    config = AutoConfig.for_model(kind, **settings, bos_token_id=1, eos_token_id=2)
    return AutoModelForCausalLM.from_config(config).eval()


def plan(**settings):
    return LikelihoodPlan(PAIRS, tiny.tokenizer(), torch.device("cpu"), **settings)


def reading(model, plan):
    """The plan's scores, and how many tokens the model read for each forward pass."""
    read = []
    hook = model.register_forward_pre_hook(lambda _, given, named: read.append(named["input_ids"].numel()), with_kwargs=True)
    scores = plan.responses(model)
    hook.remove()
    return scores, read


@pytest.mark.parametrize("kind", KINDS)
def test_a_prefix_that_is_read_once_gives_the_numbers_of_whole_rows(kind):
    tested = model(kind)
    shared, whole = reading(tested, plan(spared=0)), reading(tested, plan(spared=1))
    for (one, is_greedy), (other, was_greedy) in zip(shared[0], whole[0], strict=True):
        assert one == pytest.approx(other, abs=1e-5)
        assert is_greedy == was_greedy
    assert (sum(shared[1]) < sum(whole[1])) == (kind != "mamba")  # Which does not go on from such a cache.


def test_the_questions_are_read_once_and_answers_of_one_token_not_at_all():
    _, read = reading(model("llama"), plan(spared=0))
    prompts = len(TEXTS) * (1 + max(len(text.split()) for text in TEXTS))
    answers = len(TEXTS) * len({choice for choice in CHOICES if " " in choice}) * 8
    assert read == [prompts, answers]


def test_what_spares_too_little_is_read_in_whole_rows():
    long, short = tuple(range(30)), (1,)
    two = ((0, (1, 2)), (1, (3, 4)))
    assert Question(long, two).shares(1 / 3)
    assert not Question(long, (two[0], (1, (1, 5)))).shares(0)  # One row holds both.
    assert not Question(short, ((0, (1, *range(9))), (1, (2, *range(9))))).shares(1 / 3)


@pytest.mark.parametrize("spared", [0, 1])
def test_batches_are_the_same_every_time_and_do_not_matter_to_the_numbers(spared):
    tested = model("llama")
    once, again = reading(tested, plan(spared=spared)), reading(tested, plan(spared=spared))
    assert once == again
    few = plan(spared=spared, batch_size=4)
    for (one, _), (other, _) in zip(few.responses(tested), once[0], strict=True):
        assert one == pytest.approx(other, abs=1e-5)
