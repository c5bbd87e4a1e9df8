"""What a suite says of an ability is checked when the suite is loaded, and every part of it is in the fingerprint."""

import json
import os
import shutil

import datasets
import pytest

from hma.errors import SuiteError
from hma.evaluate import installed
from hma.evaluate.ability import Part
from hma.evaluate.suite import find_suite, load_suite
from tests.evaluate import standins


@pytest.fixture
def folder(tiny_suite, tmp_path):
    return shutil.copytree(tiny_suite.parent, tmp_path / "suite")


def entry(folder, place=1, **changes):
    """The suite with one ability's entry changed."""
    data = json.loads((folder / "suite.json").read_text())
    data["abilities"][place].update(changes)
    (folder / "suite.json").write_text(json.dumps(data))
    return folder / "suite.json"


@pytest.mark.parametrize("text", ["train", "train[:2000]", "test[50%:]", "test[-10:]", "a b[10%:-5]"])
def test_a_part_is_read_as_it_is_written(text):
    assert str(Part.parsed(text)) == text


@pytest.mark.parametrize("text", ["", "train[1:2", "train[a:]", "train[::2]", "[:5]"])
def test_what_is_no_part(text):
    with pytest.raises(ValueError, match="expected a name, or such as"):
        Part.parsed(text)


@pytest.mark.parametrize("cut", ["[:50%]", "[50%:]", "[:3]", "[-4:]", "[33%:66%]", "", "[90%:]"])
@pytest.mark.parametrize("num_items", [1, 7, 10, 299])
def test_a_part_holds_the_items_that_datasets_would_give(cut, num_items, tmp_path):
    # datasets' own slicing of a data set of rows 0, 1, 2, …
    instruction = datasets.ReadInstruction.from_spec(f"all{cut}")
    (absolute,) = instruction.to_absolute({"all": num_items})
    theirs = range(num_items)[absolute.from_ : absolute.to]
    assert list(Part.parsed(f"all{cut}").items(num_items)) == list(theirs)


def test_two_halves_are_all_items_once():
    for num_items in (1, 2, 9, 1045):
        halves = [Part.parsed(text).items(num_items) for text in ("test[:50%]", "test[50%:]")]
        assert [*halves[0], *halves[1]] == list(range(num_items))


def test_a_shuffle_keeps_the_items_and_is_the_same_every_time(folder):
    path = entry(folder, splits={"validation": "test[:50%]", "test": "test[50%:]"}, shuffle=3)
    ability = load_suite(path).abilities[1]
    places = ability.places("validation", 100)
    assert sorted(places) == list(range(50)) and places != sorted(places)
    assert places == load_suite(path).abilities[1].places("validation", 100)


def test_a_task_is_a_file_a_folder_or_a_name(folder):
    more = folder / "more"
    more.mkdir()
    for name in ("words.yaml", "overlap.py"):
        shutil.copy(folder / name, more / name)
    (more / "words.yaml").write_text(
        (more / "words.yaml").read_text().replace(": items", ": ../items").replace(" items", " ../items")
    )
    assert load_suite(entry(folder, task="more")).abilities[1].task == more / "words.yaml"
    (more / "shared.yaml").write_text("doc_to_target: target\n")  # It has no task of its own, so it is none.
    (more / "second.yaml").write_text((more / "words.yaml").read_text().replace("task: words", "task: second"))
    with pytest.raises(SuiteError, match=r"with 2 tasks\. Name one of them: 'more#second', 'more#words'"):
        load_suite(entry(folder, task="more"))
    assert load_suite(entry(folder, task="more#second")).abilities[1].task == more / "second.yaml"
    assert load_suite(entry(folder, task="more#second")).is_local
    found = load_suite(entry(folder, task="triviaqa", metric="exact_match", splits={"test": "validation", "validation": "train"}))
    assert found.abilities[1].task.is_relative_to(installed.folder()) and not found.is_local


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "gsm9k"}, "There is no task 'gsm9k'"),
        ({"task": "tasks/none.yaml"}, r"none\.yaml, which does not exist"),
        ({"task": "."}, "Name one of them: '.*#choice', '.*#translate', '.*#words'"),
        ({"metric": "f2"}, "has no metric 'f2'. It has: f1"),
        ({"setings": {}}, "'setings'"),
        ({"settings": ["num_fewshot"]}, "expected an object"),
        ({"splits": {"train": "train"}}, "'splits' of 'words' has the unknown field 'train'"),
        ({"splits": {"test": "test[1-2]"}}, "is no part of a split"),
        ({"splits": {"validation": "test"}}, "validation items of 'words' are its test items"),
        ({"settings": {"num_fewshot": -1}}, "'num_fewshot' of 'words' is -1, expected a number of examples: 0 or more"),
        ({"settings": {"num_fewshot": "2"}}, "'num_fewshot' of 'words' is '2'"),
        ({"settings": {"repeats": 3}}, "'repeats' of 'words' is 3, expected 1"),
        ({"out_of": 0}, "'out_of' of 'words' is 0"),
        ({"out_of": float("inf")}, "'out_of' of 'words' is inf"),
        ({"settings": {"generation_kwargs": {"temperature": float("inf")}}}, "Infinity or NaN in the settings"),
        ({"settings": {"dataset_kwargs": "v1"}}, "dataset_kwargs of 'words' are 'v1', expected an object"),
        ({"group": ["x"]}, r"the group of 'words' is \['x'\], expected a text"),
        ({"title": 5}, "the title of 'words' is 5, expected a text"),
        ({"shuffle": "yes"}, "'shuffle' of 'words' is 'yes'"),
        (
            {"task": "piqa", "metric": "acc"},
            r"piqa.yaml names no test_split.*\"splits\": {\"validation\": \"validation\[:50%\]\"",
        ),
        ({"task": "gsm8k", "metric": "exact_match"}, "'exact_match,strict-match', 'exact_match,flexible-extract'"),
        ({"task": "gsm8k", "metric": "exact_match,loose"}, "its answers are filtered"),
        (
            {"settings": {"process_results": None, "metric_list": [{"metric": "f3"}]}, "metric": "f3"},
            "lm-eval has no metric 'f3'",
        ),
    ],
)
def test_what_is_wrong_in_an_entry_is_said_when_the_suite_is_loaded(folder, changes, said):
    with pytest.raises(SuiteError, match=said):
        load_suite(entry(folder, **changes), "test")


