"""The engine with workers that die, hang, run out of memory or talk nonsense."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hma import measuring
from hma.engine import SWEEP, Engine
from hma.store import Store
from hma.study import open_study
from tests import tiny
from tests.engines import exists, measured, recipe, until

ROOT = Path(__file__).parents[1]


def test_a_worker_that_is_killed_is_replaced_and_the_engine_says_so(engine, tiny_study):
    measured(engine, tiny_study, 0.76, 0.7, 0.7)
    before = engine._working._process.pid
    os.kill(before, signal.SIGSTOP)  # So that it is killed in the middle of a measurement, however quick it is.
    jobs = [engine.submit(tiny_study, recipe(tiny_study, 0.03 * i, 0.7, 0), "sweep", SWEEP) for i in range(1, 4)]
    until(lambda: engine.worker().status == "busy")
    os.kill(before, signal.SIGKILL)
    states = [engine.wait(job.id, timeout=60) for job in jobs]
    assert [job.state for job in states] == ["failed", "finished", "finished"]  # the point in flight is lost, no other
    assert "killed by signal 9" in states[0].message
    assert "every finished point is safe" in states[0].message
    assert engine.store.point(states[0].key) is None
    assert engine._working._process.pid != before
    assert engine.worker().status == "ready"


def test_a_worker_that_dies_while_idle_is_found_out(engine, tiny_study):
    measured(engine, tiny_study, 0.81, 0.7, 0.7)
    until(lambda: engine.worker().status == "ready")
    os.kill(engine._working._process.pid, signal.SIGKILL)
    until(lambda: engine.worker().status == "died")
    assert "killed by signal 9" in engine.worker().message
    measured(engine, tiny_study, 0.82, 0.7, 0.7)
    assert engine.worker().status == "ready"


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


def test_a_worker_in_an_unknown_state_is_replaced(tmp_path, tiny_pair, monkeypatch):
    """What nobody foresaw may have broken the device: the job fails, and the next one has a fresh worker."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    suite = tiny.write_suite(tmp_path / "suite", judge="taste:reward")
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
    suite = tiny.write_suite(tmp_path / "suite", judge="taste:reward")
    (tmp_path / "taste.py").write_text(OUT_OF_MEMORY.format(rows=tmp_path / "rows"))
    study = open_study(*tiny_pair, suite)
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        (tmp_path / "rows").write_text("5")
        job = measured(engine, study, 0.1, 0.2, 0.3)
        assert "chat answers: batch halved to 4: out of memory" in job.message
        pid = engine._working._process.pid
        (tmp_path / "rows").write_text("0")
        failed = engine.wait(engine.submit(study, recipe(study, 0.4, 0.2, 0.3)).id, timeout=60)
        assert failed.state == "failed"
        assert "even with one at a time" in failed.message
        assert engine.store.point(failed.key) is None
        (tmp_path / "rows").write_text("100")
        assert measured(engine, study, 0.4, 0.2, 0.3).message == ""
        assert engine._working._process.pid == pid


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


@pytest.fixture
def unheeded(tmp_path, tiny_study, monkeypatch):
    """An engine whose worker does not stop, and the job that it measures and was asked to cancel."""
    monkeypatch.setattr("hma.working._GRACE", 0.3)
    with Engine(Store(tmp_path / "p.sqlite"), fake(tmp_path)) as engine:
        job = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1))
        until(lambda: engine.worker().status == "busy")
        engine.cancel(job.id)
        yield engine, job


def test_a_measurement_that_does_not_stop_is_ended(unheeded):
    engine, job = unheeded
    assert engine.wait(job.id, timeout=10).state == "cancelled"
    assert engine.worker().status == "none"


def test_a_job_cancelled_while_the_worker_loads_ends_at_once_and_the_worker_loads_on(tmp_path, tiny_study, monkeypatch):
    monkeypatch.setattr("hma.working._GRACE", 0.1)
    command = fake(tmp_path, opening='time.sleep(1); send("ready", "Fake")')
    with Engine(Store(tmp_path / "p.sqlite"), command) as engine:
        job = engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.1, 0.1))
        until(lambda: engine._working._process is not None)
        engine.cancel(job.id)
        assert engine.job(job.id).state == "cancelled"
        pid = engine._working._process.pid
        until(lambda: engine.worker().status == "ready")
        assert engine._working._process.pid == pid


def test_one_asked_for_again_while_it_is_being_cancelled_is_measured(unheeded, tiny_study):
    engine, job = unheeded
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
        pid = engine._working._process.pid
        assert engine.wait(job.id, timeout=20).state == "failed"
        assert engine.worker().status == "died"
        assert not exists(pid)


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
    pid = engine._working._process.pid
    engine.close()
    assert engine.job(job.id).state == "cancelled"
    assert not exists(pid)


def test_a_worker_ends_when_its_engine_is_killed(tmp_path, tiny_pair, tiny_suite):
    """kill -9 on the app leaves no worker behind."""
    code = (
        "import sys, time; from hma.engine import Engine; from hma.store import Store; from hma.study import open_study\n"
        f"study = open_study({str(tiny_pair[0])!r}, {str(tiny_pair[1])!r}, {str(tiny_suite)!r})\n"
        f"engine = Engine(Store({str(tmp_path / 'p.sqlite')!r})); engine.warm(study)\n"
        "while engine.worker().status != 'ready': time.sleep(0.05)\n"
        "print(engine._working._process.pid, flush=True); time.sleep(100)"
    )
    app = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    worker = int(app.stdout.readline())
    app.kill()
    app.wait()
    until(lambda: not exists(worker), seconds=10)
