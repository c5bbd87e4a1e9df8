"""Judges of single answers: programs and reward models; what cannot judge is refused before it is asked."""

import json
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

from hma.errors import MeasureError, SuiteError
from hma.evaluate.formats import HH_RLHF, judged_text
from hma.evaluate.pairrm import PairRM
from hma.evaluate.prompts import Prompt
from hma.evaluate.rewards import RewardModel, program
from hma.study import SHIPPED
from tests import tiny

RANKER = SHIPPED / "judges" / "ranker"
CPU = torch.device("cpu")
ASKED = [Prompt("one", ("p",)), Prompt("two", ("q", "r", "s"))]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The file of the module ``liking``, which judges."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "liking.py"


def test_a_program_gets_the_prompts_text_and_the_answer(module):
    module.write_text("def reward(prompt, answer): return len(prompt) - len(answer)")
    assert program("liking:reward")(ASKED, ["a", "bc"]) == [0.0, len("Human: q\n\nAssistant: r\n\nHuman: s") - 2]


GIVEN = "It was given the prompt 'one', which begins 'p', and an answer that begins 'a'"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("return float('nan')", r"\(liking\.py, line 2\) gave nan, expected a finite number"),
        ("return None", r"\(liking\.py, line 2\) gave None, expected a finite number"),
        ("return 'good'", r"\(liking\.py, line 2\) gave 'good', expected"),
        ("return [1.0]", r"\(liking\.py, line 2\) gave \[1\.0\], expected"),
        ("n = 0\n    return 1 / n", r"failed at line 4 of liking\.py \('return 1 / n'\): ZeroDivisionError: division by zero"),
        ("return json.loads(answer)", r"failed at line 3 of liking\.py \('return json\.loads\(answer\)'\): JSONDecodeError"),
        ("raise RuntimeError('mine')", "failed at line 3 of .*: RuntimeError: mine"),
        ("return reward(prompt, answer)", "failed at line 3 of .*: RecursionError"),
        ("assert answer.b", "failed at line 3 of .*: AttributeError"),
    ],
)
def test_a_program_that_gives_no_number_is_named_with_its_line_and_what_it_was_given(module, lines, said):
    module.write_text(f"import json\ndef reward(prompt, answer):\n    {lines}")
    with pytest.raises(MeasureError, match=said) as refused:
        program("liking:reward")(ASKED, ["a", "b"])
    assert GIVEN in str(refused.value)


def test_a_failure_in_what_a_program_calls_is_named_where_it_is_in_its_files(module, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    module.write_text("from liked_count import count\ndef reward(prompt, answer): return count(answer)")
    (module.parent / "liked_count.py").write_text("import json\n\ndef count(text): return json.loads(text)")
    with pytest.raises(MeasureError, match=r"failed at line 3 of liked_count\.py"):
        program(f"{module}:reward")(ASKED, ["a", "b"])


@pytest.mark.parametrize("lines", ["raise MemoryError", "torch.zeros(2) @ torch.zeros(3)"])
def test_what_may_be_the_devices_failure_is_not_the_programs(module, lines):
    module.write_text(f"import torch\ndef reward(prompt, answer):\n    {lines}")
    with pytest.raises((MemoryError, RuntimeError)):
        program("liking:reward")(ASKED, ["a", "b"])


def write_reward_model(folder, labels=1, template=True, longest=64, pad=0):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tiny.WORDS), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=longest, pad_token_id=pad, num_labels=labels,
    )  # fmt: skip
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer = tiny.tokenizer()
    if not template:
        tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pad", [0, None, 3])
