"""The chat part of a suite: kinds of reward, presets, formats, and what is wrong with them, before any model is opened."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from hma.core.study import Study
from hma.errors import SuiteError
from hma.evaluate.chat import PRESETS, Generation
from hma.evaluate.suite import load_suite
from hma.lab.scenario import NEW_KNOWLEDGE
from hma.study import SHIPPED, open_study

JUDGED = SHIPPED / "judged.json"
RANKER, REWARD_MODEL = (str(SHIPPED / "judges" / name) for name in ("ranker", "reward_model"))
PROGRAM = {"kind": "program", "function": "tests.tiny:reward"}


@pytest.fixture
def folder(tiny_suite, tmp_path):
    """A copy of the tiny suite, its reward written as ``chat`` and ``rewards``."""
    folder = shutil.copytree(tiny_suite.parent, tmp_path / "suite")
    data = json.loads((folder / "suite.json").read_text())
    reward = data.pop("reward")
    data["chat"] = {name: reward.pop(name) for name in ("prompts", "generation")}
    data["rewards"] = [reward]
    (folder / "suite.json").write_text(json.dumps(data))
    return folder


def rewarded(folder, *rewards, **chat):
    """The suite with these rewards, and with changes to its chat part."""
    data = json.loads((folder / "suite.json").read_text())
    data["rewards"] = list(rewards) or data["rewards"]
    data["chat"].update(chat)
    (folder / "suite.json").write_text(json.dumps(data))
    return folder


def test_one_reward_may_be_written_with_its_prompts_in_it(folder, tiny_suite):
    assert load_suite(folder).fingerprint == load_suite(tiny_suite).fingerprint
    data = json.loads((folder / "suite.json").read_text())
    data["reward"] = PROGRAM
    (folder / "suite.json").write_text(json.dumps(data))
    with pytest.raises(SuiteError, match="has both 'reward' and 'chat'"):
        load_suite(folder)


def test_the_first_reward_is_the_charts_and_the_others_stand_beside_it():
    study = open_study(suite=JUDGED)
    assert (study.reward.name, study.reward.title) == ("reward", "Learned reward")
    assert [axis.name for axis in study.extras] == [
        "program", "wins", "wins_ties", "wins_words", "wins_baseline_words", "proxy_likelihood", "proxy_kl",
    ]  # fmt: skip
    assert Study.from_dict(json.loads(json.dumps(study.to_dict()))) == study


def test_a_proxy_is_called_one_whatever_it_is_called(folder):
    likelihood = {"kind": "policy_likelihood", "name": "liking", "title": "Liking"}
    suite = load_suite(rewarded(folder, PROGRAM, likelihood))
    assert [(axis.name, axis.title) for axis in suite.chat.extras] == [("proxy_liking", "Liking (proxy)")]
    first = load_suite(rewarded(folder, {"kind": "kl_to_reference"}))
    assert first.chat.rewards[0].axis.name == "reward"
    assert "proxy" in first.chat.rewards[0].axis.title


def test_studies_that_were_stored_without_extras_still_open(tiny_study):
    data = tiny_study.to_dict()
    del data["extras"]
    assert Study.from_dict(data) == tiny_study
    assert {"allow", "program"}.isdisjoint(tiny_study.to_dict())


def test_presets_and_changes_to_them(folder):
    assert PRESETS["paper"] == Generation(196, 1.0, 1.0, 0, ("###Human:",), 256)
    for given, expected in (
        ("paper", PRESETS["paper"]),
        ("alpaca-eval", Generation(300, 0.7, 1.0, 0)),
        ({"preset": "paper", "seed": 5, "skip_long": True}, Generation(196, 1.0, 1.0, 5, ("###Human:",), 256, True)),
    ):
        assert load_suite(rewarded(folder, generation=given)).chat.generation == expected


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        ({"generation": "papers"}, "preset 'papers' is unknown, expected one of: paper, alpaca-eval"),
        ({"generation": {"preset": "paper", "max_tokens": 5}}, "generation has the unknown field 'max_tokens'"),
        ({"generation": {"preset": "paper", "stops": "###"}}, "'stops' is '###', expected a list of texts"),
        ({"generation": {"preset": "paper", "skip_long": 1}}, "'skip_long' is 1, expected true or false"),
        ({"generation": {"preset": "paper", "max_prompt_tokens": 0}}, "'max_prompt_tokens' is 0, expected 1 or more"),
        ({"format": "chat"}, "'format' is 'chat', expected 'chat template', 'hh-rlhf', or a text with {prompt}"),
        ({"prompt": "x"}, "chat has the unknown field 'prompt'"),
        ({"prompts": {"test": "prompts_test.jsonl"}}, "it has no 'validation'"),
        ({"prompts": {"validation": "gone.jsonl"}}, "There is no file .*gone.jsonl"),
    ],
)
def test_a_wrong_chat_setting_is_named(folder, chat, said):
    with pytest.raises(SuiteError, match=said):
        load_suite(rewarded(folder, **chat))


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        ({"kind": "judge"}, "of kind 'judge', expected one of: program, reward_model, pairrm"),
        ({**PROGRAM, "name": "reward"}, "rewards and abilities with distinct names"),
        ({**PROGRAM, "name": "p", "title": 5}, "the title of 'p' is 5, expected a text"),
        ({**PROGRAM, "name": ["p"]}, "expected a text"),
        ({**PROGRAM, "name": "model"}, "names a score 'model', which stands for something else"),
        ({**PROGRAM, "name": "choice"}, "rewards and abilities with distinct names"),
        (PROGRAM, "a further reward, of kind 'program', has no 'name'"),
        ({**PROGRAM, "name": "p", "functions": "x"}, "kind program has the unknown field 'functions'"),
        ({"kind": "program", "name": "p", "function": "liking.py:reward"}, "on the command line only: --reward"),
        (
            {"kind": "reward_model", "name": "r", "model": "./gone"},
            r"judge of the suite cannot be opened: \./gone does not .*Looked for at {folder}/gone and at {cwd}/gone\.$",
        ),
        (
            {"kind": "reward_model", "name": "r", "model": "organisation/gone"},
            "hub: .*, at {cwd}/organisation/gone and in .*hub's cache at /",
        ),
        (
            {"kind": "reward_model", "name": "r", "model": REWARD_MODEL, "format": "{prompt}"},
            r"a text with \{prompt\} and \{a",
        ),
        ({"kind": "pairrm", "name": "w", "ranker": RANKER}, "it has no 'baseline'"),
        ({"kind": "pairrm", "name": "w", "ranker": RANKER, "baseline": "base"}, "'baseline' is 'base', expected 'reference', 'p"),
        ({"kind": "pairrm", "name": "w", "ranker": REWARD_MODEL, "baseline": "policy"}, "its config.json names no model_name"),
    ],
)
def test_a_wrong_reward_is_named(folder, reward, said):
    said = said.replace("{folder}", str(folder)).replace("{cwd}", str(Path.cwd()))
    with pytest.raises(SuiteError, match=said):
        load_suite(rewarded(folder, PROGRAM, reward))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"id2label": {"0": "bad", "1": "good"}},
            r"judge has 2 labels \(bad, good\), by its config\.json; a reward needs exactly",
        ),
        ({"num_labels": 3}, r"judge has 3 labels, by its config\.json"),
        ({"id2label": {}}, "judge has 0 labels"),
        (None, r"judge cannot be opened: its config\.json cannot be read"),
        ([], r"judge cannot be opened: its config\.json cannot be read"),
    ],
)
def test_a_reward_model_with_other_than_one_label_is_refused_when_the_suite_is_opened(folder, config, said):
    (folder / "judge").mkdir()
    if config is not None:
        (folder / "judge" / "config.json").write_text(json.dumps(config))
    suite = rewarded(folder, PROGRAM, {"kind": "reward_model", "name": "r", "model": "judge"})
    with pytest.raises(SuiteError, match=said):
        load_suite(suite)


@pytest.mark.parametrize("config", [{"id2label": {"0": "LABEL_0"}}, {"num_labels": 1}, {}])
def test_what_a_config_leaves_open_is_not_refused_when_the_suite_is_opened(folder, config):
    (folder / "judge").mkdir()
    (folder / "judge" / "config.json").write_text(json.dumps(config))
    load_suite(rewarded(folder, PROGRAM, {"kind": "reward_model", "name": "r", "model": "judge"}))


def test_a_name_of_the_first_reward_is_refused(folder):
    with pytest.raises(SuiteError, match="the first reward has the name 'liking', and is always called 'reward'"):
        load_suite(rewarded(folder, {**PROGRAM, "name": "liking"}))
    assert load_suite(rewarded(folder, {**PROGRAM, "name": "reward"})).chat.rewards[0].axis.name == "reward"


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"top_p": 0.9}])
def test_a_kl_of_answers_that_are_not_plain_samples_is_refused(folder, settings):
    generation = {"max_new_tokens": 8, "temperature": 1.0, "top_p": 1.0, "seed": 3, **settings}
    with pytest.raises(SuiteError, match="a KL is estimated from plain samples"):
        load_suite(rewarded(folder, PROGRAM, {"kind": "kl_to_reference", "name": "kl"}, generation=generation))


def test_baseline_answers_of_another_length_are_refused(folder):
    prompts = [json.loads(line)["id"] for line in (folder / "prompts_validation.jsonl").read_text().splitlines()]
    file = folder / "answers.jsonl"
    reward = {"kind": "pairrm", "name": "wins", "ranker": RANKER, "baseline": {"validation": "answers.jsonl"}}
    rewarded(folder, PROGRAM, reward)
    file.write_text("".join(json.dumps({"id": name, "answer": "red ."}) + "\n" for name in prompts))
    before = load_suite(folder)
    assert set(before.chat.rewards[1].answers) == set(prompts)
    file.write_text(file.read_text().replace("red", "blue", 1))
    assert load_suite(folder).fingerprint != before.fingerprint
    file.write_text("\n".join(file.read_text().splitlines()[:-1]))
    with pytest.raises(
        SuiteError, match=f"11 rows that answer 11 of the 12 prompts, told by 'id'; the first without one is '{prompts[-1]}'"
    ):
        load_suite(folder)
    with pytest.raises(SuiteError, match="it has no 'test'"):
        load_suite(folder, split="test")


def test_the_fingerprint_follows_the_judges_files_not_their_place(folder, tmp_path):
    judge = shutil.copytree(REWARD_MODEL, tmp_path / "judge")
    (judge / "README.md").write_text("nothing that a score hangs on")
    here, there = (
        load_suite(rewarded(folder, {"kind": "reward_model", "model": str(place)})).fingerprint for place in (judge, REWARD_MODEL)
    )
    assert here == there
    (judge / "chat_template.jinja").write_text("{{ messages }}")
    assert load_suite(rewarded(folder, {"kind": "reward_model", "model": str(judge)})).fingerprint != there
    other = {"kind": "reward_model", "model": REWARD_MODEL, "format": "hh-rlhf"}
    assert load_suite(rewarded(folder, other)).fingerprint != there


def test_a_program_of_the_command_line_takes_the_first_rewards_place(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / "liking.py"
    file.write_text("def reward(prompt, answer): return len(answer)")
    rewarded(folder, {"kind": "reward_model", "model": "./gone"}, {**PROGRAM, "name": "second"})
    suite = load_suite(folder, program=f"{file}:reward")
    assert [reward.judge for reward in suite.chat.rewards] == [f"{file}:reward", "tests.tiny:reward"]
    assert suite.chat.rewards[0].axis.name == "reward"
    file.write_text("def reward(prompt, answer): return -len(answer)")
    assert load_suite(folder, program=f"{file}:reward").fingerprint != suite.fingerprint


def test_a_suite_that_the_command_line_did_not_name_runs_no_program(folder):
    with pytest.raises(SuiteError, match=r"'tests\.tiny:reward', which would be run\. Programs are run only for suites that are"):
        load_suite(folder, may_run=False)
    with pytest.raises(SuiteError, match="'shutil:rmtree', which would be run"):
        load_suite(rewarded(folder, {"kind": "program", "function": "shutil:rmtree"}), may_run=False)
    load_suite(SHIPPED, may_run=False)  # The miniature's own does nothing but count.
    load_suite(JUDGED, may_run=False)
    with pytest.raises(SuiteError, match=r"^The task"):  # Its other reward passes, and this suite's own tasks do not.
        load_suite(rewarded(folder, {"kind": "program", "function": NEW_KNOWLEDGE.program}), may_run=False)


def test_prompts_are_drawn_by_a_seed_so_that_a_size_is_a_fair_sample(folder):
    as_they_stand = load_suite(folder, size="full").chat.prompts
    data = json.loads((folder / "suite.json").read_text())
    drawn = {}
    for seed in (1, 2):
        data["chat"]["prompts"]["shuffle"] = seed
        (folder / "suite.json").write_text(json.dumps(data))
        drawn[seed] = load_suite(folder, size="full")
        assert load_suite(folder, size="full") == drawn[seed]
        assert sorted(drawn[seed].chat.prompts, key=lambda p: p.id) == sorted(as_they_stand, key=lambda p: p.id)
    assert drawn[1].chat.prompts != drawn[2].chat.prompts and drawn[1].fingerprint != drawn[2].fingerprint
