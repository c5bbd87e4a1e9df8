"""A suite's rewards over the same answers: one pair, every kind of reward, and the laws that hold between them."""

import itertools
import json
import math
import shutil

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from hma.core.partition import Partition
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.core.statistics import value
from hma.errors import MeasureError, SuiteError
from hma.evaluate.evaluator import BASELINE, Evaluator
from hma.evaluate.generation import AnswerPlan
from hma.evaluate.pairrm import PairRM
from hma.evaluate.proxies import log_likelihoods
from hma.evaluate.suite import load_suite
from hma.study import SHIPPED, open_study
from hma.workbench import Workbench
from tests import tiny
from tests.evaluate.test_rewards import write_reward_model

RANKER = str(SHIPPED / "judges" / "ranker")
PROGRAM = {"kind": "program", "function": "tests.tiny:reward"}
WINS = {"kind": "pairrm", "name": "wins", "ranker": RANKER, "baseline": "reference"}
PROXIES = ({"kind": "policy_likelihood", "name": "likelihood"}, {"kind": "kl_to_reference", "name": "kl"})


@pytest.fixture
def study(tiny_pair, tiny_suite, tmp_path):
    """The study of the tiny pair and a suite with the rewards, and changes to its chat part, that it is called with."""

    def opened(*rewards, size="quick", **chat):
        folder = shutil.copytree(tiny_suite.parent, tmp_path / "suite", dirs_exist_ok=True)
        data = json.loads((folder / "suite.json").read_text())
        reward = data.pop("reward")
        data["chat"] = {"prompts": reward["prompts"], "generation": reward["generation"], **chat}
        data["rewards"] = list(rewards)
        (folder / "suite.json").write_text(json.dumps(data))
        return open_study(*tiny_pair, folder, size=size)

    return opened


@pytest.fixture(scope="module")
def workbench(tiny_pair):
    return Workbench(*map(str, tiny_pair), device="cpu")


def merge(*alphas, **precision):
    return Recipe(Partition.equal(3, len(alphas)), alphas, Precision(**precision))


def columns(measurement):
    return {name: result.items[:, 0] for name, result in measurement.results.items()}


def test_every_reward_judges_the_same_answers_of_the_same_items(study, workbench, tmp_path):
    model = {"kind": "reward_model", "name": "learned", "model": str(write_reward_model(tmp_path / "judge"))}
    asked = study(PROGRAM, model, WINS, *PROXIES)
    results = workbench.measure(asked, merge(0.3, 0.8)).results
    expected = ["learned", "wins", "wins_ties", "wins_words", "wins_baseline_words", "proxy_likelihood", "proxy_kl"]
    assert list(results) == ["reward", *expected, "choice", "words", "translate"]
    assert [axis.name for axis in asked.extras] == expected
    assert len({results[name].item_set for name in ("reward", *expected)}) == 1
    assert [name for name, result in results.items() if result.outputs] == ["reward", "words", "translate"]
    said = results["reward"].outputs
    assert results["wins_words"].items[:, 0].tolist() == [len(text.split()) for text in said]
    assert results["reward"].items[:, 0].tolist() == [tiny.reward("", text) for text in said]


def test_against_the_ends_own_answers(study, workbench):
    at = {alpha: columns(workbench.measure(study(PROGRAM, WINS), merge(alpha))) for alpha in (0, 1)}
    assert (at[1]["wins"] == 50).all()
    assert (at[1]["wins_ties"] == 100).all()
    assert (at[1]["wins_words"] == at[1]["wins_baseline_words"]).all()
    other = columns(workbench.measure(study(PROGRAM, {**WINS, "baseline": "policy"}), merge(1)))
    assert (other["wins"] == 100 - at[0]["wins"]).all()  # swapped, item by item
    assert (other["wins_baseline_words"] == at[0]["wins_words"]).all()
    assert at[0]["wins"].mean() != 50


