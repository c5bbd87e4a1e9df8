"""A broken suite is a clear error before any forward pass."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch

from hma.core.point import MEAN
from hma.errors import SuiteError
from hma.evaluate.programs import program_files
from hma.evaluate.suite import RESERVED, load_suite, suite_sizes
from tests import tiny


@pytest.fixture
def folder(tiny_suite, tmp_path):
    return shutil.copytree(tiny_suite.parent, tmp_path / "suite")


def changed(folder, **changes):
    data = json.loads((folder / "suite.json").read_text())
    data.update(changes)
    (folder / "suite.json").write_text(json.dumps(data))
    return folder / "suite.json"


def test_loading_a_suite_needs_no_torch(tiny_suite):
    import subprocess

    code = (
        f"import sys; from hma.evaluate.suite import load_suite; load_suite({str(tiny_suite)!r}); "
        "print([m for m in ('torch', 'transformers', 'lm_eval') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_fingerprint_follows_the_contents_not_the_place(tiny_suite, folder):
    assert load_suite(folder).fingerprint == load_suite(tiny_suite).fingerprint
    lines = (folder / "items_validation.jsonl").read_text().replace("red", "green", 1)
    (folder / "items_validation.jsonl").write_text(lines)
    assert load_suite(folder).fingerprint != load_suite(tiny_suite).fingerprint
    assert load_suite(folder, split="test").fingerprint == load_suite(tiny_suite, split="test").fingerprint


def test_the_fingerprint_follows_the_modules_that_the_reward_program_uses(folder, tmp_path, monkeypatch):
    judges = tmp_path / "judges"
    judges.mkdir()
    (judges / "__init__.py").write_text("raise RuntimeError('nothing of this is run in the app')")
    (judges / "kind.py").write_text("from . import tastes\nimport judges.manners\nimport json\ndef reward(p, a): ...\n")
    (judges / "manners.py").write_text("from judges.tastes import LIKED")
    (judges / "tastes.py").write_text("LIKED = 'red'")
    (judges / "other.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    data = json.loads((folder / "suite.json").read_text())
    data["reward"]["function"] = "judges.kind:reward"
    path = changed(folder, reward=data["reward"])
    before = load_suite(path).fingerprint
    (judges / "other.py").write_text("# it is not imported")
    assert load_suite(path).fingerprint == before
    (judges / "tastes.py").write_text("LIKED = 'blue'")
    assert load_suite(path).fingerprint != before
    assert {"judges.kind", "judges.tastes", "judges.manners"} <= set(program_files("judges.kind:reward"))
    (judges / "tastes.py").write_text("LIKED = ")
    with pytest.raises(SuiteError, match=r"tastes\.py, line 1, which the reward program uses, cannot be read as Python"):
        load_suite(path)


def test_the_fingerprint_follows_included_settings_and_splits_of_other_names(folder):
    task = folder / "words.yaml"
    text = task.read_text().replace("{validation: items_validation.jsonl,", "{val: [items_validation.jsonl],")
    text = text.replace("validation_split: validation", "validation_split: val").replace("doc_to_target: target\n", "")
    task.write_text("include: shared.yaml\n" + text)
    (folder / "shared.yaml").write_text("doc_to_target: target\n")
    before = load_suite(folder).fingerprint
    (folder / "shared.yaml").write_text("doc_to_target: text\n")
    after = load_suite(folder).fingerprint
    assert after != before
    for name in ("choice.yaml", "translate.yaml"):
        (folder / name).write_text((folder / name).read_text().replace("items_validation", "others"))
    shutil.copy(folder / "items_validation.jsonl", folder / "others.jsonl")
    after = load_suite(folder).fingerprint
    (folder / "items_validation.jsonl").write_text((folder / "others.jsonl").read_text().replace("red", "green", 1))
    assert load_suite(folder).fingerprint != after
    ability = next(a for a in load_suite(folder).abilities if a.axis.name == "words")
    from hma.evaluate.abilities import AbilityTask

    assert AbilityTask(ability, "validation", 8, tiny.tokenizer(), torch.device("cpu"))  # lm-eval finds the same files


def test_one_edited_line_of_large_data_is_seen(folder):
    file = folder / "items_test.jsonl"
    lines = file.read_text()
    padding = json.dumps({**json.loads(lines.split("\n")[0]), "more": "x" * 2**20}) + "\n"
    file.write_text(lines + 70 * padding)  # More than is sampled of weights.
    before = load_suite(folder, "test").fingerprint
    with file.open("r+") as stream:
        stream.seek(len(lines) + 33 * len(padding) + 500_000)
        stream.write("y")
    assert load_suite(folder, "test").fingerprint != before


def test_a_new_title_or_size_leaves_the_points_where_they_are(folder):
    before = load_suite(folder).fingerprint
    assert load_suite(changed(folder, title="Another", sizes={"tiny": 3, "quick": 8}), size="quick").fingerprint == before
    assert load_suite(changed(folder, sizes={"quick": 7})).fingerprint == before


def test_a_suite_is_local_until_it_names_something_elsewhere(folder):
    assert load_suite(folder).is_local
    task = folder / "words.yaml"
    task.write_text(task.read_text().replace("dataset_path: json", "dataset_path: organisation/data"))
    assert not load_suite(folder).is_local


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sizes": {"quick": -5}}, "'quick' is -5, expected 1 or more"),
        ({"sizes": {"quick": "8"}}, "'quick' is '8', expected a whole number"),
        ({"sizes": ["quick"]}, r"is not a suite: it has no 'sizes', such as \{\"quick\": 100\}\. .*suites.md says"),
        ({"sizes": {}}, "is not a suite: it has no 'sizes'"),
        ({"abilities": "choice.yaml"}, "'abilities' is 'choice.yaml', expected a list of one ability or more, each with"),
        ({"abilities": []}, r"'abilities' is \[\], expected a list of one ability or more, each with name, title, unit, task"),
        ({"title": 5}, "its title is 5, expected a text"),
    ],
)
def test_a_wrong_value_is_named(folder, changes, said):
    with pytest.raises(SuiteError, match=said):
        load_suite(changed(folder, **changes))


@pytest.mark.parametrize("content", ["[]", "3", "null", '"a suite"'])
def test_a_file_that_holds_no_suite_at_all_is_told_without_pythons_words(tmp_path, content):
    file = tmp_path / "suite.json"
    file.write_text(content)
    with pytest.raises(SuiteError, match="is not a suite: it has no 'sizes'"):
        load_suite(file)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temperature": float("inf")}, "'temperature' is inf, expected a finite number"),
        ({"temperature": 10**400}, "'temperature' is 1000.*, expected a finite number"),
        ({"top_p": float("nan")}, "'top_p' is nan, expected a finite number"),
        ({"seed": 10**400}, "'seed' is 1000.*, expected a finite number"),
        ({"temperature": -1}, "'temperature' is -1, expected 0 or more"),
        ({"top_p": 2}, "'top_p' is 2, expected 0 to 1"),
        ({"max_new_tokens": "8"}, "'max_new_tokens' is '8', expected a whole number"),
    ],
)
def test_a_wrong_decoding_setting_is_named(folder, settings, said):
    reward = json.loads((folder / "suite.json").read_text())["reward"]
    reward["generation"].update(settings)
    with pytest.raises(SuiteError, match=said):
        load_suite(changed(folder, reward=reward))


def test_a_name_that_stands_for_something_else_is_refused(folder):
    from hma.evaluate import evaluator

    assert {MEAN, evaluator.CHAT, evaluator.BASELINE} <= set(RESERVED)
    data = json.loads((folder / "suite.json").read_text())
    for name in (*RESERVED, "scoring choice"):
        with pytest.raises(SuiteError, match=f"names a score '{name}', which stands for something else"):
            load_suite(changed(folder, abilities=[{**data["abilities"][0], "name": name}]))


def test_a_line_separator_within_a_prompt_is_part_of_it(folder):
    file = folder / "prompts_validation.jsonl"
    lines = file.read_text().split("\n")
    file.write_text("\n".join(['{"id": "first", "prompt": "a\u2028b"}', *lines[1:]]), encoding="utf-8")
    assert load_suite(folder).chat.prompts[0].text == "a\u2028b"


def test_missing_and_broken_files(folder, tmp_path):
    with pytest.raises(SuiteError, match="no suite at"):
        load_suite(tmp_path / "nowhere.json")
    (folder / "suite.json").write_text("{")
    with pytest.raises(SuiteError, match="cannot be read as JSON"):
        load_suite(folder)


def test_what_is_no_suite_is_told_with_where_to_look(folder):
    (folder / "suite.json").write_text('{"title": "One"}')
    for load in (load_suite, suite_sizes):
        with pytest.raises(SuiteError, match="it has no 'sizes'") as refused:
            load(folder)
        named = re.findall(r"/\S+\.(?:md|json)(?= )", str(refused.value))
        assert [Path(name).name for name in named] == ["suite.json", "suites.md", "judged.json"]
        assert all(Path(name).is_file() for name in named)


def test_unknown_split_size_and_fields(folder):
    with pytest.raises(SuiteError, match="Split 'train' is unknown"):
        load_suite(folder, split="train")
    with pytest.raises(SuiteError, match="It offers: quick, full"):
        load_suite(folder, size="huge")
    with pytest.raises(SuiteError, match="abilities"):
        data = json.loads((folder / "suite.json").read_text())
        del data["abilities"]
        (folder / "suite.json").write_text(json.dumps(data))
        load_suite(folder)


def test_too_few_prompts_and_a_broken_line(folder):
    with pytest.raises(SuiteError, match="asks for 50 validation prompts and the file holds 12"):
        load_suite(changed(folder, sizes={"quick": 50}))
    prompts = folder / "prompts_validation.jsonl"
    prompts.write_text(prompts.read_text() + '{"id": "x"}\n')
    with pytest.raises(SuiteError, match="line 13"):
        load_suite(changed(folder, sizes={"quick": 8}))


def test_a_task_that_does_not_exist(folder):
    (folder / "words.yaml").unlink()
    with pytest.raises(SuiteError, match=r"words\.yaml, which does not exist"):
        load_suite(folder)


def test_a_reward_program_that_does_not_exist(folder):
    data = json.loads((folder / "suite.json").read_text())
    data["reward"]["function"] = "no.such:reward"
    with pytest.raises(SuiteError, match="module:function"):
        load_suite(changed(folder, reward=data["reward"]))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("metric: f1", "metric: f2", "has no metric 'f1'"),
        ("task: words", "task: [words", "cannot be read as YAML"),
        ("output_type: generate_until", "output_type: loglikelihood_rolling", "Supported are multiple_choice"),
        ("do_sample: false", "do_sample: true", "samples its answers"),
        ("validation_split: validation\n", "", "names no validation_split"),
        ("higher_is_better: true", "higher_is_better: false", "larger is better"),
    ],
)
def test_a_task_that_cannot_be_used(folder, old, new, said):
    from hma.evaluate.abilities import AbilityTask

    task = folder / "words.yaml"
    assert old in task.read_text()
    task.write_text(task.read_text().replace(old, new))
    with pytest.raises(SuiteError, match=said):
        ability = next(a for a in load_suite(folder).abilities if a.axis.name == "words")
        AbilityTask(ability, "validation", 8, tiny.tokenizer(), torch.device("cpu"))


def test_a_task_with_too_few_items(folder):
    from hma.evaluate.abilities import AbilityTask

    ability = load_suite(folder).abilities[0]
    with pytest.raises(SuiteError, match="asks for 13 items of choice"):
        AbilityTask(ability, "validation", 13, tiny.tokenizer(), torch.device("cpu"))
