"""Every kind of task gives lm-eval's own items; what cannot be measured is refused before the model is asked."""

import importlib
import json
import random
import shutil
import sys
import time
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from lm_eval.tasks.qasper.metrics import f1_abstractive

from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core import statistics
from hma.errors import SuiteError
from hma.evaluate.abilities import AbilityTask
from hma.evaluate.suite import find_suite, load_suite
from tests import tiny
from tests.evaluate import standins
from tests.evaluate.harness import samples, simple_evaluate

DATA = """
dataset_path: json
dataset_kwargs: {data_files: {validation: items_validation.jsonl, test: items_test.jsonl}}
validation_split: validation
test_split: test
doc_to_text: "question : {{text}} answer :"
"""
CHOICE = DATA + "output_type: multiple_choice\ndoc_to_choice: choices\ndoc_to_target: label\n"
WRITTEN = DATA + "output_type: generate_until\ngeneration_kwargs: {until: ['.'], max_gen_toks: 6}\ndoc_to_target: target\n"


def listed(metric, more=""):
    return f"metric_list:\n  - metric: {metric}\n    higher_is_better: true\n{more}"


TASKS = {
    # Few-shot examples of another split, of the one that is measured, and of the one that lm-eval takes by itself.
    "shots": CHOICE + "num_fewshot: 2\nfewshot_split: validation\n" + listed("acc", "    aggregation: mean\n"),
    "itself": CHOICE + "num_fewshot: 2\nfewshot_split: test\n" + listed("acc", "    aggregation: mean\n"),
    "taken": CHOICE.replace("test_split", "training_split: validation\ntest_split")
    + "num_fewshot: 2\n"
    + listed("acc", "    aggregation: mean\n"),
    "long": CHOICE + listed("acc_norm"),
    "last": DATA + "output_type: loglikelihood\ndoc_to_target: ' {{choices[label]}}'\n" + listed("acc"),
    "filtered": WRITTEN.replace("doc_to_target: target", "doc_to_target: '{{target.split()[0]}}'")
    + "filter_list:\n"
    + "  - {name: whole, filter: [{function: take_first}]}\n"
    + "  - {name: first, filter: [{function: regex, regex_pattern: '(\\S+)'}, {function: take_first}]}\n"
    + listed("exact_match"),
    "translated": WRITTEN + listed("bleu"),
    "own": WRITTEN + "process_results: !function own.pairs\n" + listed("shared", "    aggregation: !function own.mean_shared\n"),
}
METRICS = {"shots": "acc", "itself": "acc", "taken": "acc", "long": "acc_norm", "last": "acc", "filtered": "exact_match,first"}
METRICS |= {"translated": "bleu", "own": "shared"}

OWN = """
def pairs(doc, results):
    return {"shared": (results[0], doc["target"])}


def mean_shared(items):
    shares = [len(set(got.split()) & set(want.split())) / len(set(want.split())) for got, want in items]
    return 100 * sum(shares) / len(shares)


def best_shared(items):
    return max(mean_shared([item]) for item in items)
"""


@pytest.fixture(scope="module")
def suite_path(tmp_path_factory):
    path = tiny.write_suite(tmp_path_factory.mktemp("suite"))
    for name, text in TASKS.items():
        (path.parent / f"{name}.yaml").write_text(f"task: {name}{text}")
    (path.parent / "own.py").write_text(OWN)
    data = json.loads(path.read_text())
    data["abilities"] = [entry(name, METRICS[name]) for name in TASKS]
    path.write_text(json.dumps(data))
    return path


def entry(name, metric):
    return {"name": name, "title": name, "task": f"{name}.yaml", "metric": metric, "unit": "points"} | (
        {"out_of": 100} if name == "own" else {}
    )


@pytest.fixture(scope="module")
def live(tiny_pair):
    return LiveModel(open_pair(*tiny_pair))  # It holds the policy.


@pytest.fixture(scope="module")
def theirs(tiny_pair, suite_path):
    folder = suite_path.parent
    files = {split: str(folder / f"items_{split}.jsonl") for split in ("validation", "test")}
    tasks = {name: {"dataset_kwargs": {"data_files": files}} for name in TASKS}
    return simple_evaluate(tiny_pair[1], tasks, [folder], limit=12)


