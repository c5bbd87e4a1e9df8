"""A miniature is built whole, alike for the same seed, and never over something else."""

import hashlib
import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from hma.errors import HmaError
from hma.lab.build import build
from hma.lab.check import check_seed
from hma.lab.cli import app
from hma.lab.pairs import Wanted, make_pairs
from tests.lab.small import TINY, contents, silent

MODEL_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")

LAYOUT = {
    *(f"{folder}/{name}" for folder in ("reference", "policy", "judges/reward_model") for name in MODEL_FILES),
    *(f"{folder}/generation_config.json" for folder in ("reference", "policy")),
    *(f"judges/ranker/{name}" for name in ("config.json", "model.safetensors")),
    *(f"judges/ranker/base/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")),
    *(f"tasks/{task}.yaml" for task in ("common_sense", "reading", "translation")),
    *(f"tasks/{task}_{split}.jsonl" for task in ("common_sense", "reading", "translation") for split in ("validation", "test")),
    "tasks/scoring.py",
    *(f"prompts/{split}.jsonl" for split in ("train", "validation", "test")),
    "suite.json",
    "report.json",
    "judged.json",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two builds of one seed, in two folders."""
    folder = tmp_path_factory.mktemp("miniatures")
    for name in ("one", "two"):
        build(folder / name, TINY, seed=3, progress=silent)
    return folder / "one", folder / "two"


def test_every_file_of_the_layout_is_there(built):
    assert set(contents(built[0])) == LAYOUT
    assert [f.name for f in sorted(built[0].parent.iterdir())] == ["one", "two"]


def test_the_same_seed_gives_the_same_files(built):
    one, two = (contents(folder) for folder in built)
    reports = json.loads(one.pop("report.json")), json.loads(two.pop("report.json"))
    assert {k: hashlib.sha256(v).hexdigest() for k, v in one.items()} == {
        k: hashlib.sha256(v).hexdigest() for k, v in two.items()
    }
    assert reports[0]["rlhf_path"] == reports[1]["rlhf_path"]
    assert one["reference/model.safetensors"] != one["policy/model.safetensors"]


def test_the_pair_alone_is_the_same_without_the_rest(built, tmp_path):
    make_pairs([Wanted(tmp_path, TINY, seed=3)], jobs=1, progress=silent)
    pair, whole = contents(tmp_path / "tiny" / "seed-3"), contents(built[0])
    assert set(pair) == {name for name in LAYOUT if not name.startswith("judge")}
    assert {name for name in pair if pair[name] != whole[name]} == {"report.json"}


def test_the_report_tells_the_whole_path(built):
    report = json.loads((built[0] / "report.json").read_text())
    assert [step["iteration"] for step in report["rlhf_path"]["iterations"]] == [0, 1, 2]
    assert report["scenario"]["raft"]["iterations"] == 2
    assert 0 <= report["judges"]["ranker"]["agreement"] <= 1


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(HmaError, match="holds something else already"):
            build(tmp_path, TINY, seed=0, progress=silent, force=force)
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(HmaError, match="holds a miniature already"):
        build(tmp_path, TINY, seed=0, progress=silent)
    assert contents(tmp_path) == {"precious.txt": b"mine", "report.json": b"{}"}


def test_an_interrupted_build_leaves_nothing(tmp_path):
    def interrupt(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "out", TINY, seed=0, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_check_refuses_the_build_of_other_settings(built):
    other = replace(TINY, raft=replace(TINY.raft, learning_rate=1.0))
    with pytest.raises(HmaError, match="--keep"):
        check_seed(built[0], other, seed=3, progress=silent)
    with pytest.raises(HmaError, match="seed 3 of the scenario 'tiny'"):
        check_seed(built[0], TINY, seed=4, progress=silent)


def test_an_unknown_scenario_is_refused_by_name():
    result = CliRunner().invoke(app, ["build", "--scenario", "paradise"])
    assert isinstance(result.exception, HmaError)
    assert "paradise" in str(result.exception)
