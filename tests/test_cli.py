"""The command line as people and programs use it: its output, its exit code."""

import json
import math
import socket
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hma import __main__ as program
from hma import shell
from hma.core.statistics import value
from hma.store import Store
from tests import tiny
from tests.cli import hma, process


def test_measure_prints_one_json_object_and_nothing_else(swept, options):
    store, _ = swept
    done = process("measure", "--alphas", "0.2,0.3,0.4", "--json", "--store", store, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    printed = json.loads(done.stdout)
    assert printed["recipe"]["alphas"] == [0.2, 0.3, 0.4]
    assert set(printed["scores"]) == {"reward", "choice", "words", "translate"}
    for name, result in Store(store).results(printed["key"]).items():
        score = printed["scores"][name]
        assert set(score) == {"value", "low", "high", "standard_error", "num_items"}
        assert score["low"] <= score["value"] <= score["high"]
        assert score["value"] == pytest.approx(value(result))
        assert score["num_items"] == 8
    assert printed["elapsed_seconds"] > 0
    again = hma("measure", "--alphas", "0.2,0.3,0.4", "--json", "--store", store, *options)
    assert again.stdout == done.stdout  # from the store, to the digit and the second


def test_a_partition_of_ones_own_and_other_numbers_make_another_point(swept, options):
    store, _ = swept
    given = ["measure", "--json", "--store", store, *options]
    own = hma(*given, "--alphas", "0.1,0.2,0.3,0.4", "--pivots", "0", "--own", "embeddings,head", "--dtype", "bfloat16")
    assert own.returncode == 0, own.stderr
    printed = json.loads(own.stdout)
    assert printed["recipe"]["own"] == ["embeddings", "head"]
    assert printed["recipe"]["precision"]["dtype"] == "bfloat16"
    assert printed["effective_alphas"] == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.02)
    assert Store(store).point(printed["key"]).recipe.partition.own == ("embeddings", "head")


def test_the_original_codes_mask_alphas_are_measured_and_exported(swept, options, tmp_path):
    store, _ = swept
    scores = [math.log(3), 0.0, -math.log(3)]  # Sigmoids .75, .5 and .25: one, two thirds and a third of 0.6 at most.
    file = tiny.write_mask_alphas(tmp_path, num_layers=3, level="layerwise", scores=scores, init_val=0.4)
    done = hma("measure", "--alphas", file, "--json", "--store", store, *options)
    assert done.returncode == 0, done.stderr
    recipe = json.loads(done.stdout)["recipe"]
    assert recipe["alphas"] == [0.6, 0.4, 0.2, 0.4]
    assert recipe["linear_only"] is True
    written = hma("export", "--alphas", file, "--out", tmp_path / "out", "--json", "--store", store, *options)
    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout)["recipe"] == recipe
    assert "8 validation items" in (tmp_path / "out" / "README.md").read_text()
    for more, said in (["--blocks", "3"], "says its blocks itself"), (["--policy", tmp_path / "out"], "the model has 3"):
        file = file if "--blocks" in more else tiny.write_mask_alphas(tmp_path, num_layers=26, level="block3", scores=scores)
        wrong = hma("measure", "--alphas", file, *options, *more)
        assert wrong.returncode == 2
        assert said in " ".join(wrong.stderr.split())


def test_front_prints_points_front_hypervolume_and_corner(swept, options):
    store, _ = swept
    done = hma("front", "--json", "--store", store, *options)
    printed = json.loads(done.stdout)
    keys = [p["key"] for p in printed["points"]]
    assert set(printed["front"]) <= set(keys)
    assert set(printed["corner"]) == {"reward", "ability"}
    assert printed["hypervolume"] >= 0
    plane = {p["key"]: (p["scores"]["reward"]["value"], p["ability"]["value"]) for p in printed["points"]}
    for key in keys:
        beaten = any(o[0] >= plane[key][0] and o[1] >= plane[key][1] and o != plane[key] for o in plane.values())
        assert (key in printed["front"]) != beaten