@pytest.mark.parametrize("name", TASKS)
def test_items_equal_lm_evals(live, theirs, suite_path, name):
    suite = load_suite(suite_path, "test", "full")
    ability = next(a for a in suite.abilities if a.axis.name == name)
    metric, _, chain = METRICS[name].partition(",")
    logged = samples(theirs, name, chain or "none")
    task = AbilityTask(ability, "test", 12, live.tokenizer, live.model.device)
    asked = [request.args[0] for requests in task._documents for request in requests]
    assert asked == [argument[0] for sample in logged for argument in sample["arguments"]]
    if name in ("shots", "itself", "taken"):
        assert asked[0].count("question") == 3
        assert not any(sample["doc"]["text"] in sample["arguments"][0][0].rpartition("question")[0] for sample in logged)
    result = task.result(live.model)
    value = theirs["results"][name][f"{metric},{chain or 'none'}"]
    assert statistics.value(result) == pytest.approx(value * (1 if name in ("own", "translated") else 100), abs=1e-9)
    if name not in ("own", "translated"):
        np.testing.assert_allclose(result.items[:, 0], [100 * sample[metric] for sample in logged])
    if result.outputs is not None:
        assert list(result.outputs) == [sample["resps"][0][0] for sample in logged]


def test_an_item_is_never_its_own_example(suite_path):
    """lm-eval takes the examples from the items themselves where it finds no other, and then shows the answer too."""
    task = suite_path.parent / "alone.yaml"
    task.write_text(f"task: alone{CHOICE.replace('test_split: test', '')}num_fewshot: 3\n" + listed("acc"))
    data = json.loads(suite_path.read_text())
    data["abilities"] = [entry("alone", "acc")]
    path = suite_path.with_name("alone.json")
    path.write_text(json.dumps(data))
    built = AbilityTask(load_suite(path).abilities[0], "validation", 12, tiny.tokenizer(), torch.device("cpu"))
    for requests in built._documents:
        examples, _, asked = requests[0].args[0].rpartition("question")
        assert examples.count("question") == 3 and requests[0].doc["text"] in asked
        assert requests[0].doc["text"] not in examples


@pytest.fixture
def squad2(monkeypatch):
    """The paper's own scoring of SQuAD."""
    monkeypatch.syspath_prepend(str(find_suite("paper").parent / "tasks"))
    return importlib.import_module("squad2")


def test_lm_evals_squadv2_asks_for_a_text_and_a_likelihood(live, tiny_suite, tmp_path, monkeypatch, squad2):
    """A Python class of lm-eval that aggregates by a program from the hub, in whose place the paper's own scoring stands."""

    def compute(predictions, references):
        scores = [squad2.process_results(r, [p["prediction_text"]])["f1"] for p, r in zip(predictions, references, strict=True)]
        found = [score for score, r in zip(scores, references, strict=True) if r["answers"]["text"]]
        return {"f1": 100 * np.mean(scores)} | ({"HasAns_f1": 100 * np.mean(found)} if found else {})

    monkeypatch.setitem(sys.modules, "evaluate", SimpleNamespace(load=lambda name: SimpleNamespace(compute=compute)))
    data = standins.paper(tmp_path / "data", 5)["squad"]
    suite = shutil.copytree(tiny_suite.parent, tmp_path / "suite") / "suite.json"
    said = json.loads(suite.read_text())

    def task(metric):
        ability = {"name": "squad", "title": "SQuAD", "unit": "F1", "task": "squadv2", "metric": metric, "out_of": 100}
        splits = {"validation": "train", "test": "validation"}
        said["abilities"] = [{**ability, "splits": splits, "settings": {"dataset_path": str(data)}}]
        suite.write_text(json.dumps(said))
        return AbilityTask(load_suite(suite, "test").abilities[0], "test", 5, live.tokenizer, live.model.device)

    built = task("f1")
    assert [request.request_type for request in built._documents[0]] == ["generate_until", "loglikelihood"]
    responses = built.responses(live.model)
    texts, likelihoods = responses[::2], responses[1::2]
    assert all(isinstance(text, str) for text in texts) and all(value < 0 for value, _ in likelihoods)
    result = built.scored(responses)
    expected = [squad2.process_results(members[0].doc, [text]) for members, text in zip(built._documents, texts, strict=True)]
    np.testing.assert_allclose(result.items[:, 0], [100 * scores["f1"] for scores in expected])
    assert 0 < statistics.value(result) < 100 and result.outputs == tuple(texts)
    with pytest.raises(SuiteError, match="HasAns_f1 of squad is no mean over items"):
        task("HasAns_f1")


def test_squads_f1_is_that_of_the_published_script(squad2):
    """lm-eval's Qasper brings that script's F1 of one answer along."""
    draw = random.Random(0)
    words = ["The", "the", "a", "an", "Fox", "fox,", "fox's", "(red)", "red", "theatre", "  ", "…", "-", "1,000"]
    seen = 0
    for _ in range(500):
        given, *right = (" ".join(draw.choices(words, k=draw.randrange(5))) for _ in range(3))
        if named := [answer for answer in right if squad2.normalized(answer)]:
            seen += 1
            scores = squad2.process_results({"answers": {"text": right}}, [given])
            assert scores["f1"] == pytest.approx(max(f1_abstractive([given], [answer]) for answer in named))
            assert (scores["exact"] == 1) <= (scores["f1"] == 1)
    assert seen > 300
    nothing = {"answers": {"text": []}}
    assert squad2.process_results(nothing, [" the. "]) == {"exact": 1.0, "f1": 1.0}
    assert squad2.process_results(nothing, ["unanswerable"]) == {"exact": 0.0, "f1": 0.0}


