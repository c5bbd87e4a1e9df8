"""The shipped miniature: whole, small, disjoint in its items, and as good as its report says."""

import json
from itertools import product

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hma.core.alphas import grid, ladder
from hma.core.front import ends
from hma.evaluate.formats import asked_text
from hma.evaluate.generation import AnswerPlan
from hma.evaluate.prompts import Prompt
from hma.lab import chat, facts, stories
from hma.lab.judging import ranker_agreement, reward_model_agreement
from hma.lab.preferences import draw_preferences
from hma.lab.reward import reward
from hma.lab.scenario import DEFAULT
from hma.lab.tasks import write_judged_suite, write_suite
from hma.lab.tokenizer import vocabulary
from hma.lab.words import split_of
from hma.store import Store
from hma.study import SHIPPED, open_study

TASKS = ("common_sense", "reading", "translation")
SPLITS = ("validation", "test")


def lines(path):
    return [json.loads(line) for line in (SHIPPED / path).read_text().splitlines()]


def items(task, split):
    return lines(f"tasks/{task}_{split}.jsonl")


@pytest.fixture(scope="module")
def report():
    return json.loads((SHIPPED / "report.json").read_text())


def test_it_is_small():
    assert sum(f.stat().st_size for f in SHIPPED.rglob("*") if f.is_file()) < 15e6


@pytest.mark.parametrize("task", TASKS)
def test_items_are_enough_and_have_names_of_their_own(task):
    ids = [item["id"] for split in SPLITS for item in items(task, split)]
    assert len(set(ids)) == len(ids) >= 600


def test_questions_are_never_trained_on_and_their_facts_belong_to_one_split():
    trained = {question for fact in facts.FACTS for question in fact.trained}
    split_of_question = {question: fact.split for fact in facts.FACTS for question in fact.items}
    for split in SPLITS:
        for item in items("common_sense", split):
            assert item["question"] not in trained
            assert split_of_question[item["question"]] == split
            assert item["choices"][item["label"]] == facts.ANSWERS[item["question"]]
            assert len(set(item["choices"])) == 4


@pytest.mark.parametrize(("task", "field"), [("reading", "story"), ("translation", "english")])
def test_stories_and_sentences_belong_to_one_split(task, field):
    texts = {split: {item[field] for item in items(task, split)} for split in SPLITS}
    assert not texts["validation"] & texts["test"]
    for split in SPLITS:
        assert {split_of(text) for text in texts[split]} == {split}  # so none can be drawn for training


def test_prompts_of_the_splits_are_disjoint_and_many():
    texts = {split: {line["prompt"] for line in lines(f"prompts/{split}.jsonl")} for split in ("train", *SPLITS)}
    assert all(len(lines(f"prompts/{split}.jsonl")) >= 300 and len(texts[split]) >= 100 for split in texts)
    assert not texts["train"] & texts["validation"]
    assert not texts["train"] & texts["test"]
    assert not texts["validation"] & texts["test"]
    assert texts["train"] <= set(chat.PROMPTS["train"])


def test_the_shipped_items_are_those_that_the_lab_writes(tmp_path):
    write_suite(tmp_path / "again", DEFAULT)
    write_judged_suite(tmp_path / "again", DEFAULT)
    for file in sorted(f for f in (tmp_path / "again").rglob("*") if f.is_file()):
        assert file.read_bytes() == (SHIPPED / file.relative_to(tmp_path / "again")).read_bytes(), file.name


def test_the_tokenizer_knows_the_world():
    for name in ("reference", "policy"):
        words = AutoTokenizer.from_pretrained(SHIPPED / name).get_vocab()
        assert sorted(words, key=words.get) == vocabulary()


def test_the_report_holds_what_the_miniature_claims(report):
    path = report["rlhf_path"]["iterations"]
    assert path[-1]["reward"] - path[0]["reward"] > 2
    assert path[0]["ability"] - path[-1]["ability"] > 10
    assert all(path[0][task] < 100 for task in TASKS)


@pytest.fixture(scope="module")
def answers():
    """Answers of reference and policy to the first sixty test prompts."""
    prompts = [line["prompt"] for line in lines("prompts/test.jsonl")[:60]]
    given = {}
    for name in ("reference", "policy"):
        model = AutoModelForCausalLM.from_pretrained(SHIPPED / name).eval()
        tokenizer = AutoTokenizer.from_pretrained(SHIPPED / name)
        asked = [asked_text(tokenizer, Prompt("", (prompt,))) for prompt in prompts]
        plan = AnswerPlan(asked, tokenizer, torch.device("cpu"), max_new_tokens=32, temperature=1.0, seed=1, special_tokens=False)
        given[name] = plan.responses(model)
    return prompts, given


def test_the_policy_is_better_liked(answers, report):
    prompts, given = answers
    mean = {name: sum(map(reward, prompts, texts)) / len(prompts) for name, texts in given.items()}
    path = report["rlhf_path"]["iterations"]
    assert mean["reference"] == pytest.approx(path[0]["reward"], abs=1)
    assert mean["policy"] == pytest.approx(path[-1]["reward"], abs=1)


def test_the_policy_speaks_in_whole_sentences(answers):
    ended = [text.endswith((".", "!")) for text in answers[1]["policy"]]
    assert sum(ended) > 0.9 * len(ended)


def test_the_reference_answers_most_questions_about_stories():
    model = AutoModelForCausalLM.from_pretrained(SHIPPED / "reference").eval()
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / "reference")
    asked = [f"human : {stories.asked(i['story'], i['question'])} assistant :" for i in items("reading", "test")[:40]]
    plan = AnswerPlan(asked, tokenizer, torch.device("cpu"), max_new_tokens=20)
    right = [a == i["answer"] for a, i in zip(plan.responses(model), items("reading", "test"), strict=False)]
    assert sum(right) > 20


def test_the_judges_agree_with_the_program_as_reported(report):
    pairs = draw_preferences("validation", 150, report["scenario"]["raft"]["task_share"], seed=11, noisy=False)
    for name, measure in (("reward_model", reward_model_agreement), ("ranker", ranker_agreement)):
        reported = report["judges"][name]["agreement"]
        assert reported > 0.7
        assert measure(SHIPPED / "judges" / name, pairs) == pytest.approx(reported, abs=0.12)


def test_the_shipped_points_are_those_of_the_shipped_pair_and_suite(tmp_path):
    """The MA sweep on every choice of items, and the grid to choose by, with every item of every score."""
    store = Store(tmp_path / "points.sqlite")
    store.take_in(SHIPPED / "points.sqlite")
    sweep = {(a,) * 3 for a in ladder(11)}
    for split, size in product(SPLITS, ("quick", "full")):
        study = open_study(split=split, size=size)
        chosen_by = (split, size) == ("validation", "quick")
        assert {p.recipe.alphas for p in store.points(study)} == (sweep | set(grid(5, 3)) if chosen_by else sweep)
        for point in store.points(study):
            assert {score.num_items for score in point.scores.values()} == {study.num_items}
        assert all(ends(store.points(study)))
