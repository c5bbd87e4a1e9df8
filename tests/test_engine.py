"""The engine with a real worker process: points, progress, cancel, death, and the same point twice."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hma import measuring
from hma.core.recipe import Recipe
from hma.engine import SWEEP, Engine, Job
from hma.store import Store
from hma.study import open_study
from tests import tiny

ROOT = Path(__file__).parents[1]


def until(condition, seconds=60):
    """Wait for a condition, but not for ever."""
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "waited too long"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with Engine(Store(tmp_path_factory.mktemp("store") / "points.sqlite")) as engine:
        yield engine


def recipe(study, *alphas):
    return Recipe(study.partition(), alphas)


def measured(engine, study, *alphas):
    job = engine.wait(engine.submit(study, recipe(study, *alphas)).id, timeout=120)
    assert job.state == "finished", job.message
    return job


def test_the_time_left_goes_by_the_last_point_then_by_the_share_done():
    job = Job(1, None, None, "", "", state="running", started_at=100.0, share=0.1)
    assert job.seconds_left(101.0) is None  # a tenth says nothing where stages run side by side
    assert replace(job, share=0.5).seconds_left(101.0) == 1.0
    known = replace(job, expected_seconds=4.0)
    assert known.seconds_left(101.0) == 3.0
    assert replace(known, share=0.5).seconds_left(106.0) == 6.0
    assert replace(known, state="queued").seconds_left(101.0) is None


def test_a_recipe_becomes_a_stored_point(engine, tiny_study):
    job = measured(engine, tiny_study, 0.2, 0.3, 0.4)
    point = engine.store.point(job.key)
    assert set(point.scores) == {"reward", "choice", "words", "translate"}
    assert all(score.num_items == 8 for score in point.scores.values())
    assert engine.worker().status == "ready"
    assert engine.worker().device
    assert point.device == engine.worker().device
    stages = {name: seconds for name, seconds in point.timings.items() if name != "model"}
    assert set(stages) == {"merge", "chat answers", "choice", "words", "translate", "scoring"}
    assert max(stages.values()) <= point.elapsed_seconds
    assert sum(stages.values()) >= 0.8 * point.elapsed_seconds  # side by side they come to more
    assert 0 < point.timings["model"] < sum(stages.values())


def test_the_same_point_is_evaluated_once(engine, tiny_study):
    first = measured(engine, tiny_study, 0.6, 0.6, 0.6)
    worker = engine._worker.pid
    again = engine.submit(tiny_study, recipe(tiny_study, 0.6, 0.6, 0.6))
    assert again.state == "finished"  # at once: nothing was queued
    assert again.key == first.key
    assert engine._worker.pid == worker


def test_one_already_asked_for_is_not_asked_twice(engine, tiny_study):
    jobs = [engine.submit(tiny_study, recipe(tiny_study, 0.15, 0.1, 0.1)) for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    engine.wait(jobs[0].id, timeout=60)


def test_fresh_stores_and_workers_give_identical_items(engine, tiny_study, tmp_path):
    job = measured(engine, tiny_study, 0.5, 0.1, 0.9)
    with Engine(Store(tmp_path / "other.sqlite")) as other:
        measured(other, tiny_study, 0.3, 0.3, 0.3)  # another way to the same merge
        measured(other, tiny_study, 0.5, 0.1, 0.9)
        for name, result in other.store.results(job.key).items():
            np.testing.assert_array_equal(result.items, engine.store.results(job.key)[name].items)
            assert result.outputs == engine.store.results(job.key)[name].outputs


def test_a_larger_size_goes_on_from_a_smaller_one(engine, tiny_pair, tiny_suite, tmp_path):
    quick, full = (open_study(*tiny_pair, tiny_suite, size=size) for size in ("quick", "full"))
    first = measured(engine, quick, 0.35, 0.1, 0.9)
    items = engine.store.results(first.key)["words"].items
    assert engine.store.point(first.key, full.num_items) is None
    measured(engine, full, 0.35, 0.1, 0.9)
    assert engine.submit(quick, recipe(quick, 0.35, 0.1, 0.9)).state == "finished"
    np.testing.assert_array_equal(engine.store.results(first.key, quick.num_items)["words"].items, items)
    with Engine(Store(tmp_path / "other.sqlite")) as other:
        measured(other, full, 0.35, 0.1, 0.9)
        for name, result in other.store.results(first.key).items():
            np.testing.assert_array_equal(result.items, engine.store.results(first.key)[name].items)
            assert result.item_set == engine.store.results(first.key)[name].item_set


def test_a_point_whose_items_changed_unseen_is_not_extended(engine, tiny_pair, tiny_suite):
    quick, full = (open_study(*tiny_pair, tiny_suite, size=size) for size in ("quick", "full"))
    key = measured(engine, quick, 0.45, 0.1, 0.9).key
    with sqlite3.connect(engine.store.path) as connection:
        connection.execute("INSERT INTO item_sets SELECT 'other', ids, hashes FROM item_sets LIMIT 1")
        connection.execute("UPDATE results SET item_set = 'other' WHERE point = ? AND name = 'choice'", (key,))
    job = engine.wait(engine.submit(full, recipe(full, 0.45, 0.1, 0.9)).id, timeout=60)
    assert job.state == "failed" and "items of choice" in job.message
    assert len(engine.store.results(key)["words"].ids) == quick.num_items


def test_interactive_requests_go_ahead_of_a_sweep(engine, tiny_study):
    sweep = [engine.submit(tiny_study, recipe(tiny_study, 0.01 * i, 0, 0), "sweep", SWEEP) for i in range(1, 9)]
    mine = engine.submit(tiny_study, recipe(tiny_study, 0.99, 0, 0))
    over = engine.wait(mine.id, timeout=60)
    assert over.state == "finished"
    assert not engine.job(sweep[-1].id).is_over
    for job in sweep:
        assert engine.wait(job.id, timeout=60).state == "finished"


def test_a_queued_job_is_cancelled_before_it_begins(engine, tiny_study):
    jobs = [engine.submit(tiny_study, recipe(tiny_study, 0.02 * i, 0.5, 0), "sweep", SWEEP) for i in range(1, 7)]
    engine.cancel(jobs[-1].id)
    for job in jobs:
        engine.wait(job.id, timeout=60)
    last = engine.job(jobs[-1].id)
    assert (last.state, last.message) == ("cancelled", "Cancelled before it began.")
    assert engine.store.point(last.key) is None


def test_the_worker_notices_a_changed_suite(engine, tiny_pair, tmp_path):
    suite = tiny.write_suite(tmp_path / "suite", size=7)
    study = open_study(*tiny_pair, suite)
    suite.write_text(suite.read_text().replace('"seed": 3', '"seed": 4'))
    job = engine.wait(engine.submit(study, recipe(study, 0.2, 0.2, 0.2)).id, timeout=60)
    assert job.state == "failed"
    assert "changed on disk" in job.message


def test_a_worker_that_is_killed_is_replaced_and_the_engine_says_so(engine, tiny_study):
    measured(engine, tiny_study, 0.76, 0.7, 0.7)
    before = engine._worker.pid
    os.kill(before, signal.SIGSTOP)  # So that it is killed in the middle of a measurement, however quick it is.
    jobs = [engine.submit(tiny_study, recipe(tiny_study, 0.03 * i, 0.7, 0), "sweep", SWEEP) for i in range(1, 4)]
    until(lambda: engine.worker().status == "busy")
    os.kill(before, signal.SIGKILL)
    states = [engine.wait(job.id, timeout=60) for job in jobs]
    assert [job.state for job in states] == ["failed", "finished", "finished"]  # the point in flight is lost, no other
    assert "killed by signal 9" in states[0].message
    assert "every finished point is safe" in states[0].message
    assert engine.store.point(states[0].key) is None
    assert engine._worker.pid != before
    assert engine.worker().status == "ready"


def test_a_worker_that_dies_while_idle_is_found_out(engine, tiny_study):
    measured(engine, tiny_study, 0.81, 0.7, 0.7)
    until(lambda: engine.worker().status == "ready")
    os.kill(engine._worker.pid, signal.SIGKILL)
    until(lambda: engine.worker().status == "died")
    assert "killed by signal 9" in engine.worker().message
    measured(engine, tiny_study, 0.82, 0.7, 0.7)
    assert engine.worker().status == "ready"


def test_a_warm_worker_has_built_its_requests(tmp_path, tiny_study):
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        engine.warm(tiny_study)
        until(lambda: engine.worker().status == "ready")
        pid = engine._worker.pid
        stages = []
        job = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.2, 0.3))
        while not engine.wait(job.id, timeout=0.001).is_over:
            stages.append(engine.job(job.id).stage)
        assert engine.job(job.id).state == "finished"
        assert "starting the worker" not in stages[1:]
        assert engine._worker.pid == pid
        assert engine.store.point(job.key).elapsed_seconds < 3


FAKE = """
import pickle, sys, time
sys.path.insert(0, {root!r})
read, write = sys.stdin.buffer, sys.stdout.buffer
def send(*message):
    pickle.dump(message, write); write.flush()