@pytest.fixture
def broken(suite_path, tmp_path):
    """A function that builds a task of a copied suite in which texts of files were replaced."""
    copy = shutil.copytree(suite_path.parent, tmp_path / "copy")

    def build(name, changes, metric=None, split="test", context=None, **said):
        for file, (old, new) in changes.items():
            text = (copy / file).read_text()
            assert old in text
            (copy / file).write_text(text.replace(old, new, 1))
        data = json.loads((copy / "suite.json").read_text())
        data["abilities"] = [{**entry(name, metric or METRICS[name]), **said}]
        (copy / "suite.json").write_text(json.dumps(data))
        return AbilityTask(load_suite(copy, split).abilities[0], split, 12, tiny.tokenizer(), torch.device("cpu"), context)

    return build


def test_a_missing_field_is_named_with_its_line(broken, suite_path):
    line = (suite_path.parent / "items_test.jsonl").read_text().split("\n")[6]
    without = json.loads(line)
    del without["label"]
    with pytest.raises(SuiteError, match=r"items_test\.jsonl, line 7 has no field 'label', which the task's doc_to_target reads"):
        broken("long", {"items_test.jsonl": (line, json.dumps(without))})


def test_a_missing_field_that_only_the_tasks_code_reads_is_named_with_its_line(broken, suite_path):
    line = (suite_path.parent / "items_test.jsonl").read_text().split("\n")[4]
    without = json.loads(line)
    del without["target"]
    with pytest.raises(SuiteError, match=r"items_test\.jsonl, line 5 cannot be scored by the task .*own\.yaml: .*'NoneType'"):
        broken(
            "own", {"items_test.jsonl": (line, json.dumps(without)), "own.yaml": ("doc_to_target: target", "doc_to_target: x")}
        )


def test_a_field_that_the_prompt_cannot_be_made_of_is_named_with_its_line(broken, suite_path):
    line = (suite_path.parent / "items_test.jsonl").read_text().split("\n")[8]
    changed = json.dumps({**json.loads(line), "choices": None})
    with pytest.raises(SuiteError, match=r"items_test\.jsonl, line 9 cannot be asked by the task .*last\.yaml: UndefinedError"):
        broken("last", {"items_test.jsonl": (line, changed)})


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("content", ["", " \n\n"])
def test_a_data_file_without_lines_is_named(broken, suite_path, split, content):
    with pytest.raises(SuiteError, match=rf"items_{split}\.jsonl has no lines"):
        broken("long", {f"items_{split}.jsonl": ((suite_path.parent / f"items_{split}.jsonl").read_text(), content)})


@pytest.mark.parametrize("line", [1, 6])
def test_a_nested_field_that_is_missing_is_named_with_its_line(broken, suite_path, line):
    """lm-eval makes the first item's prompt when it opens the task, the others' when it asks them."""
    item = (suite_path.parent / "items_test.jsonl").read_text().split("\n")[line - 1]
    changes = {"items_test.jsonl": (item, json.dumps({**json.loads(item), "text": None}))}
    with pytest.raises(SuiteError, match=rf"items_test\.jsonl, line {line} cannot be asked by the task .*: UndefinedError"):
        broken("long", {**changes, "long.yaml": ("{{text}}", "{{text.strip()}}")})


def test_a_nested_field_that_no_item_has_is_named_with_the_first(broken):
    with pytest.raises(SuiteError, match=r"items_test\.jsonl, line 1 cannot be asked by the task .* no attribute 'nope'"):
        broken("long", {"long.yaml": ("{{text}}", "{{text.nope}}")})


