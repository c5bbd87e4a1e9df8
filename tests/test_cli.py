"""The command line as people and programs use it: a process, its output, its exit code."""

import contextlib
import json
import math
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hma import __main__ as program
from hma.core.statistics import value
from hma.store import Store
from tests import tiny
from tests.cli import hma

ROOT = Path(__file__).parents[1]


def test_measure_prints_one_json_object_and_nothing_else(swept, options):
    store, _ = swept
    done = hma("measure", "--alphas", "0.2,0.3,0.4", "--json", "--store", store, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    printed = json.loads(done.stdout)
    assert printed["recipe"]["alphas"] == [0.2, 0.3, 0.4]
    assert set(printed["scores"]) == {"reward", "choice", "words", "translate"}
    for name, result in Store(store).results(printed["key"]).items():
        score = printed["scores"][name]
        assert set(score) == {"value", "standard_error", "num_items"}
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


def test_linear_weights_alone_are_measured_with_the_head_at_the_mean(swept, options):
    store, _ = swept
    done = hma("sweep", "--grid", "--steps", 2, "--blocks", "2", "--linear-only", "--json", "--store", store, *options)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert [p["recipe"]["alphas"] for p in printed["points"]] == [[0, 0, 0], [0, 1, 0.5], [1, 0, 0.5], [1, 1, 1]]
    assert printed["measured"] == 3  # All at 1 is the reference, which the sweep has measured.
    one = hma("measure", "--alphas", "0,1", "--blocks", "2", "--linear-only", "--store", store, *options)
    assert "0/1/0.5 linear" in one.stdout
    assert "all else is the reference's" in " ".join(one.stdout.split())


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


def test_a_sweep_is_its_points_and_resumes(swept, options):
    store, printed = swept
    assert [p["recipe"]["alphas"][0] for p in printed["points"]] == [0, 0.25, 0.5, 0.75, 1]
    assert printed["measured"] == 5
    with sqlite3.connect(store) as connection:
        connection.execute("DELETE FROM results WHERE point = ?", (printed["points"][2]["key"],))
        connection.execute("DELETE FROM points WHERE key = ?", (printed["points"][2]["key"],))
    again = json.loads(hma("sweep", "--steps", 5, "--json", "--store", store, *options).stdout)
    assert again["measured"] == 1
    assert [p["scores"] for p in again["points"]] == [p["scores"] for p in printed["points"]]


def test_a_race_asks_more_items_of_those_that_may_be_on_the_front(tmp_path, options):
    given = ["sweep", "--steps", 6, "--race", "--store", tmp_path / "race.sqlite", *options]
    printed = json.loads(hma(*given, "--json", "--size", "full").stdout)
    (first,) = printed["race"]["rounds"]
    kept = {p["key"] for p in printed["points"]}
    assert (first["recipes"], first["kept"]) == (6, len(kept))
    with sqlite3.connect(tmp_path / "race.sqlite") as connection:
        counts = dict(connection.execute("SELECT key, num_items FROM points"))
    full = max(counts.values())
    assert {key for key, count in counts.items() if count == full} == kept and len(counts) == 6
    assert printed["race"]["items_in_race"] == sum(counts.values()) and printed["race"]["items_without_race"] == 6 * full
    assert {p["recipe"]["alphas"][0] for p in printed["points"]} >= {0, 1}  # The ends stay, wherever they stand.
    again = hma(*given, "--size", "full")
    dropped = f"Of 6 merges, {len(kept)} went on from {first['num_items']} items"
    assert (dropped if len(kept) < 6 else "none was dropped") in " ".join(again.stdout.split())
    wrong = hma(*given, "--size", "quick")
    assert wrong.returncode == 2 and "smallest size" in wrong.stderr


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
    wanted = shlex.join([sys.executable, "-m", "hma", "sweep", "--split", "test", "--store", *map(str, [store, *options])])
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


def test_a_grid_that_nobody_could_wait_for_exits_2(options):
    done = hma("sweep", "--grid", "--steps", 101, *options)
    assert done.returncode == 2
    assert "1,030,301 points" in done.stderr


def test_a_front_of_a_store_that_is_not_there_exits_2_and_makes_none(options, tmp_path):
    missing = tmp_path / "typo.sqlite"
    done = hma("front", "--store", missing, *options)
    assert done.returncode == 2
    assert f"There is no store at {missing}" in done.stderr
    assert f"hma sweep --store {missing}" in done.stderr
    assert not missing.exists()


def test_what_the_worker_finds_wrong_in_the_suite_exits_2_at_the_first_point(options, tmp_path):
    suite = tiny.write_suite(tmp_path / "suite")
    items = suite.parent / "items_validation.jsonl"
    items.write_text(items.read_text().replace('"target"', '"nonsense"', 1))
    done = hma("sweep", "--steps", 5, "--json", "--store", tmp_path / "points.sqlite", *options, "--suite", suite)
    assert done.returncode == 2
    assert "items_validation.jsonl, line 1" in done.stderr and "'target'" in done.stderr
    assert "1 of 5 points failed, 4 were not tried" in " ".join(done.stderr.split())
    assert _count(tmp_path / "points.sqlite") == 0


def test_one_point_that_fails_does_not_keep_the_rest_from_being_measured(options, tmp_path):
    """The judge refuses the policy's answers, which it knows by how often it was asked."""
    suite = tiny.write_suite(tmp_path / "suite")
    suite.write_text(suite.read_text().replace("tests.tiny:reward", "picky:reward"))
    (tmp_path / "picky.py").write_text(
        "asked = 0\n"
        "def reward(prompt, answer):\n"
        "    global asked\n"
        "    asked += 1\n"
        "    return float('nan') if 8 < asked <= 16 else 1.0\n"
    )
    store = tmp_path / "points.sqlite"
    given = ["sweep", "--steps", 5, "--json", "--store", store, *options, "--suite", suite]
    done = hma(*given, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "gave nan for the answer to 'validation-0'" in done.stderr
    assert "1 of 5 points failed; every finished one is in the store" in " ".join(done.stderr.split())
    again = json.loads(hma(*given, PYTHONPATH=str(tmp_path)).stdout)
    assert again["measured"] == 1


def test_ctrl_c_says_what_is_safe_and_the_sweep_resumes(options, tmp_path):
    store = tmp_path / "points.sqlite"
    given = ["sweep", "--steps", "5", "--grid", "--json", "--store", store, *options]
    command = [sys.executable, "-m", "hma", *map(str, given)]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # A shell that runs us in the background has it ignored.
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command, cwd=ROOT, preexec_fn=heard, **pipes)
    end = time.monotonic() + 60
    while not store.exists() or not _count(store):
        assert time.monotonic() < end
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Finished points are in the store" in " ".join(said.split())
    assert "Traceback" not in said
    assert not out
    assert 1 <= _count(store) < 125


def _count(store):
    with contextlib.closing(sqlite3.connect(store)) as connection, contextlib.suppress(sqlite3.OperationalError):
        return connection.execute("SELECT count(*) FROM points").fetchone()[0]
    return 0


def test_the_app_is_given_whole_paths_since_it_changes_its_working_folder(tiny_pair, tiny_suite, tmp_path, monkeypatch):
    (tmp_path / "here").symlink_to(tiny_pair[0].parent)
    monkeypatch.chdir(tmp_path)
    given = {}
    monkeypatch.setattr(program, "launch", lambda port, address, **places: given.update(places))
    command = ["app", "--reference", "here/reference", "--policy", "here/policy", "--suite", str(tiny_suite)]
    done = CliRunner().invoke(program.app, [*command, "--store", "mine.sqlite"])
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
        done = hma("app", "--port", port, "--no-browser")
    assert done.returncode == 2
    assert f"cannot serve 127.0.0.1:{port}" in done.stderr
    assert f"--port {port + 1}" in done.stderr


@pytest.mark.parametrize("address", ["192.0.2.1", "256.1.1.1", "nonsense.invalid"])
def test_an_address_that_is_not_this_machines_is_said_and_exits_2(address):
    done = hma("app", "--address", address, "--no-browser", "--port", 8765)
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
        (("bench", "point"), "the share of the work that is not the model's own forward passes"),
        (("bench", "merge"), "against plain copies on the same device"),
        (("bench", "merge"), "in host memory, or only where they differ"),
        (("bench", "start"), "to the first marker on its chart"),
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