pickle.load(read)
{opening}
while True:
    kind, *rest = pickle.load(read)
    if kind == "measure":
        {measuring}
"""


def test_an_edited_reward_program_is_judged_by_its_new_lines(tmp_path, tiny_pair, monkeypatch):
    """The worker is warm with the old lines in it; the new study must not get their rewards."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    suite = tiny.write_suite(tmp_path / "suite")
    suite.write_text(suite.read_text().replace("tests.tiny:reward", "taste:reward"))
    values = []
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        for worth in (1.0, 2.0):
            (tmp_path / "taste.py").write_text(f"def reward(prompt, answer): return {worth}")
            study = open_study(*tiny_pair, suite)
            values.append(engine.store.point(measured(engine, study, 0.1, 0.2, 0.3).key).reward.value)
    assert values == [1.0, 2.0]


def test_a_worker_in_an_unknown_state_is_replaced(tmp_path, tiny_pair, monkeypatch):
    """What nobody foresaw may have broken the device: the job fails, and the next one has a fresh worker."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    suite = tiny.write_suite(tmp_path / "suite")
    suite.write_text(suite.read_text().replace("tests.tiny:reward", "taste:reward"))
    (tmp_path / "taste.py").write_text(
        "from hma.checkpoints.live import LiveModel\n"
        "def write(*_): raise RuntimeError('MPS backend out of memory')\n"
        "LiveModel.write = write\n"
        "def reward(prompt, answer): return 1\n"
    )
    study = open_study(*tiny_pair, suite)
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        job = engine.wait(engine.submit(study, recipe(study, 0.1, 0.2, 0.3)).id, timeout=60)
        assert job.state == "failed"
        assert "ran out of memory (MPS backend out of memory)" in job.message
        assert engine.worker().status == "died"
        (tmp_path / "taste.py").write_text("def reward(prompt, answer): return 1")
        measured(engine, open_study(*tiny_pair, suite), 0.1, 0.2, 0.3)


def test_memory_that_runs_out_halves_a_batch_and_a_worker_that_failed_measures_on(tmp_path, tiny_pair, monkeypatch):
    """One worker: memory for five rows, so that the first point is measured with a note; then for none; then for all."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    suite = tiny.write_suite(tmp_path / "suite")
    suite.write_text(suite.read_text().replace("tests.tiny:reward", "taste:reward"))
    (tmp_path / "taste.py").write_text(OUT_OF_MEMORY.format(rows=tmp_path / "rows"))
    study = open_study(*tiny_pair, suite)
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        (tmp_path / "rows").write_text("5")
        job = measured(engine, study, 0.1, 0.2, 0.3)
        assert "chat answers: batch halved to 4: out of memory" in job.message
        pid = engine._worker.pid
        (tmp_path / "rows").write_text("0")
        failed = engine.wait(engine.submit(study, recipe(study, 0.4, 0.2, 0.3)).id, timeout=60)
        assert failed.state == "failed"
        assert "even with one at a time" in failed.message
        assert engine.store.point(failed.key) is None
        (tmp_path / "rows").write_text("100")
        assert measured(engine, study, 0.4, 0.2, 0.3).message == ""
        assert engine._worker.pid == pid


