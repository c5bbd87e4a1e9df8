"""Questions to the adviser: beside the worker, given up, and answered again after it died."""

import os
import signal
import sys

import pytest

from hma import asking
from hma.core.observation import Observation
from hma.core.question import Question
from hma.engine import Engine
from hma.store import Store
from tests.engines import exists, measured, until

GRID = [(a, b, c) for a in (0.0, 0.5, 1.0) for b in (0.0, 1.0) for c in (0.0, 1.0)]
PLANE = tuple(Observation(a, 3 - a[0] - 0.5 * a[1], 0.001, 40 + 30 * a[0] + 9 * a[2], 0.1) for a in GRID)

NEVER = (sys.executable, "-c", "import sys; sys.stdin.read()")
"""An adviser that listens and never answers."""


@pytest.fixture
def make(tmp_path):
    engines = []

    def made(adviser=(sys.executable, "-m", "tests.ui.worker", "0")):
        engines.append(Engine(Store(tmp_path / "points.sqlite"), adviser=adviser))
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


def predicting(engine, study, num_blocks=3):
    """A question that is being answered."""
    job = engine.ask(study, Question(PLANE, num_blocks, 0, num=0))
    until(lambda: engine.job(job.id).stage == "predicting")
    return job


def test_a_measurement_does_not_wait_for_a_question(make, tiny_study):
    engine = make(NEVER)
    job = predicting(engine, tiny_study)
    measured(engine, tiny_study, 0.3, 0.2, 0.1)
    assert engine.job(job.id).state == "running"
    assert engine.worker().status == "ready"


def test_one_that_is_given_up_frees_the_next(make, tiny_study):
    engine = make(NEVER)
    first = predicting(engine, tiny_study)
    second = engine.ask(tiny_study, Question(PLANE, 3, 0, num=0, seed=1))
    engine.cancel(first.id)
    assert engine.wait(first.id, 20).state == "cancelled"
    until(lambda: engine.job(second.id).stage == "predicting")
    engine.cancel(first.id)  # It is over, and whoever is in hand now goes on.
    assert engine.job(second.id).state == "running"


def test_an_adviser_that_was_killed_is_told_and_replaced(make, tiny_study):
    engine = make(NEVER)
    job = predicting(engine, tiny_study)
    os.kill(engine._asking._process.pid, signal.SIGKILL)
    ended = engine.wait(job.id, 20)
    assert ended.state == "failed" and "killed by signal 9" in ended.message
    engine._asking._command = (sys.executable, "-m", "tests.ui.worker", "0")
    assert engine.wait(engine.ask(tiny_study, Question(PLANE, 3, 0, num=0)).id, 20).answer.predictor


def test_a_question_that_cannot_be_answered_says_why_and_the_next_is(make, tiny_study):
    engine = make(asking.COMMAND)
    bad = engine.wait(engine.ask(tiny_study, Question(PLANE, 2, 5, num=1)).id, 120)
    assert bad.state == "failed" and "an observation has 3 alphas, and 2 blocks are searched" in bad.message
    process = engine._asking._process.pid
    assert engine.wait(engine.ask(tiny_study, Question((), 3, 5, num=1)).id, 120).answer.alphas == ((0.0, 0.0, 0.0),)
    assert engine._asking._process.pid == process
    engine.close()
    assert not exists(process)


def test_without_questions_its_process_is_ended(make, tiny_study, monkeypatch):
    monkeypatch.setattr(asking, "_IDLE", 0.2)
    engine = make()
    assert engine.wait(engine.ask(tiny_study, Question(PLANE, 3, 0, num=0)).id, 20).state == "finished"
    until(lambda: engine._asking._process is None)
    assert engine.wait(engine.ask(tiny_study, Question(PLANE, 3, 0, num=0, seed=1)).id, 20).state == "finished"
