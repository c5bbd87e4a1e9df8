"""The verb ``sweep`` as people and programs use it: ladders, grids, one block at a time, beyond the ends, races."""

import contextlib
import json
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial

import pytest

from hma.store import Store
from tests import tiny
from tests.cli import ROOT, hma


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


@pytest.fixture(scope="module")
def beyond(swept, options):
    """An MA sweep past both ends, and the store that has it beside the sweep between them."""
    store, _ = swept
    given = ["sweep", "--from", -0.25, "--to", 1.25, "--steps", 7, "--store", store, *options]
    refused = hma(*given)
    assert refused.returncode == 2
    assert "--from is -0.25. An alpha is the share of the reference in a block, from 0" in refused.stderr
    done = hma(*given, "--beyond", "--json")
    assert done.returncode == 0, done.stderr
    return store, json.loads(done.stdout)


def test_a_sweep_goes_beyond_the_ends_where_it_is_asked_to_and_marks_what_is(beyond, options):
    store, printed = beyond
    assert [p["recipe"]["alphas"][0] for p in printed["points"]] == [-0.25, 0, 0.25, 0.5, 0.75, 1, 1.25]
    assert [p["extrapolation"] for p in printed["points"]] == [True, *[False] * 5, True]
    assert printed["points"][-1]["effective_alphas"] == pytest.approx([1.25] * 3, abs=1e-4)
    given = ["--beyond", "--store", store, *options]
    shown = hma("measure", "--alphas", "1.25", *given).stdout
    assert "1.25 beyond" in shown and "beyond: a share outside 0 to 1" in " ".join(shown.split())
    assert "beyond" not in hma("measure", "--alphas", "0.5", *given).stdout
    difference = hma("difference", "1.25", "1", *given[1:])
    assert "MA 1.25, extrapolation" in difference.stdout, difference.stderr
    missing = hma("difference", "1.5", "1", *given[1:]).stderr
    assert "measure --alphas 1.5 --beyond" in " ".join(missing.split())


def test_an_extrapolation_is_exported_with_a_card_that_says_so_and_how_to_make_it_again(beyond, options, tmp_path):
    given = ["export", "--alphas", "1.25", "--store", beyond[0], *options]
    refused = hma(*given, "--out", tmp_path / "none")
    assert refused.returncode == 2 and "The alpha is 1.25" in refused.stderr
    done = hma(*given, "--beyond", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["extrapolation"] is True
    card = (tmp_path / "out" / "README.md").read_text()
    assert "# MA 1.25, extrapolation" in card and "extrapolation, not an average" in card
    assert "not measured" not in card
    command = shlex.split(next(line for line in card.splitlines() if line.startswith("python -m hma export")))
    again = hma(*command[3:-1], tmp_path / "again")
    assert again.returncode == 0, again.stderr
    one, other = (json.loads((tmp_path / n / "recipe.json").read_text()) for n in ("out", "again"))
    assert one["files"]["model.safetensors"] == other["files"]["model.safetensors"]


def test_partwise_moves_one_block_at_a_time_or_one_alone(swept, options):
    store, _ = swept
    given = ["sweep", "--partwise", "--steps", 2, "--store", store, "--json", *options]
    every = json.loads(hma(*given).stdout)
    assert [p["recipe"]["alphas"] for p in every["points"]] == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert every["measured"] == 3  # The policy is there.
    assert Store(store).point(every["points"][1]["key"]).method == "partwise"
    one = json.loads(hma(*given, "--part", 2, "--base", "0.25").stdout)
    assert [p["recipe"]["alphas"] for p in one["points"]] == [[0.25, 0, 0.25], [0.25, 1, 0.25]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--partwise", "--grid"], "--grid and --partwise were both given"),
        (["--part", "1"], "--part belongs to --partwise"),
        (["--base", "0.2"], "--base belongs to --partwise"),
        (["--partwise", "--part", "4"], "--part is 4, and the blocks are 1 input, 2 middle, 3 output"),
        (["--partwise", "--base", "0.2,0.2"], "2 alphas were given"),
        (["--partwise", "--base", "1.2"], "The alpha is 1.2"),
        (["--from", "0.5", "--to", "0.5"], "--from is 0.5 and --to is 0.5"),
        (["--to", "2.5", "--beyond"], "--to is 2.5. An alpha is the share of the reference in a block, which"),
        (
            ["--to", "2"],
            "--to is 2. An alpha is the share of the reference in a block, from 0 (the policy) to 1 (the reference).",
        ),
        (["--to", "2"], "or, to go past both ends, one from -1 to 2 with --beyond."),
        (["--from", "nan"], "--from is nan"),
    ],
)
def test_a_sweep_that_cannot_be_exits_2_with_its_reason(options, arguments, said):
    done = hma("sweep", *options, *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


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


def test_a_grid_that_nobody_could_wait_for_exits_2(options):
    done = hma("sweep", "--grid", "--steps", 101, *options)
    assert done.returncode == 2
    assert "1,030,301 points" in done.stderr


def test_what_the_worker_finds_wrong_in_the_suite_exits_2_at_the_first_point(options, tmp_path):
    suite = tiny.write_suite(tmp_path / "suite")
    items = suite.parent / "items_validation.jsonl"
    items.write_text(items.read_text().replace('"target"', '"nonsense"', 1))
    done = hma("sweep", "--steps", 5, "--json", "--store", tmp_path / "points.sqlite", *options, "--suite", suite)
    assert done.returncode == 2
    assert "items_validation.jsonl, line 1" in done.stderr and "'target'" in done.stderr
    assert "1 of 5 points failed, 4 were not tried" in " ".join(done.stderr.split())
    assert _count(tmp_path / "points.sqlite") == 0


def test_one_point_that_fails_does_not_keep_the_rest_from_being_measured(options, tmp_path, monkeypatch):
    """The judge refuses the policy's answers, which it knows by how often it was asked."""
    suite = tiny.write_suite(tmp_path / "suite", judge="picky:reward")
    (tmp_path / "picky.py").write_text(
        "asked = 0\n"
        "def reward(prompt, answer):\n"
        "    global asked\n"
        "    asked += 1\n"
        "    return float('nan') if asked == 9 else 1.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    store = tmp_path / "points.sqlite"
    given = ["sweep", "--steps", 5, "--json", "--store", store, *options, "--suite", suite]
    done = hma(*given, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "gave nan" in done.stderr and "'validation-0'" in done.stderr
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