OUT_OF_MEMORY = """
import torch
from transformers import LlamaForCausalLM

forward = LlamaForCausalLM.forward

def limited(self, input_ids=None, **named):
    if len(input_ids) > int(open('{rows}').read()):
        raise torch.OutOfMemoryError("CUDA out of memory")
    return forward(self, input_ids=input_ids, **named)

limited.__signature__ = __import__("inspect").signature(forward)
LlamaForCausalLM.forward = limited

def reward(prompt, answer):
    return 1
"""
"""A reward program that leaves the worker memory for as many rows as a file says."""


def fake(tmp_path, opening='send("ready", "Fake")', measuring="time.sleep(60)"):
    script = tmp_path / "fake.py"
    script.write_text(FAKE.format(root=str(ROOT), opening=opening, measuring=measuring))
    return (sys.executable, str(script))


NOTED = """
        import numpy as np
        from hma.core.statistics import Result
        from hma.rows import Measurement
        job, study, recipe, begun = rest
        result = Result("mean", np.ones((study.num_items, 1)), tuple(map(str, range(study.num_items))))
        names = ["reward", *(axis.name for axis in study.abilities)]
        send("done", job, Measurement(recipe, dict.fromkeys(names, result), note="reading: batch halved to [4]"))
"""


def test_what_there_is_to_say_of_a_measurement_reaches_the_command_line(tmp_path, tiny_study, capsys):
    with Engine(Store(tmp_path / "p.sqlite"), fake(tmp_path, measuring=NOTED.strip())) as engine:
        assert measuring.measured(engine, tiny_study, [recipe(tiny_study, 0.1, 0.1, 0.1)], "single", True) == 1
    assert capsys.readouterr().err == "Note: reading: batch halved to [4]\n"


