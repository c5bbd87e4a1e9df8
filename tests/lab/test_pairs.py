"""Pairs of several scenarios: one reference for all that start from it, whole or not there, never over something else."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from hma.errors import HmaError
from hma.lab.cli import app
from hma.lab.making import read_report
from hma.lab.pairs import SHIPPED, Wanted, make_pairs
from hma.lab.scenario import DEFAULT, HEAVY_RAFT, NEW_KNOWLEDGE
from tests.lab.small import TINY, contents, silent

KNOWING = replace(
    TINY, name="knowing", raft=replace(TINY.raft, task_share=0.0, demonstrations=2), program="hma.lab.new_knowledge:reward"
)


def wanted(out, **changes):
    return [replace(Wanted(out, scenario, seed=1), **changes) for scenario in (TINY, KNOWING)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of two scenarios, and the stages that were told."""
    out, told = tmp_path_factory.mktemp("lab"), []
    make_pairs(wanted(out), 1, lambda stage, done, total: told.append(stage))
    return out, list(dict.fromkeys(told))


def test_two_scenarios_share_one_reference(made):
    out, told = made
    assert told == ["tiny, seed 1: pre-training", "tiny, seed 1: RAFT", "knowing, seed 1: RAFT"]
    (kept,) = (out / "references").iterdir()
    tiny, knowing = (contents(out / name / "seed-1") for name in ("tiny", "knowing"))
    weights = {name: folder.pop("reference/model.safetensors") for name, folder in (("tiny", tiny), ("knowing", knowing))}
    assert weights["tiny"] == weights["knowing"] == (kept / "reference/model.safetensors").read_bytes()
    assert tiny["policy/model.safetensors"] != knowing["policy/model.safetensors"]
    assert json.loads(knowing["suite.json"])["rewards"] == [{"kind": "program", "function": "hma.lab.new_knowledge:reward"}]
    assert read_report(out / "knowing/seed-1")["seconds"]["pretraining"] == read_report(kept)["seconds"]["pretraining"]


def test_what_is_there_stays(made):
    out, _ = made
    before = contents(out)
    assert make_pairs(wanted(out), 1, pytest.fail) == []
    assert contents(out) == before


def test_interrupted_it_goes_on_with_what_is_missing(made, tmp_path):
    def interrupt(stage, done, total):
        if stage.startswith("knowing"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pairs(wanted(tmp_path), 1, interrupt)
    assert not any(name.startswith("knowing") for name in contents(tmp_path))
    told = []
    again = make_pairs(wanted(tmp_path), 1, lambda stage, done, total: told.append(stage))
    assert [pair.scenario.name for pair in again] == ["knowing"]
    assert set(told) == {"knowing, seed 1: RAFT"}
    assert {name for name, data in contents(tmp_path).items() if contents(made[0])[name] != data} <= {
        name for name in contents(tmp_path) if name.endswith("report.json")
    }


def test_with_path_every_iteration_is_measured(made, tmp_path):
    make_pairs(wanted(tmp_path)[:1], 1, silent)
    assert "rlhf_path" not in read_report(tmp_path / "tiny/seed-1")
    assert len(make_pairs(wanted(tmp_path, path=True)[:1], 1, silent)) == 1
    report = read_report(tmp_path / "tiny/seed-1")
    assert [step["iteration"] for step in report["rlhf_path"]["iterations"]] == [0, 1, 2]
    assert make_pairs(wanted(tmp_path)[:1], 1, pytest.fail) == []


def test_a_folder_that_holds_something_else_is_refused_before_anything_is_trained(made, tmp_path):
    first, second = wanted(tmp_path)
    for precious in (second.folder / "precious.txt", first.reference / "precious.txt"):
        precious.parent.mkdir(parents=True)
        precious.write_text("mine")
        with pytest.raises(HmaError, match="holds something else"):
            make_pairs([first, second], 1, pytest.fail)
        assert contents(tmp_path) == {str(precious.relative_to(tmp_path)): b"mine"}
        precious.unlink()
    other = replace(KNOWING, raft=replace(KNOWING.raft, learning_rate=1.0))
    with pytest.raises(HmaError, match="other settings than the scenario 'knowing' and seed 1"):
        make_pairs([Wanted(made[0], other, seed=1)], 1, pytest.fail)


def test_two_processes_make_what_one_makes(made, tmp_path):
    told = []
    pairs = [Wanted(tmp_path, KNOWING, seed) for seed in (1, 2)]
    make_pairs(pairs, 2, lambda *progress: told.append(progress))
    assert told == [("pairs", 1, 2), ("pairs", 2, 2)]
    one, two = contents(made[0] / "knowing/seed-1"), contents(tmp_path / "knowing/seed-1")
    assert {name for name in one if one[name] != two[name]} <= {"report.json"}
    assert one["policy/model.safetensors"] != contents(pairs[1].folder)["policy/model.safetensors"]


def test_the_default_pair_of_seed_0_is_the_shipped_one(tmp_path):
    def run():
        done = CliRunner().invoke(app, ["pairs", "--scenarios", "default", "--seeds", "0", "--out", str(tmp_path), "--json"])
        return json.loads(done.stdout)

    folder = tmp_path / "default" / "seed-0"
    assert run() == {"pairs": [str(folder)], "made": [str(folder)]}
    pair = contents(folder)
    assert json.loads(pair.pop("report.json"))["seconds"].keys() == {"pretraining", "raft"}
    assert all((SHIPPED / name).read_bytes() == data for name, data in pair.items())
    assert run() == {"pairs": [str(folder)], "made": []}


def test_references_are_shared_by_what_they_were_trained_with(tmp_path):
    assert Wanted(tmp_path, DEFAULT, 1).reference == Wanted(tmp_path, NEW_KNOWLEDGE, 1).reference
    assert Wanted(tmp_path, DEFAULT, 1).reference != Wanted(tmp_path, HEAVY_RAFT, 1).reference
    assert Wanted(tmp_path, DEFAULT, 1).reference != Wanted(tmp_path, DEFAULT, 2).reference


def test_an_unknown_scenario_among_several_is_refused():
    done = CliRunner().invoke(app, ["pairs", "--scenarios", "default,paradise"])
    assert isinstance(done.exception, HmaError)
    assert "paradise" in str(done.exception)
