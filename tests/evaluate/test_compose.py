"""Suites made from others: what stays, what is added, and what is refused with nothing written."""

import json

import pytest

from hma.errors import SuiteError
from hma.evaluate.compose import Change, composed, names, write
from hma.evaluate.suite import load_suite
from hma.study import SHIPPED

BASE = SHIPPED / "suite.json"
JUDGED = SHIPPED / "judged.json"
KEPT = {"abilities": ["reading"], "rewards": ["reward"], "sizes": {"tiny": 5, "quick": 20}}


def test_what_is_kept_measures_the_same_items(tmp_path):
    file = write(BASE, Change("Reading alone", **KEPT), tmp_path, "reading alone")
    assert file == tmp_path / "reading alone" / "suite.json"
    assert list(tmp_path.iterdir()) == [file.parent]
    for split in ("validation", "test"):
        ours, theirs = load_suite(file, split), load_suite(BASE, split)
        assert [a.axis for a in ours.abilities] == [a.axis for a in theirs.abilities if a.axis.name == "reading"]
        assert ours.abilities[0].content(split) == theirs.abilities[1].content(split)
        assert ours.chat.prompts == theirs.chat.prompts and ours.chat.generation == theirs.chat.generation
        assert (ours.title, ours.num_items, ours.ends) == ("Reading alone", 5, (5, 20))


def test_the_same_again_is_the_same_study_and_another_needs_another_name(tmp_path):
    change = Change("One", **KEPT)
    file = write(BASE, change, tmp_path, "one")
    assert write(BASE, change, tmp_path, "one") == file
    assert write(file, change, tmp_path, "two").read_text() == file.read_text()  # From one that was made already.
    before = file.read_text()
    with pytest.raises(SuiteError, match=r"another suite called 'one' already.*Choose another name"):
        write(BASE, Change("Other", **KEPT), tmp_path, "one")
    assert file.read_text() == before


def test_every_reward_and_ability_is_told_by_its_name():
    abilities, rewards = names(JUDGED)
    assert abilities == {"common_sense": "Common sense", "reading": "Reading", "translation": "Translation"}
    assert next(iter(rewards)) == "reward" and len(rewards) == len(load_suite(JUDGED).chat.rewards)


def test_a_reward_model_can_be_the_chart_s_reward(tmp_path):
    judge = {"kind": "reward_model", "name": "judge", "model": "judges/reward", "title": "Learned"}
    model = next(r for r in json.loads(JUDGED.read_text())["rewards"] if r["kind"] == "reward_model")
    judge["model"] = model["model"]
    beside = Change("Both", ["reading"], ["reward"], {"quick": 5}, judges=[judge])
    assert [r.axis.name for r in load_suite(write(BASE, beside, tmp_path, "beside")).chat.rewards] == ["reward", "judge"]
    first = Change("Both", ["reading"], ["reward"], {"quick": 5}, judges=[judge], judge_first=True)
    loaded = load_suite(write(BASE, first, tmp_path, "first"))
    assert [(r.axis.name, r.kind) for r in loaded.chat.rewards] == [("reward", "reward_model"), ("first_reward", "program")]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"abilities": []}, "needs an ability"),
        ({"rewards": []}, "needs a reward"),
        ({"sizes": {"quick": 10**6}}, "Use a smaller size"),
        ({"sizes": {"quick": 0}}, "is 0, expected 1 or more"),
        ({"tasks": [{"name": "x", "title": "X", "unit": "%", "task": "no_such_task", "metric": "acc"}]}, "no_such_task"),
    ],
)
def test_what_cannot_be_opened_is_not_written(tmp_path, changed, says):
    with pytest.raises(SuiteError, match=says):
        write(BASE, Change("Wrong", **{**KEPT, **changed}), tmp_path, "wrong")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "/tmp/x", ".hidden", "x" * 65, "a\0b", "a\\b"])
def test_names_are_plain_names(tmp_path, name):
    with pytest.raises(SuiteError, match="cannot name a suite"):
        write(BASE, Change("Named", **KEPT), tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_code_that_nobody_named_is_refused(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text((SHIPPED / "tasks/reading.yaml").read_text())
    task = {"name": "own", "title": "Own", "unit": "F1", "task": str(own), "metric": "f1"}
    with pytest.raises(SuiteError, match="may hold code"):
        write(BASE, Change("Code", **KEPT, tasks=[task]), tmp_path / "suites", "code")
    assert composed(BASE, Change("Code", **KEPT, tasks=[task]))["abilities"][1] == task


@pytest.mark.parametrize("folder", [3, None, ["x"]])
def test_a_suite_s_folder_is_a_text(tmp_path, folder):
    file = tmp_path / "suite.json"
    file.write_text(json.dumps({**json.loads(BASE.read_text()), "folder": folder}))
    with pytest.raises(SuiteError, match=r"its folder is .* expected a path as a text"):
        load_suite(file)