def test_tables_are_printed_for_people(swept, options):
    store, _ = swept
    done = hma("front", "--store", store, *options)
    assert done.returncode == 0
    assert "on the front" in done.stdout
    assert "Hypervolume" in done.stdout
    other = hma("front", "--split", "test", "--store", store, *options)
    assert other.returncode == 0
    wanted = shell.command("sweep", "--split", "test", "--store", *map(str, [store, *options]))
    assert f"Measure some: {wanted}\n" in other.stdout
    assert json.loads(hma("front", "--split", "test", "--json", "--store", store, *options).stdout) == {
        "items": {"split": "test", "size": "quick", "num_items": 8},
        "points": [],
        "front": [],
        "membership": {},
        "hypervolume": None,
        "hypervolume_interval": None,
        "corner": None,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--alphas", "0.2,0.2"], "2 alphas were given (0.2, 0.2)"),
        (["--alphas", "0.2,0.2,1.2"], "Alpha 3 of 3 is 1.2"),
        (["--alphas=-0.1,0,0"], "Alpha 1 of 3 is -0.1"),
        (["--alphas", "a,b,c"], "is not a list of numbers"),
        (["--alphas", "0", "--blocks", "9"], "9 blocks were asked for"),
        (["--alphas", "0", "--blocks", "some"], "--blocks is 'some'"),
        (["--alphas", "pma_0.5_a_split|0|0.4|0.3_b", "--blocks", "2"], "says its blocks itself"),
        (["--alphas", "pma_0.5_a_split|9|0.4|0.3_b"], "counted from 0"),
        (["--alphas", "0", "--pivots", "1,0"], "--pivots is '1,0'"),
        (["--alphas", "0", "--pivots", "1", "--blocks", "2"], "--blocks and --pivots were both given"),
        (["--alphas", "0", "--own", "tail"], "--own names 'tail'"),
        (["--alphas", "0", "--own", "head,norm", "--linear-only"], "--own names 'norm', and --linear-only"),
        (["--alphas", "pma_0.5_a_split|0|0.4|0.3_b", "--linear-only"], "says its blocks itself"),
        (["--alphas", "0", "--dtype", "int8"], "--dtype is 'int8'"),
        (["--alphas", "0", "--rounding", "up"], "--rounding is 'up'"),
        (["--alphas", "0", "--rounding", "stochastic", "--seed", "-1"], "'--seed': '-1'. It must be a whole number, 0 or more"),
        (["--alphas", "0", "--reference", "/no/such/folder"], "/no/such/folder does not exist"),
        (["--alphas", "0", "--suite", "/no/such/suite.json"], "There is no suite at"),
        (["--alphas", "0", "--suite", "{broken}"], "'quick' is -1, expected 1 or more"),
        (["--alphas", "0", "--split", "train"], "Split 'train' is unknown"),
        (["--alphas", "0", "--size", "huge"], "Size 'huge' is not in"),
        (["--alphas", "0", "--store", "/proc/none/points.sqlite"], "cannot be made"),
        (["--alphas", "0", "--store", "/tmp"], "/tmp is a folder"),
        ([], "--alphas"),
    ],
)
def test_a_persons_mistake_exits_2_with_its_message(options, arguments, said, tmp_path):
    (tmp_path / "broken.json").write_text('{"sizes": {"quick": -1}}')
    arguments = [a.replace("{broken}", str(tmp_path / "broken.json")) for a in arguments]
    given = [*options, *arguments]  # a later option wins
    done = hma("measure", "--json", *given)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_front_of_a_store_that_is_not_there_exits_2_and_makes_none(options, tmp_path):
    missing = tmp_path / "typo.sqlite"
    done = hma("front", "--store", missing, *options)
    assert done.returncode == 2
    assert f"There is no store at {missing}" in done.stderr
    assert f"hma sweep --store {missing}" in done.stderr
    assert not missing.exists()