def test_baseline_answers_of_a_file_are_those_compared_with(study, workbench, tmp_path):
    reference = workbench.measure(study(PROGRAM, size="full"), merge(1)).results["reward"]
    (tmp_path / "suite" / "answers.jsonl").write_text(
        "".join(json.dumps({"id": i, "answer": a}) + "\n" for i, a in zip(reference.ids, reference.outputs, strict=True))
    )
    of_file = columns(workbench.measure(study(PROGRAM, {**WINS, "baseline": {"validation": "answers.jsonl"}}), merge(0.4)))
    of_end = columns(workbench.measure(study(PROGRAM, WINS), merge(0.4)))
    assert (of_file["wins"] == of_end["wins"]).all()


def test_the_proxies_at_the_ends(study, workbench):
    found = {alpha: columns(workbench.measure(study(PROGRAM, *PROXIES), merge(alpha))) for alpha in (0, 0.5, 1)}
    assert (found[1]["proxy_kl"] == 0).all()
    assert found[0]["proxy_kl"].mean() < found[0.5]["proxy_kl"].mean() < 0
    likelihoods = [found[alpha]["proxy_likelihood"].mean() for alpha in (0, 0.5, 1)]
    assert likelihoods == sorted(likelihoods, reverse=True)  # The policy's answers are likeliest under the policy.


@pytest.mark.parametrize("precision", [{}, {"dtype": "float16"}])
def test_a_merge_measured_after_another_is_what_it_is_alone(study, workbench, precision):
    """The live model holds the reference, or the policy, between the two."""
    asked = study(PROGRAM, WINS, *PROXIES)
    workbench.measure(asked, merge(0.9))
    again = workbench.measure(asked, merge(0.3, 0.8, **precision))
    fresh = Workbench(asked.reference, asked.policy, device="cpu").measure(asked, merge(0.3, 0.8, **precision))
    for name, result in fresh.results.items():
        np.testing.assert_array_equal(result.items, again.results[name].items)
    assert again.effective_alphas == fresh.effective_alphas


def test_a_point_goes_on_from_quick_to_full(study, workbench):
    rewards = (PROGRAM, WINS, *PROXIES)
    quick, full = (workbench.measure(study(*rewards, size=size), merge(0.3)) for size in ("quick", "full"))
    begun = {name: (len(result.ids), result.item_set) for name, result in quick.results.items()}
    rest = workbench.measure(study(*rewards, size="full"), merge(0.3), begun=begun)
    for name, result in full.results.items():
        np.testing.assert_array_equal((quick.results[name] + rest.results[name]).items, result.items)


def test_the_shipped_judges_give_a_point_that_goes_on_the_bits_of_one_measured_at_once(tmp_path, monkeypatch):
    """At a temperature that has answers run on, so that the ranker cuts them, where a longer prompt beside them does the more.

    Its logits tell more than who wins.
    """
    compare, logits = PairRM.compare, []
    monkeypatch.setattr(PairRM, "compare", lambda *given: logits.append(compare(*given)) or logits[-1])
    shutil.copytree(SHIPPED, tmp_path, dirs_exist_ok=True)
    data = json.loads((tmp_path / "judged.json").read_text())
    data["chat"]["generation"] |= {"temperature": 3.0, "max_new_tokens": 64}
    data["sizes"] = {"quick": 16, "full": 40}
    data["abilities"] = data["abilities"][:1]
    (tmp_path / "judged.json").write_text(json.dumps(data))
    file = tmp_path / "prompts" / "validation.jsonl"
    lines = file.read_text().splitlines()
    lines[20] = json.dumps({**json.loads(lines[20]), "prompt": "flour " * 29})
    file.write_text("\n".join(lines))
    folders = tmp_path / "reference", tmp_path / "policy"
    workbench = Workbench(*map(str, folders), device="cpu")
    quick, full = (open_study(*folders, tmp_path / "judged.json", size=size) for size in ("quick", "full"))
    recipe = Recipe(Partition.equal(quick.num_layers), (0.3,) * 3)
    first, whole = workbench.measure(quick, recipe), workbench.measure(full, recipe)
    begun = {name: (len(result.ids), result.item_set) for name, result in first.results.items()}
    rest = workbench.measure(full, recipe, begun=begun)
    assert whole.results["wins_words"].items.mean() > 40
    called = np.concatenate([found.logits for found in logits], axis=1)
    at = np.split(called, [16, 16 + 40], axis=1)
    np.testing.assert_array_equal(np.concatenate([at[0], at[2]], axis=1), at[1])
    for name, result in whole.results.items():
        np.testing.assert_array_equal((first.results[name] + rest.results[name]).items, result.items, name)