def test_the_fingerprint_holds_all_that_an_entry_says(folder):
    seen = {load_suite(folder, "test").fingerprint}
    for changes in (
        {"out_of": 2},
        {"shuffle": 1},
        {"shuffle": 2},
        {"splits": {"test": "test[:10]"}},
        {"settings": {"num_fewshot": 1, "fewshot_split": "validation"}},
        {"settings": {"num_fewshot": 2, "fewshot_split": "validation"}},
    ):
        seen.add(load_suite(entry(folder, **changes), "test").fingerprint)
    assert len(seen) == 7


def test_the_fingerprint_of_lm_evals_own_task_holds_its_version_its_files_and_the_data_set(folder, tmp_path, monkeypatch):
    rows = {"train": [{"goal": "a", "sol1": "b", "sol2": "c", "label": 0}], "validation": [{"goal": "a", "label": 1}]}
    data = standins.write(tmp_path / "piqa", rows)
    splits = {"validation": "train", "test": "validation"}
    path = entry(folder, task="piqa", metric="acc", splits=splits)
    on_the_hub = load_suite(path).fingerprint
    content = load_suite(path).abilities[1].content("test")
    assert ["piqa.yaml", content[1][0][1]] in content[1] and {"lm_eval": installed.version(), "part": "validation"} in content
    assert load_suite(entry(folder, settings={"dataset_kwargs": {"revision": "v1"}})).fingerprint != on_the_hub
    here = load_suite(entry(folder, settings={"dataset_path": str(data)}))
    assert here.fingerprint != on_the_hub and here.is_local and not load_suite(entry(folder, settings={})).is_local
    moved = data.rename(tmp_path / "elsewhere")
    assert load_suite(entry(folder, settings={"dataset_path": str(moved)})).fingerprint == here.fingerprint
    standins.write(data, {**rows, "train": [{"goal": "b", "sol1": "b", "sol2": "c", "label": 0}]})
    assert load_suite(entry(folder, settings={"dataset_path": str(data)})).fingerprint != here.fingerprint
    monkeypatch.setattr(installed, "version", lambda: "another")
    assert load_suite(entry(folder, settings={})).fingerprint != on_the_hub