@pytest.mark.parametrize(
    ("name", "changes", "options", "said"),
    [
        ("long", {"items_test.jsonl": ('"label": ', '"lable": ')}, {}, "line 1 has no field 'label'"),
        ("long", {"items_test.jsonl": ("{", "{ {")}, {}, "items_test.jsonl"),
        (
            "long",
            {"long.yaml": ("{{text}}", "{{question}}")},
            {},
            "line 1 has no field 'question', which the task's doc_to_text reads",
        ),
        ("long", {"long.yaml": ("doc_to_target: label", "doc_to_target: '{{label - 9}}'")}, {}, "which is none of its 4 options"),
        ("long", {"long.yaml": ("acc_norm", "accc")}, {"metric": "accc"}, "lm-eval has no metric 'accc'"),
        ("long", {"long.yaml": ("acc_norm", "bleu")}, {"metric": "bleu"}, "bleu is not among what the task computes"),
        ("long", {"long.yaml": ("acc_norm", "mcc")}, {"metric": "mcc"}, "aggregated by 'matthews_corrcoef'"),
        ("long", {"long.yaml": ("acc_norm", "acc_mutual_info")}, {"metric": "acc_mutual_info"}, "not supported"),
        ("long", {}, {"metric": "acc_norm,strict"}, "'acc_norm,none'"),
        ("long", {}, {"context": 8}, "has .* tokens with the option .*, and the model's context is 8"),
        ("translated", {"translated.yaml": ("bleu", "chrf")}, {"metric": "chrf"}, "aggregated by 'chrf'"),
        ("translated", {"translated.yaml": ("bleu", "ter"), "suite.json": ("", "")}, {"metric": "ter"}, "aggregated by 'ter'"),
        (
            "translated",
            {"translated.yaml": ("bleu", "wer\n    hf_evaluate: true\n    aggregation: mean")},
            {"metric": "wer"},
            "would drop it",
        ),
        ("translated", {"translated.yaml": ("max_gen_toks: 6", "num_beams: 4")}, {}, "generation setting 'num_beams'"),
        ("own", {}, {"out_of": 1}, 'beyond 0..1. Say "out_of": 100'),
        ("own", {"own.yaml": ("mean_shared", "best_shared")}, {}, "shared of own is no mean over items"),
        ("own", {"own.yaml": ("own.pairs", "own.pears")}, {}, "cannot be built: AttributeError"),
        ("own", {"own.yaml": ("output_type", "unsafe_code: true\noutput_type")}, {}, "runs code that the model wrote"),
        ("own", {}, {"splits": {"validation": "test[:8]", "test": "test[4:]"}}, r"overlap: test\[:8\] and test\[4:\]"),
        ("own", {}, {"splits": {"test": "test[:50%]"}}, r"asks for 12 items of own and own.yaml has 6 in test\[:50%\]"),
        ("own", {}, {"splits": {"test": "held_out"}}, "cannot be built: .*held_out"),
        (
            "own",
            {},
            {"settings": {"dataset_path": "organisation/nowhere"}},
            "organisation/nowhere of the task own could not be reached",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_model_is_asked(broken, name, changes, options, said):
    with pytest.raises(SuiteError, match=said):
        broken(name, changes, **options)


@pytest.mark.parametrize(
    ("name", "context", "said"),
    [
        ("long", 60, r"has \d\d tokens with the option ' [a-z ]*', and the model's context is 60\. It begins '"),
        ("translated", 60, r"has \d\d tokens, and the model's context of 60 has room for 54 beside 6 new ones\. It begins '"),
    ],
)
def test_an_item_that_is_longer_than_the_context_is_named_with_its_line(broken, suite_path, name, context, said):
    line = (suite_path.parent / "items_test.jsonl").read_text().split("\n")[4]
    item = json.loads(line)
    longer = {"items_test.jsonl": (line, json.dumps({**item, "text": "a " * 60}))}
    with pytest.raises(SuiteError, match=rf"^{name}: .*items_test\.jsonl, line 5 \(id '{item['id']}'\) {said}"):
        broken(name, longer, context=context)


def test_a_data_set_of_a_hub_that_cannot_be_reached_is_said_at_once_with_how_to_provide_it(broken, monkeypatch, capfd):
    for module in (constants, datasets.config):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    started = time.monotonic()
    with pytest.raises(
        SuiteError, match=r"organisation/nowhere of the task own could not be reached: http://127.*HF_HOME"
    ) as found:
        broken("own", {}, settings={"dataset_path": "organisation/nowhere"})
    assert time.monotonic() - started < 10
    assert ".yaml" not in str(found.value)
    assert "Retrying" not in capfd.readouterr().err
    assert not datasets.config.HF_HUB_OFFLINE  # A worker goes on to ask, in case the network comes back.


def test_another_folder_of_the_same_name_is_read_afresh(broken, tmp_path):
    """datasets keeps what it read under the folder's name alone."""
    rows = [{"text": "a", "choices": ["red", "blue"], "label": 1}] * 12
    for place, colours in (("one", ["red", "blue"]), ("two", ["green", "d"])):
        data = standins.write(tmp_path / place / "data", {"test": [{**row, "choices": colours} for row in rows]})
        built = broken("long", {}, settings={"dataset_path": str(data), "dataset_kwargs": {}})
        assert built._documents[0][0].doc["choices"] == colours
