"""The paper's suite: its seven tasks on stand-ins of the data sets give lm-eval's own numbers, item by item."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from hma.checkpoints.export import export
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core import statistics
from hma.core.partition import Partition
from hma.core.point import REWARD, scores_of
from hma.core.recipe import Recipe
from hma.core.statistics import Result
from hma.evaluate import installed
from hma.evaluate.abilities import AbilityTask
from hma.evaluate.ability import SPLITS
from hma.evaluate.suite import load_suite
from tests import tiny
from tests.cli import hma
from tests.evaluate import standins
from tests.evaluate.harness import samples, simple_evaluate

SHIPPED = Path(__file__).parents[2] / "data" / "paper"
RECIPE = Recipe(Partition.equal(3), (0.7, 0.2, 0.4))
NUM_ITEMS = 8
CONTEXT = 256
GENERATING = {"squad": "\n", "drop": ".", "wmt14_fr_en": "\n"}
GROUPS = {
    "common_sense": ["arc_easy", "arc_challenge", "race", "piqa"],
    "reading": ["squad", "drop"],
    "translation": ["wmt14_fr_en"],
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return open_pair(*tiny.write_pair(tmp_path_factory.mktemp("pair"), context=CONTEXT))


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """What stands in the place of the tasks' own settings: data sets that are here, and short answers."""
    data = standins.paper(tmp_path_factory.mktemp("data"), NUM_ITEMS)
    short = {n: {"generation_kwargs": {"until": [end], "do_sample": False, "max_gen_toks": 8}} for n, end in GENERATING.items()}
    return {name: {"dataset_path": str(folder), **short.get(name, {})} for name, folder in data.items()}


@pytest.fixture(scope="module")
def suite_path(settings, tmp_path_factory):
    """The shipped suite on the stand-ins, prompts in HH-RLHF's form, and the miniature's reward model in the place of its own."""
    folder = shutil.copytree(SHIPPED, tmp_path_factory.mktemp("suite") / "paper")
    suite = json.loads((folder / "suite.json").read_text())
    suite["abilities"] = [{**ability, "settings": settings[ability["name"]]} for ability in suite["abilities"]]
    suite["rewards"][0]["model"] = str(SHIPPED.parent / "miniature" / "judges" / "reward_model")
    suite["chat"]["prompts"] |= dict.fromkeys(SPLITS, "prompts.jsonl")
    suite["chat"]["generation"]["max_new_tokens"] = 8
    suite["sizes"] = {"quick": NUM_ITEMS}
    prompts = [{"chosen": f"\n\nHuman: {'red ' * i}?\n\nAssistant: blue", "rejected": ""} for i in range(NUM_ITEMS)]
    (folder / "prompts.jsonl").write_text("".join(json.dumps(prompt) + "\n" for prompt in prompts))
    (folder / "suite.json").write_text(json.dumps(suite))
    return folder / "suite.json"


@pytest.fixture(scope="module")
def ours(pair, suite_path):
    """Our results on the live model, by split and task."""
    live = LiveModel(pair)
    live.write(RECIPE)

    def result(ability, split):
        return AbilityTask(ability, split, NUM_ITEMS, live.tokenizer, live.model.device, CONTEXT).result(live.model)

    return {split: {a.axis.name: result(a, split) for a in load_suite(suite_path, split).abilities} for split in SPLITS}


@pytest.fixture(scope="module")
def theirs(pair, suite_path, settings, tmp_path_factory):
    """lm-eval's results on the exported model, by task and split; it is told which of the data set's splits, and which half."""
    folder = export(pair, RECIPE, tmp_path_factory.mktemp("exported") / "merge").folder
    yaml = installed.folder() / "tasks"
    below = [*(yaml / name for name in ("arc", "race", "piqa", "drop", "translation")), suite_path.parent / "tasks"]
    tasks, chosen = {}, {}
    for split in SPLITS:
        for ability in load_suite(suite_path, split).abilities:
            name = asked(ability, split)
            cache = {"cache_dir": str(tmp_path_factory.mktemp("cache"))}
            tasks[name] = {**settings[ability.axis.name], "test_split": ability.part(split).split, "dataset_kwargs": cache}
            chosen[name] = sorted(places(ability, split))
    return simple_evaluate(folder, tasks, below, samples=chosen)


def places(ability, split):
    """The places of the items in their data set's split: RACE's is twice as long as the others."""
    return ability.places(split, NUM_ITEMS * (2 if ability.axis.name == "race" else 1))


def asked(ability, split):
    return f"{ability.all_settings()['task']} {split}"


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", [task for tasks in GROUPS.values() for task in tasks])
def test_items_equal_lm_evals_on_the_exported_model(ours, theirs, suite_path, split, name):
    ability = next(a for a in load_suite(suite_path, split).abilities if a.axis.name == name)
    result = ours[split][name]
    logged = {sample["doc_id"]: sample for sample in samples(theirs, asked(ability, split))}
    logged = [logged[place] for place in places(ability, split)]
    value = theirs["results"][asked(ability, split)][f"{ability.metric},none"]
    assert statistics.value(result) == pytest.approx(value * (1 if ability.metric == "bleu" else 100), abs=1e-9)
    assert 0 < statistics.value(result) < 100
    assert len(logged) == len(result.items) == NUM_ITEMS
    if name in GENERATING:
        assert list(result.outputs) == [sample["resps"][0][0] for sample in logged]
    if ability.metric != "bleu":
        np.testing.assert_allclose(result.items[:, 0], [100 * sample[ability.metric] for sample in logged])


def test_the_halves_of_race_are_other_items(theirs):
    questions = [{sample["doc"]["article"] for sample in samples(theirs, f"race {split}")} for split in SPLITS]
    assert len(questions[0] | questions[1]) == 2 * NUM_ITEMS


def test_the_three_groups_are_plain_means_with_intervals(ours, suite_path):
    groups: dict[str, list[str]] = {}
    for ability in load_suite(suite_path, "test").abilities:
        groups.setdefault(ability.axis.group, []).append(ability.axis.name)
    assert groups == GROUPS
    reward = Result("mean", np.arange(NUM_ITEMS).reshape(-1, 1), tuple(map(str, range(NUM_ITEMS))))
    ((scores, ability),) = scores_of([{REWARD: reward, **ours["test"]}], groups)
    means = [np.mean([scores[task].value for task in tasks]) for tasks in groups.values()]
    assert ability.value == pytest.approx(np.mean(means))
    assert ability.low < ability.value < ability.high
    for tasks in groups.values():
        ((_, group),) = scores_of([{REWARD: reward, **{task: ours["test"][task] for task in tasks}}], {"alone": tasks})
        assert group.value == pytest.approx(np.mean([scores[task].value for task in tasks]))
        assert group.low < group.high


def test_the_command_line_measures_it(pair, suite_path, ours, tmp_path):
    ends = [str(end.folder) for end in (pair.reference, pair.policy)]
    asked = ["--split", "test", "--alphas", ",".join(map(str, RECIPE.alphas)), "--store", tmp_path / "points.sqlite", "--json"]
    done = hma("measure", "--reference", ends[0], "--policy", ends[1], "--suite", suite_path.parent, *asked)
    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)["scores"]
    assert {name: score["value"] for name, score in scores.items() if name != REWARD} == {
        name: pytest.approx(statistics.value(result)) for name, result in ours["test"].items()
    }