@pytest.mark.parametrize("files", [{}, {"data_files": {"validation": "validation.jsonl", "test": "test.jsonl"}}])
def test_the_fingerprint_follows_the_contents_of_a_data_folder_not_its_place(folder, files):
    data = folder / "data"
    data.mkdir()
    for split in ("validation", "test"):
        shutil.copy(folder / f"items_{split}.jsonl", data / f"{split}.jsonl")
    task = folder / "words.yaml"
    text = task.read_text()
    task.write_text(text[: text.index("dataset_kwargs")] + text[text.index("validation_split") :])

    def suite(place):
        return load_suite(entry(folder, settings={"dataset_kwargs": {"data_dir": place, **files}}), "test")

    before = suite("data")
    assert before.is_local and before.abilities[1].all_settings()["dataset_kwargs"]["data_dir"] == str(data)
    moved = data.rename(folder.parent / "elsewhere")
    assert suite(str(moved)).fingerprint == suite("../elsewhere").fingerprint == before.fingerprint
    (moved / "test.jsonl").write_text((moved / "test.jsonl").read_text().replace("red", "green", 1))
    assert suite(str(moved)).fingerprint != before.fingerprint

    import torch

    from hma.evaluate.abilities import AbilityTask
    from tests import tiny

    asked = AbilityTask(suite(str(moved)).abilities[1], "test", 12, tiny.tokenizer(), torch.device("cpu"))._documents
    assert len(asked) == 12 and "green" in json.dumps([requests[0].doc for requests in asked])  # lm-eval reads the same files.


SPLITS = {"validation": "train", "test": "validation"}


@pytest.fixture
def unnamed(tmp_path):
    """A function that opens a suite of one ability, which nobody named on the command line."""
    data = json.loads(find_suite("miniature").read_text())
    for split, file in data["chat"]["prompts"].items():
        data["chat"]["prompts"][split] = str(find_suite("miniature").parent / file)

    def opened(**said):
        data["abilities"] = [{"name": "a", "title": "A", "unit": "points", **said}]
        (tmp_path / "suite.json").write_text(json.dumps(data))
        return load_suite(tmp_path, may_run=False)

    return opened


TEMPLATE = "{{ cycler.__init__.__globals__.os.system('true') }}"


@pytest.mark.parametrize(
    "settings",
    [
        {"doc_to_text": TEMPLATE},
        {"description": TEMPLATE},
        {"fewshot_config": {"samples": [], "doc_to_text": TEMPLATE}},
        {"metric_list": [{"metric": "f1", "hf_evaluate": True}]},
        {"dataset_path": "pandas"},
        {"dataset_kwargs": {"data_files": "pickled.pkl"}},
    ],
)
def test_settings_that_may_hold_code_are_run_only_for_a_suite_that_may(unnamed, settings):
    drop = {"task": "drop", "metric": "f1", "splits": SPLITS}
    plain = {"num_fewshot": 1, "fewshot_split": "train", "dataset_kwargs": {"revision": "v1"}}
    assert unnamed(**drop) and unnamed(**drop, settings=plain)
    with pytest.raises(SuiteError, match=r"of 'a', or its settings .* run only when named on the command line"):
        unnamed(**drop, settings={**plain, **settings})


def test_a_task_of_neither_lm_eval_nor_this_project_is_run_only_for_a_suite_that_may(unnamed, folder):
    shipped = find_suite("miniature").parent / "tasks" / "reading.yaml"
    assert unnamed(task=str(shipped), metric="f1")
    (folder / "choice.yaml").write_text((folder / "choice.yaml").read_text().replace("{{text}}", TEMPLATE))
    with pytest.raises(SuiteError, match=r"choice\.yaml of 'a', or its settings .* run only when named on the command line"):
        unnamed(task=str(folder / "choice.yaml"), metric="acc")
    by_way_of_ours = shipped.parent / os.path.relpath(folder / "choice.yaml", shipped.parent)
    with pytest.raises(SuiteError, match="run only when named"):
        unnamed(task=str(by_way_of_ours), metric="acc")


def test_what_may_fetch_a_program_is_not_local(folder, tmp_path):
    data = {"settings": {"dataset_path": str(tmp_path)}, "splits": {"validation": "train", "test": "validation"}}
    assert load_suite(entry(folder, task="piqa", metric="acc", **data)).is_local
    assert not load_suite(entry(folder, task="squadv2", metric="f1", **data)).is_local
    fetched = {**data["settings"], "metric_list": [{"metric": "exact_match", "hf_evaluate": True}]}
    assert not load_suite(entry(folder, task="drop", metric="exact_match", **{**data, "settings": fetched})).is_local


def test_the_fingerprint_follows_a_function_in_another_folder(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "scores.py").write_text((folder / "overlap.py").read_text())
    task = folder / "words.yaml"
    task.write_text(task.read_text().replace("overlap.process", "deep.scores.process"))
    before = load_suite(folder).fingerprint
    (folder / "deep" / "scores.py").write_text((folder / "overlap.py").read_text() + "# another")
    assert load_suite(folder).fingerprint != before


def test_a_shipped_suite_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_suite("paper").parts[-3:] == ("data", "paper", "suite.json")
    (tmp_path / "paper").mkdir()
    assert find_suite("paper") == tmp_path / "paper" / "suite.json"  # What is here comes first.
    with pytest.raises(SuiteError, match="or a shipped one: miniature, paper"):
        load_suite("papers")