def test_the_sizes_of_a_suite_share_their_judges(study, tiny_pair, tmp_path):
    """Two win rates against different baselines share a ranker too; other weights in the folder are another judge."""
    folder = write_reward_model(tmp_path / "judge")
    model = {"kind": "reward_model", "model": str(folder)}
    rewards = (model, WINS, {**WINS, "name": "others", "baseline": "policy"})
    workbench = Workbench(*map(str, tiny_pair), device="cpu")
    quick, full = (workbench.prepare(study(*rewards, size=size))._chat._judges for size in ("quick", "full"))
    assert quick["reward"] is full["reward"]
    assert quick["wins"] is quick["others"] is full["wins"]
    write_reward_model(folder, longest=32)
    assert workbench.prepare(study(*rewards))._chat._judges["reward"] is not full["reward"]


def test_the_ends_answer_once(study, workbench):
    asked, stages = study({**PROGRAM, "title": "once"}, {**WINS, "title": "once"}), []
    for alpha in (0.1, 0.2):
        workbench.measure(asked, merge(alpha), lambda stage, share: stages.append(stage))
    workbench.prepare(asked).set_out(lambda stage, done, total: stages.append("again"))
    assert stages.count(BASELINE) <= 1
    assert "again" not in stages


def test_an_evaluator_without_ends_refuses_a_suite_that_compares_with_them(study):
    suite = load_suite(study(PROGRAM, WINS).suite_path)
    model = LlamaForCausalLM.from_pretrained(study(PROGRAM).policy)
    with pytest.raises(ValueError, match="nothing was given to write them"):
        Evaluator(suite, model, tiny.tokenizer())


def forward_fails(*_):
    pytest.fail("a forward pass")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_prompt_tokens": 7}, "prompt 'validation-0' has 9 tokens, and the suite allows 7"),
        ({"max_new_tokens": 126}, "has 9 tokens, and the model's context of 128 has room for 2 beside 126 new ones"),
        ({"max_prompt_tokens": 7, "skip_long": True}, "asks for 8 prompts, and 0 of 12 are short enough"),
    ],
)
def test_a_prompt_that_is_too_long_is_named_before_any_forward(study, workbench, settings, said):
    generation = {"max_new_tokens": 8, "temperature": 1.0, "top_p": 1.0, "seed": 3, **settings}
    hook = workbench._live.model.register_forward_pre_hook(forward_fails)
    try:
        with pytest.raises(SuiteError, match=said):
            workbench.measure(study(PROGRAM, generation=generation), merge(0.5))
    finally:
        hook.remove()


def test_a_prompt_that_is_too_long_for_the_reward_model_is_named_before_any_forward(study, workbench, tmp_path):
    model = {"kind": "reward_model", "model": str(write_reward_model(tmp_path / "judge", longest=8))}
    hook = workbench._live.model.register_forward_pre_hook(forward_fails)
    try:
        with pytest.raises(SuiteError, match=r"'validation-0' has \d+ tokens, without an answer; the reward model judge reads 8"):
            workbench.measure(study(model), merge(0.5))
    finally:
        hook.remove()


def test_long_prompts_are_left_out_where_the_suite_says_so(study, workbench, tmp_path):
    generation = {"max_new_tokens": 8, "temperature": 1.0, "top_p": 1.0, "seed": 3, "max_prompt_tokens": 20, "skip_long": True}
    asked = study(PROGRAM, generation=generation)
    file = tmp_path / "suite" / "prompts_validation.jsonl"
    lines = file.read_text().splitlines()
    lines[2] = json.dumps({"id": "long", "prompt": "a " * 50})
    file.write_text("\n".join(lines))
    asked = open_study(asked.reference, asked.policy, asked.suite_path)
    ids = workbench.measure(asked, merge(0.5)).results["reward"].ids
    assert ids == tuple(f"validation-{i}" for i in range(9) if i != 2)


