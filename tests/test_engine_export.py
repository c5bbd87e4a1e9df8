"""Exports through the engine with a real worker: from its live model, as from disk; cancelled, refused, killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from hma import card
from hma.board import boards
from hma.checkpoints.export import export
from hma.checkpoints.manifest import differences
from hma.checkpoints.pair import open_pair
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.engine import SWEEP, Engine
from hma.evaluate.suite import suite_sizes
from hma.store import Store
from hma.study import open_study, suite_fingerprints
from tests import tiny
from tests.engines import measured, recipe, until


class Slow:
    """In the place of a board: the worker that comes to read it, in the middle of an export, waits."""

    @property
    def point(self):
        time.sleep(60)


def listed(folder):
    return sorted(p.name for p in folder.iterdir())


def test_what_was_measured_is_exported_as_from_disk(engine, tiny_study, tmp_path):
    point = engine.store.point(measured(engine, tiny_study, 0.2, 0.3, 0.4).key)
    measured(engine, tiny_study, 0.7, 0.1, 0.9)  # the live model goes on to another merge
    known = boards(engine.store, tiny_study.pair, suite_fingerprints(tiny_study.suite_path), suite_sizes(tiny_study.suite_path))
    out = tmp_path / "live" / "out"
    job = engine.wait(engine.export(tiny_study, point.recipe, out, known).id, timeout=60)
    assert (job.state, job.share) == ("finished", 1.0), job.message
    assert job.message.startswith(f"{out}: ")
    assert differences(out) == []
    assert listed(out.parent) == ["out"]
    disk = tmp_path / "disk" / "out"
    pair = open_pair(tiny_study.reference, tiny_study.policy)
    export(pair, point.recipe, disk, card=lambda merge: card.files(merge, disk, known))
    assert listed(disk) == listed(out)
    for name in listed(out):
        assert (out / name).read_bytes() == (disk / name).read_bytes(), name
    stated = json.loads((out / "recipe.json").read_text())["effective_alphas"]
    assert stated == pytest.approx(list(point.effective_alphas), abs=1e-4)  # of what was measured
    assert "A ring marks this merge" in (out / "README.md").read_text()


def test_half_precision_and_random_rounding_are_exported_as_from_disk(tmp_path, tiny_suite):
    study = open_study(*tiny.write_pair(tmp_path / "pair", dtype="bfloat16"), tiny_suite)
    chosen = Recipe(study.partition(), (0.2, 0.3, 0.4), Precision(None, "stochastic", 3))
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        job = engine.wait(engine.export(study, chosen, tmp_path / "live", tokenizer="reference").id, timeout=60)
    assert job.state == "finished", job.message
    disk = export(open_pair(study.reference, study.policy), chosen, tmp_path / "disk", tokenizer="reference")
    live = json.loads((tmp_path / "live" / "recipe.json").read_text())
    assert {n: f["sha256"] for n, f in live["files"].items() if n != "README.md"} == {n: f.sha256 for n, f in disk.files.items()}
    assert live["tokenizer"] == "reference"


def test_a_folder_that_is_there_is_refused_and_one_asked_for_twice_is_written_once(engine, tiny_study, tmp_path):
    out, chosen = tmp_path / "out", recipe(tiny_study, 0.5, 0.5, 0.5)
    measured(engine, tiny_study, 0.5, 0.5, 0.5)
    worker = engine._working._process.pid
    os.kill(worker, signal.SIGSTOP)
    jobs = [engine.export(tiny_study, chosen, out) for _ in range(2)]
    os.kill(worker, signal.SIGCONT)
    assert jobs[0].id == jobs[1].id
    assert engine.wait(jobs[0].id, timeout=60).state == "finished"
    refused = engine.wait(engine.export(tiny_study, chosen, out).id, timeout=60)
    assert (refused.state, refused.refused) == ("failed", True)
    assert f"{out} exists" in refused.message
    assert engine.wait(engine.export(tiny_study, chosen, out, replace=True).id, timeout=60).state == "finished"
    assert listed(tmp_path) == ["out"]
    assert engine._working._process.pid == worker


def test_an_export_goes_ahead_of_a_sweep(engine, tiny_study, tmp_path):
    sweep = [engine.submit(tiny_study, recipe(tiny_study, 0.01 * i, 0, 0), "sweep", SWEEP) for i in range(1, 9)]
    mine = engine.wait(engine.export(tiny_study, recipe(tiny_study, 0.3, 0, 0), tmp_path / "out").id, timeout=60)
    assert mine.state == "finished"
    assert not engine.job(sweep[-1].id).is_over
    for job in sweep:
        assert engine.wait(job.id, timeout=60).state == "finished"


def test_a_cancelled_export_leaves_nothing_and_the_worker_goes_on(engine, tiny_study, tmp_path):
    measured(engine, tiny_study, 0.6, 0.5, 0.5)
    worker = engine._working._process.pid
    os.kill(worker, signal.SIGSTOP)
    job = engine.export(tiny_study, recipe(tiny_study, 0.6, 0.5, 0.5), tmp_path / "out")
    until(lambda: engine.job(job.id).stage == "merging")
    engine.cancel(job.id)
    os.kill(worker, signal.SIGCONT)
    assert engine.wait(job.id, timeout=60).state == "cancelled"
    assert not listed(tmp_path)
    measured(engine, tiny_study, 0.65, 0.5, 0.5)
    assert engine._working._process.pid == worker


@pytest.mark.parametrize("how", ["cancel", "kill", "close"])
def test_a_worker_that_is_ended_in_the_middle_leaves_no_half_folder(tiny_study, tmp_path, monkeypatch, how):
    monkeypatch.setattr("hma.working._GRACE", 0.2)
    out = tmp_path / "out"
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        job = engine.export(tiny_study, recipe(tiny_study, 0.6, 0.5, 0.5), out, [Slow()])
        until(lambda: list(tmp_path.glob(".out.part-*/model.safetensors")) and engine.job(job.id).share == 1)
        if how == "cancel":
            engine.cancel(job.id)
        elif how == "kill":
            os.kill(engine._working._process.pid, signal.SIGKILL)
        else:
            engine.close()
        over = engine.wait(job.id, timeout=20)
    assert over.state == ("failed" if how == "kill" else "cancelled"), over.message
    assert [name for name in listed(tmp_path) if "out" in name] == []


def test_a_pair_that_changed_on_disk_is_not_exported(engine, tiny_suite, tmp_path):
    folders = tiny.write_pair(tmp_path / "pair", num_layers=4)  # A pair that no worker holds yet from elsewhere.
    study = open_study(*folders, tiny_suite)
    measured(engine, study, 0.2, 0.3, 0.4)
    config = json.loads((folders[1] / "generation_config.json").read_text())
    (folders[1] / "generation_config.json").write_text(json.dumps({**config, "temperature": 0.5}))
    job = engine.wait(engine.export(study, recipe(study, 0.2, 0.3, 0.4), tmp_path / "out").id, timeout=60)
    assert job.state == "failed"
    assert "changed on disk" in job.message
    assert not (tmp_path / "out").exists()


def test_the_engines_process_imports_no_torch_for_it():
    code = "import sys, hma.engine; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
