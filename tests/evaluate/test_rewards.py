"""Judges: a program that is edited is loaded again, and a reward model is checked before it is asked."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from hma.errors import MeasureError, SuiteError
from hma.evaluate.rewards import RewardModel, judged_text, program
from tests import tiny


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The file of the module ``taste``, which judges."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "taste.py"


def test_an_edited_program_is_loaded_again(module):
    module.write_text("def reward(prompt, answer): return 1.0")
    assert program("taste:reward")(["p"], ["a"]) == [1.0]
    module.write_text("def reward(prompt, answer): return 2.0")
    assert program("taste:reward")(["p"], ["a"]) == [2.0]


def test_a_program_that_does_not_load_says_why(module):
    module.write_text("import no_such_module")
    with pytest.raises(SuiteError, match="No module named 'no_such_module'"):
        program("taste:reward")


def test_a_reward_that_is_no_number_is_refused(module):
    module.write_text("def nan(prompt, answer): return float('nan')")
    with pytest.raises(MeasureError, match="gave nan for answer 0"):
        program("taste:nan")(["p"], ["a"])


def write_reward_model(folder, labels=1, template=True, longest=64):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tiny.WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=longest, pad_token_id=0, num_labels=labels,
    )  # fmt: skip
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer = tiny.tokenizer()
    if not template:
        tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder


def test_a_reward_model_gives_its_logit_whatever_it_is_batched_with(tmp_path):
    judge = RewardModel(str(write_reward_model(tmp_path)), torch.device("cpu"), batch_size=2)
    prompts, answers = ["a b", "c", "d e f"], ["red .", "blue green red .", "a"]
    together = judge(prompts, answers)
    model = LlamaForSequenceClassification.from_pretrained(tmp_path).eval()
    for prompt, answer, reward in zip(prompts, answers, together, strict=True):
        ids = tiny.tokenizer()(judged_text(tiny.tokenizer(), prompt, answer), add_special_tokens=False, return_tensors="pt")
        with torch.no_grad():
            alone = model(input_ids=ids["input_ids"]).logits[0, 0].item()
        assert reward == pytest.approx(alone, abs=1e-5)
        assert judge([prompt], [answer])[0] == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize(("settings", "said"), [({"labels": 2}, "has 2 labels"), ({"template": False}, "has no chat template")])
def test_a_reward_model_that_cannot_judge_is_refused(tmp_path, settings, said):
    with pytest.raises(SuiteError, match=said):
        RewardModel(str(write_reward_model(tmp_path, **settings)), torch.device("cpu"))


def test_an_answer_that_is_too_long_for_the_reward_model_is_named(tmp_path):
    judge = RewardModel(str(write_reward_model(tmp_path, longest=8)), torch.device("cpu"))
    with pytest.raises(MeasureError, match="tokens; the reward model reads 8"):
        judge(["a"], ["red " * 20])
