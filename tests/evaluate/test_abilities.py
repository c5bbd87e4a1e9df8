"""Our numbers are lm-eval's own, item by item: its harness runs on the exported model, ours on the live one."""

import json

import numpy as np
import pytest

from hma.checkpoints.export import export
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core import statistics
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.evaluate.abilities import AbilityTask
from hma.evaluate.suite import load_suite
from tests.evaluate.harness import samples, simple_evaluate
from tests.tiny import write_suite

RECIPE = Recipe(Partition.equal(3), (0.7, 0.2, 0.4))


@pytest.fixture(scope="module")
def live(tiny_pair):
    live = LiveModel(open_pair(*tiny_pair))
    live.write(RECIPE)
    return live


@pytest.fixture(scope="module")
def peer(tiny_pair, tiny_suite, tmp_path_factory):
    """lm-eval's own results on the exported model: metrics and samples by task."""
    folder = export(open_pair(*tiny_pair), RECIPE, tmp_path_factory.mktemp("exported") / "merge").folder
    suite = load_suite(tiny_suite, "test", "full")
    files = {split: str(tiny_suite.parent / f"items_{split}.jsonl") for split in ("validation", "test")}
    tasks = {ability.axis.name: {"dataset_kwargs": {"data_files": files}} for ability in suite.abilities}
    return simple_evaluate(folder, tasks, [tiny_suite.parent], limit=suite.num_items)


@pytest.mark.parametrize(("name", "metric"), [("choice", "acc"), ("words", "f1"), ("translate", "bleu")])
def test_values_and_items_equal_lm_evals(live, peer, tiny_suite, name, metric):
    suite = load_suite(tiny_suite, "test", "full")
    ability = next(a for a in suite.abilities if a.axis.name == name)
    task = AbilityTask(ability, "test", suite.num_items, live.tokenizer, live.model.device)
    result = task.result(live.model)
    theirs = peer["results"][name][f"{metric},none"]
    assert statistics.value(result) == pytest.approx(theirs * (1 if metric == "bleu" else 100), abs=1e-9)
    logged = samples(peer, name)
    assert result.ids == tuple(s["doc"]["id"] for s in logged)
    if metric != "acc":
        assert list(result.outputs) == [s["resps"][0][0] for s in logged]
    if metric != "bleu":
        np.testing.assert_allclose(result.items[:, 0], [100 * s[metric] for s in logged])


def test_likelihoods_equal_lm_evals(live, peer, tiny_suite):
    suite = load_suite(tiny_suite, "test", "full")
    ability = next(a for a in suite.abilities if a.axis.name == "choice")
    task = AbilityTask(ability, "test", suite.num_items, live.tokenizer, live.model.device)
    ours = np.array(task.responses(live.model))[:, 0].reshape(suite.num_items, 4)
    theirs = np.array([[float(r[0][0]) for r in s["resps"]] for s in samples(peer, "choice")])
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_likelihoods_of_long_options_equal_lm_evals(live, tiny_pair, tmp_path):
    """Options of one token to five after questions of four to twelve, whose reading is shared."""
    suite = write_suite(tmp_path / "suite", num_items=20)
    file = suite.parent / "items_test.jsonl"
    items = [json.loads(line) for line in file.read_text().splitlines()]
    for place, item in enumerate(items):
        item["text"] = " ".join("abcdefgh"[(place + i) % 8] for i in range(1 + place % 9))
        item["choices"] = ["red", "red blue", "green a b c d"[: 5 + 2 * (place % 5)], "blue . . h g"][: 2 + place % 3]
        item["label"] = place % 2
    file.write_text("".join(json.dumps(item) + "\n" for item in items))
    folder = export(open_pair(*tiny_pair), RECIPE, tmp_path / "merge").folder
    theirs = simple_evaluate(
        folder,
        {"choice": {"dataset_kwargs": {"data_files": {split: str(file) for split in ("test", "validation")}}}},
        [suite.parent],
    )
    ability = next(a for a in load_suite(suite, "test", "full").abilities if a.axis.name == "choice")
    task, read = AbilityTask(ability, "test", 20, live.tokenizer, live.model.device), []
    count = lambda _, given, named: read.append(named["use_cache"])  # noqa: E731
    with live.model.register_forward_pre_hook(count, with_kwargs=True):
        responses = task.responses(live.model)
    assert True in read
    logged = samples(theirs, "choice")
    expected = [(float(r[0][0]), bool(r[0][1])) for s in logged for r in s["resps"]]
    for (ours, is_greedy), (peers, was_greedy) in zip(responses, expected, strict=True):
        assert ours == pytest.approx(peers, abs=1e-4)
        assert is_greedy == was_greedy
    np.testing.assert_array_equal(task.scored(responses).items[:, 0], [100 * s["acc"] for s in logged])


def test_a_second_run_and_a_second_plan_give_the_same_items(live, tiny_suite):
    suite = load_suite(tiny_suite)
    for ability in suite.abilities:
        tasks = [AbilityTask(ability, suite.split, suite.num_items, live.tokenizer, live.model.device) for _ in range(2)]
        runs = [tasks[0].result(live.model), tasks[0].result(live.model), tasks[1].result(live.model)]
        for run in runs[1:]:
            np.testing.assert_array_equal(run.items, runs[0].items)


def test_quick_is_a_prefix_of_full(tiny_suite):
    quick, full = load_suite(tiny_suite, size="quick"), load_suite(tiny_suite, size="full")
    assert quick.chat.prompts == full.chat.prompts
    assert quick.fingerprint == full.fingerprint  # so that a point goes on from one to the other