def test_a_measurement_that_does_not_stop_is_ended(tmp_path, tiny_study, monkeypatch):
    monkeypatch.setattr("hma.engine._GRACE", 0.3)
    with Engine(Store(tmp_path / "p.sqlite"), fake(tmp_path)) as engine:
        job = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1))
        until(lambda: engine.worker().status == "busy")
        engine.cancel(job.id)
        assert engine.wait(job.id, timeout=10).state == "cancelled"
        assert engine.worker().status == "none"


def test_a_job_cancelled_while_the_worker_loads_ends_at_once_and_the_worker_loads_on(tmp_path, tiny_study, monkeypatch):
    monkeypatch.setattr("hma.engine._GRACE", 0.1)
    command = fake(tmp_path, opening='time.sleep(1); send("ready", "Fake")')
    with Engine(Store(tmp_path / "p.sqlite"), command) as engine:
        job = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1))
        until(lambda: engine._worker is not None)
        engine.cancel(job.id)
        assert engine.job(job.id).state == "cancelled"
        pid = engine._worker.pid
        until(lambda: engine.worker().status == "ready")
        assert engine._worker.pid == pid


def test_one_asked_for_again_while_it_is_being_cancelled_is_measured(tmp_path, tiny_study, monkeypatch):
    monkeypatch.setattr("hma.engine._GRACE", 0.3)
    with Engine(Store(tmp_path / "p.sqlite"), fake(tmp_path)) as engine:
        job = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1))
        until(lambda: engine.worker().status == "busy")
        engine.cancel(job.id)
        again = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1))
        assert again.id != job.id
        engine.wait(job.id, timeout=10)
        until(lambda: engine.job(again.id).state == "running")


def test_a_worker_that_cannot_be_started_fails_every_request_and_hangs_none(tmp_path, tiny_study):
    with Engine(Store(tmp_path / "p.sqlite"), ("/no/such/python",)) as engine:
        engine.warm(tiny_study)
        until(lambda: engine.worker().status == "died")
        for alpha in (0.1, 0.2):
            job = engine.wait(engine.submit(tiny_study, recipe(tiny_study, alpha, 0.1, 0.1)).id, timeout=10)
            assert job.state == "failed"
            assert "cannot be started" in job.message


def test_a_worker_that_talks_nonsense_is_ended(tmp_path, tiny_study):
    command = fake(tmp_path, measuring='write.write(b"no pickle"); write.flush(); sys.exit(0)')
    with Engine(Store(tmp_path / "p.sqlite"), command) as engine:
        job = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1))
        until(lambda: engine.worker().status == "busy")
        pid = engine._worker.pid
        assert engine.wait(job.id, timeout=20).state == "failed"
        assert engine.worker().status == "died"
        assert not _exists(pid)


def test_a_pair_that_does_not_load_fails_with_its_message(tmp_path, tiny_study):
    command = fake(tmp_path, opening='send("failed", None, "failed", "model.norm.weight holds NaN"); sys.exit(1)')
    with Engine(Store(tmp_path / "p.sqlite"), command) as engine:
        job = engine.wait(engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1)).id, timeout=10)
        assert (job.state, job.message) == ("failed", "model.norm.weight holds NaN")
        assert engine.worker().status == "died"


def test_a_worker_that_dies_while_starting_says_its_last_words(tmp_path, tiny_study):
    command = fake(tmp_path, opening='sys.stderr.write("no such device\\n"); sys.exit(3)')
    with Engine(Store(tmp_path / "p.sqlite"), command) as engine:
        job = engine.wait(engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1)).id, timeout=10)
        assert job.state == "failed"
        assert "exit code 3" in job.message
        assert "no such device" in job.message


def test_closing_the_engine_leaves_no_process(tmp_path, tiny_study):
    engine = Engine(Store(tmp_path / "p.sqlite"), fake(tmp_path))
    job = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1))
    until(lambda: engine.worker().status == "busy")
    pid = engine._worker.pid
    engine.close()
    assert engine.job(job.id).state == "cancelled"
    assert not _exists(pid)


def test_a_worker_ends_when_its_engine_is_killed(tmp_path, tiny_pair, tiny_suite):
    """kill -9 on the app leaves no worker behind."""
    code = (
        "import sys, time; from hma.engine import Engine; from hma.store import Store; from hma.study import open_study\n"
        f"study = open_study({str(tiny_pair[0])!r}, {str(tiny_pair[1])!r}, {str(tiny_suite)!r})\n"
        f"engine = Engine(Store({str(tmp_path / 'p.sqlite')!r})); engine.warm(study)\n"
        "while engine.worker().status != 'ready': time.sleep(0.05)\n"
        "print(engine._worker.pid, flush=True); time.sleep(100)"
    )
    app = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = int(app.stdout.readline())
    app.kill()
    app.wait()
    until(lambda: not _exists(worker), seconds=10)


def _exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