@pytest.mark.parametrize("format", ["chat template", HH_RLHF, "question : {prompt} answer : {answer}"])
def test_a_reward_model_gives_its_logit_whatever_it_is_batched_with(tmp_path, format, pad):
    """With a pad token that tokenizer and config share, and without."""
    judge = RewardModel(write_reward_model(tmp_path, template=format == "chat template", pad=pad), CPU, format, batch_size=2)
    prompts = [Prompt("", ("a b",)), Prompt("", ("c", "red", "d")), Prompt("", ("d e f",))]
    answers = ["red .", "blue green red .", "a"]
    together = judge(prompts, answers)
    model = LlamaForSequenceClassification.from_pretrained(tmp_path).eval()
    for prompt, answer, reward in zip(prompts, answers, together, strict=True):
        text = judged_text(tiny.tokenizer(), prompt, answer, format)
        ids = tiny.tokenizer()(text, add_special_tokens=format != "chat template", return_tensors="pt")["input_ids"]
        assert (ids[0] == 1).sum() == 1  # one beginning, whoever writes it
        with torch.no_grad():
            alone = model(input_ids=ids).logits[0, 0].item()
        assert reward == pytest.approx(alone, abs=1e-5)
        assert judge([prompt], [answer])[0] == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 3
    assert judge([], []) == []


def test_the_shipped_reward_model_gives_its_own_logits():
    folder = SHIPPED / "judges" / "reward_model"
    prompt, answers = Prompt("", ("how do i bake bread ?",)), ["sure ! first mix the flour .", "no ."]
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    for answer, reward in zip(answers, RewardModel(folder, CPU)([prompt] * 2, answers), strict=True):
        messages = [{"role": "user", "content": prompt.text}, {"role": "assistant", "content": answer}]
        ids = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=True)["input_ids"]
        assert reward == pytest.approx(model(input_ids=ids).logits.item(), abs=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"labels": 2}, "has 2 labels; a reward needs exactly one"),
        ({"template": False}, "has no chat template"),
    ],
)
def test_a_reward_model_that_cannot_judge_is_refused_before_its_weights_are_read(tmp_path, settings, said):
    folder = write_reward_model(tmp_path, **settings)
    (folder / "model.safetensors").unlink()
    with pytest.raises(SuiteError, match=said):
        RewardModel(folder, CPU)


def test_a_reward_model_without_a_trained_head_is_refused(tmp_path):
    folder = write_reward_model(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SuiteError, match=r"has no weights for score\.weight"):
        RewardModel(folder, CPU)


def test_what_is_no_reward_model_is_refused(tmp_path):
    with pytest.raises(SuiteError, match="cannot be opened"):
        RewardModel(tmp_path, CPU)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "pairranker"}))
    with pytest.raises(SuiteError, match="cannot be opened"):
        RewardModel(tmp_path, CPU)


OWN_CODE = {
    "config.json": {"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}},
    "tokenizer_config.json": {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": [None, "own.Tokenizer"]}},
}


@pytest.mark.parametrize(
    ("kind", "file"), [("reward model", "config.json"), ("reward model", "tokenizer_config.json"), ("ranker", "config.json")]
)
def test_code_of_a_judges_own_is_neither_run_nor_asked_about(tmp_path, monkeypatch, kind, file):
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    folder = write_reward_model(tmp_path) if kind == "reward model" else shutil.copytree(RANKER / "base", tmp_path / "base")
    (folder / file).write_text(json.dumps({**json.loads((folder / file).read_text()), **OWN_CODE[file]}))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Config: pass\nclass Tokenizer: pass\n")
    with pytest.raises(SuiteError, match=r"cannot be opened: it needs Python code of its own"):
        RewardModel(folder, CPU) if kind == "reward model" else PairRM(RANKER, folder, CPU)
    assert not (tmp_path / "ran").exists()


def test_an_answer_that_is_too_long_for_the_reward_model_is_named_before_any_forward(tmp_path):
    judge = RewardModel(write_reward_model(tmp_path, longest=16), CPU)
    judge._model.register_forward_pre_hook(lambda *_: pytest.fail("a forward pass"))
    with pytest.raises(MeasureError, match=r"The prompt 'two' with its answer has \d+ tokens; the reward model .* reads 16"):
        judge(ASKED, ["red", "red " * 20])