def test_a_model_without_a_chat_template_is_asked_in_hh_rlhf(study, tiny_pair, tmp_path):
    pair = [shutil.copytree(folder, tmp_path / folder.name) for folder in tiny_pair]
    for folder in pair:
        (folder / "chat_template.jinja").unlink()
    asked = study(PROGRAM, format="hh-rlhf", generation={"preset": "paper", "max_new_tokens": 8})
    (tmp_path / "suite" / "prompts_validation.jsonl").write_text(
        json.dumps({"chosen": "\n\nHuman: a b\n\nAssistant: c\n\nHuman: red\n\nAssistant: d"}) + "\n"
        + "".join(json.dumps({"chosen": f"\n\nHuman: {w}\n\nAssistant: d"}) + "\n" for w in "abcdefgabcde")
    )  # fmt: skip
    study = open_study(*pair, asked.suite_path)
    found = Workbench(*map(str, pair), device="cpu").measure(study, merge(0.5)).results["reward"]
    model, tokenizer = LlamaForCausalLM.from_pretrained(pair[1]), tiny.tokenizer()
    texts = ["###Human: a b ###Assistant: c ###Human: red ###Assistant:", *(f"###Human: {w} ###Assistant:" for w in "abcdefg")]
    plan = AnswerPlan(
        texts, tokenizer, model.device, max_new_tokens=8, temperature=1.0, stops=["###Human:"], ids=[str(i) for i in range(8)]
    )
    at_policy = Workbench(*map(str, pair), device="cpu").measure(study, merge(0)).results["reward"]
    assert at_policy.outputs == tuple(plan.responses(model))
    assert found.outputs != at_policy.outputs


def test_a_judge_that_fails_fails_the_measurement_with_its_name(study, workbench, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "liking_none.py").write_text("def reward(prompt, answer): return float('inf')")
    with pytest.raises(MeasureError, match=r"gave inf, expected a finite number\. It was given the prompt 'validation-0'"):
        workbench.measure(study({"kind": "program", "function": "liking_none:reward"}), merge(0.5))


def test_the_kl_is_unbiased():
    """Over all answers of three tokens, of which each is one end: the mean of many samples is the KL by enumeration."""
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=4, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, initializer_range=0.6,
        pad_token_id=None, bos_token_id=None, eos_token_id=2,
    )  # fmt: skip
    point, reference = LlamaForCausalLM(config).eval(), LlamaForCausalLM(config).eval()
    temperature, prompt = 0.8, [1, 3]
    every = [a for n in (1, 2, 3) for a in itertools.product(range(4), repeat=n) if 2 not in a[:-1] and (a[-1] == 2 or n == 3)]
    p, q = (np.array(log_likelihoods(model, [prompt] * len(every), every, temperature)) for model in (point, reference))
    assert np.exp(p).sum() == pytest.approx(1, abs=1e-5)
    exact = float((np.exp(p) * (p - q)).sum())

    class Numbers(type(tiny.tokenizer())):
        """Texts are token ids."""

        def encode(self, text, **_):
            return [int(number) for number in text.split()]

    numbers = Numbers(tokenizer_object=tiny.tokenizer().backend_tokenizer, eos_token="<eos>", pad_token="<pad>")
    plan = AnswerPlan(["1 3"] * 4000, numbers, point.device, max_new_tokens=3, temperature=temperature, seed=1, batch_size=4000)
    said = [answer.tokens for answer in plan.answers(point)]
    assert set(said) <= set(every)
    own, other = (np.array(log_likelihoods(model, [prompt] * 4000, said, temperature)) for model in (point, reference))
    error = (own - other).std() / math.sqrt(4000)
    assert exact > 10 * error
    assert abs((own - other).mean() - exact) < 4 * error


def test_the_miniatures_judged_suite_tells_its_ends_apart():
    """With the shipped judges: what RLHF raised is raised, by every judge."""
    study = open_study(suite=SHIPPED / "judged.json")
    workbench = Workbench(study.reference, study.policy, device="cpu")
    policy, reference = (workbench.measure(study, Recipe(Partition.equal(study.num_layers), (a,) * 3)).results for a in (0, 1))
    for name in ("reward", "program", "wins", "proxy_likelihood"):
        assert value(policy[name]) > value(reference[name])
    assert value(policy["proxy_kl"]) < value(reference["proxy_kl"]) == 0
    assert value(reference["wins"]) == 50