def test_the_app_is_given_whole_paths_since_it_changes_its_working_folder(tiny_pair, tiny_suite, tmp_path, monkeypatch):
    (tmp_path / "here").symlink_to(tiny_pair[0].parent)
    monkeypatch.chdir(tmp_path)
    given = {}
    monkeypatch.setattr(program, "launch", lambda port, address, **places: given.update(places))
    command = ["app", "--reference", "here/reference", "--policy", "here/policy", "--suite", str(tiny_suite)]
    done = CliRunner().invoke(program.commands(), [*command, "--store", "mine.sqlite"])
    assert done.exit_code == 0, done.output
    monkeypatch.chdir("/")
    for name in ("reference", "policy", "suite"):
        assert Path(given[name]).exists()


def test_folders_of_two_shapes_exit_2(options, tmp_path):
    wide, _ = tiny.write_pair(tmp_path, hidden=32)
    done = hma("measure", "--alphas", "0", *options, "--policy", wide)
    assert done.returncode == 2
    assert "in the reference and" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_from_a_newer_version_exits_2(options, tmp_path):
    path = tmp_path / "points.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    done = hma("front", "--store", path, *options)
    assert done.returncode == 2
    assert "newer version" in done.stderr


def test_a_busy_port_is_said_and_exits_2():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = process("app", "--port", port, "--no-browser")
    assert done.returncode == 2
    assert f"cannot serve 127.0.0.1:{port}" in done.stderr
    assert f"--port {port + 1}" in done.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--address", "", "--address is empty, which would serve every machine around. Name one, such as 127.0.0.1"),
        ("--exports", "{file}", "--exports {file} is a file. Name a folder"),
        ("--root", "{file}", "--root {file} is no folder. Name one that holds checkpoints"),
    ],
)
def test_a_place_that_the_app_cannot_take_exits_2_before_it_serves(option, value, said, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(program, "launch", lambda *given, **places: pytest.fail("it was served"))
    done = hma("app", option, value.format(file=file))
    assert done.returncode == 2
    assert said.format(file=file) in done.stderr


@pytest.mark.parametrize("address", ["192.0.2.1", "256.1.1.1", "nonsense.invalid"])
def test_an_address_that_is_not_this_machines_is_said_and_exits_2(address):
    done = process("app", "--address", address, "--no-browser", "--port", 8765)
    assert done.returncode == 2
    assert f"{address} is not an address of this machine" in done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ((), "An alpha is the share of the reference"),
        (("measure",), "Share of the reference per block, input to output"),
        (("sweep",), "Interrupted, it resumes when run again"),
        (("preflight",), "All that is wrong is listed, with what to do"),
        (("front",), "hypervolume between them and the worst corner"),
        (("front",), "in how many resamples of the items a point stays on the front"),
        (("difference",), "A difference is shown where its 95 % interval leaves zero out"),
        (("power",), "with 80 % power at two-sided 5 %"),
        (("app",), "let other machines in"),
        (("lab", "build"), "minutes on two CPU cores"),
        (("lab", "check"), "say which claims hold"),
        (("lab", "pairs"), "each reference is trained once"),
        (("bench", "point"), "the share of the work that is not the model's own forward passes"),
        (("bench", "merge"), "against plain copies on the same device"),
        (("bench", "merge"), "in host memory, or only where they differ"),
        (("bench", "start"), "to its first chart, which takes clicks"),
        (("bench", "button"), "from the button to the new point"),
        (("bench", "export"), "against reading both ends and writing as many bytes"),
        (("bench", "prefix"), "read once for all of them, against a row for each"),
        (("bench", "suite"), "what they find must agree"),
        (("bench", "reuse"), "only what is above the first changed block is computed"),
        (("export",), "The folder is there whole or not at all"),
        (("verify",), "Exits 2 when it is not"),
        (("push",), "Only what its recipe.json names is pushed"),
    ],
)
def test_help_says_what_each_command_does(command, said):
    done = hma(*command, "--help")
    assert done.returncode == 0
    assert said in " ".join(done.stdout.replace("│", " ").split())
