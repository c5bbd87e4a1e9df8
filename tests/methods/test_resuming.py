"""Fits that were interrupted, wherever it was, go on to what they would have come to; and only as far as is asked."""

import dataclasses
import sys
from pathlib import Path

import pytest

from hma.core.fit import Fit
from hma.engine import SWEEP, Engine
from hma.errors import Cancelled
from hma.evaluate.generation import AnswerPlan
from hma.jobs import Job, Jobs
from hma.methods.fitting import DRAFT, STEPS, TEXTS, draft_key, fit_key, kept_steps, steps_of, texts_keys
from hma.methods.objective import Likelihood
from hma.store import Store
from tests.methods.fits import DRAW, THIRDS, Kept

FIT = Fit(THIRDS, mean=0.4, draw=DRAW)


@pytest.fixture(scope="module")
def study(both):
    return both[0]


@pytest.fixture(scope="module")
def expected(workbench, study, kept):
    """The steps of a fit that nothing interrupts, from texts that are kept."""
    steps = workbench.fit(study, FIT, kept, kept.keep)
    assert len(steps) > 4
    return steps


def test_between_two_steps(workbench, study, expected):
    part = Kept()

    def stop(stage, share):
        if stage.startswith("step 1"):
            raise Cancelled

    with pytest.raises(Cancelled):
        workbench.fit(study, FIT, part, part.keep, stop)
    assert len(part[fit_key(study, FIT)]) == 2
    part.written.clear()
    assert workbench.fit(study, FIT, part, part.keep) == expected
    assert part.written == [STEPS] * (len(expected) - 2)


@pytest.mark.parametrize("call", [1, 3])
def test_within_a_step(workbench, study, expected, monkeypatch, call):
    """While the objective is being computed, after its pass back through the model."""
    part, calls, real = Kept(), [], Likelihood.pass_back

    def breaking(*arguments):
        calls.append(1)
        value = real(*arguments)
        if len(calls) == call:
            raise KeyboardInterrupt
        return value

    monkeypatch.setattr(Likelihood, "pass_back", breaking)
    with pytest.raises(KeyboardInterrupt):
        workbench.fit(study, FIT, part, part.keep)
    before = kept_steps(part.get(fit_key(study, FIT)))
    assert len(before) < len(expected) and before == expected[: len(before)]
    assert workbench.fit(study, FIT, part, part.keep) == expected
    assert part.written.count(TEXTS) == 1


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from hma import worker
from hma.methods.objective import FitObjective
real, calls = FitObjective.__call__, []
def dying(*arguments):
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
FitObjective.__call__ = dying
worker.main()
"""


def test_when_its_worker_is_killed(study, expected, tmp_path):
    store = Store(tmp_path / "points.sqlite")
    with Engine(store, (sys.executable, "-c", KILLED.format(root=str(Path(__file__).parents[2])))) as engine:
        job = engine.wait(engine.fit(study, FIT).id, 300)
        assert job.state == "failed" and "killed by signal 9" in job.message
    before = kept_steps(store.kept([job.key])[job.key])
    assert 1 <= len(before) < len(expected)
    with Engine(store) as engine:
        now = engine.wait(engine.fit(study, FIT).id, 300)
    after = kept_steps(store.kept([job.key])[job.key])
    assert now.answer == after[-1] and after[: len(before)] == before
    assert after[-1].alphas == pytest.approx(expected[-1].alphas, abs=1e-6)  # A worker has threads of its own.


@pytest.mark.parametrize(
    ("options", "num_chunks"),
    [
        ({"mean": 0.4}, 3),
        ({"objective": "two-sided", "balance": 0.0}, 5),  # One of options, and two of each task that is answered in words.
        ({"objective": "two-sided-free", "balance": 0.0}, 5),
    ],
    ids=["answers", "tasks", "free"],
)
def test_while_its_texts_are_written(workbench, study, monkeypatch, options, num_chunks):
    """Chunk by chunk, with progress, and to the same texts."""
    monkeypatch.setattr("hma.methods.texts.CHUNK", 5)
    fit = Fit(THIRDS, **options, draw=dataclasses.replace(DRAW, drawn=6 if "mean" in options else 24))
    (key,) = texts_keys(study, fit).values()
    whole, part = Kept(), Kept()
    workbench.fit(study, fit, whole, whole.keep)
    assert whole.written[: num_chunks + 1] == [DRAFT] * (num_chunks - 1) + [TEXTS, STEPS]
    told = []

    def stop(stage, share):
        told.append((stage, share))
        if len(part.get(draft_key(key), ())) == num_chunks - 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        workbench.fit(study, fit, part, part.keep, stop)
    shares = [share for _, share in told]
    assert len(told) == num_chunks and all(" of " in stage for stage, _ in told)
    assert shares == sorted(set(shares)) and shares[0] == 0 and 0.25 < shares[-1] < 0.5
    assert key not in part
    written, real = [], AnswerPlan.answers

    def counted(*arguments, **named):
        written.append(1)
        return real(*arguments, **named)

    monkeypatch.setattr(AnswerPlan, "answers", counted)
    workbench.fit(study, fit, part, part.keep)
    assert len(written) == 1
    assert part[key] == whole[key]


def test_a_fit_of_fewer_steps_has_no_more_of_them(workbench, study, kept, expected):
    """Whatever a longer one has gone on to."""
    short = dataclasses.replace(FIT, max_steps=1)
    assert workbench.fit(study, short, kept, kept.keep) == expected[:2]
    assert steps_of(short, kept[fit_key(study, short)]) == expected[:2]
    assert not expected[1].is_last
    assert kept_steps(kept[fit_key(study, FIT)]) == expected


def test_the_store_keeps_what_a_fit_came_to(study, tmp_path):
    fit = dataclasses.replace(FIT, max_steps=2)
    store = Store(tmp_path / "points.sqlite")
    with Engine(store) as engine:
        job = engine.wait(engine.fit(study, fit).id, 300)
        assert job.state == "finished", job.message
        assert len(store.kept([job.key])[job.key]) == 3
        again = engine.wait(engine.fit(study, fit).id, 300)
        assert again.answer == job.answer
        assert engine.store.studies() == []  # A fit is no point.
    with Engine(Store(tmp_path / "points.sqlite")) as engine:  # It goes on in another process.
        more = engine.wait(engine.fit(study, FIT).id, 300)
        assert more.answer.objective < job.answer.objective
        assert more.answer.settled
        assert engine.wait(engine.fit(study, fit).id, 300).answer == job.answer  # And the short one is what it was.


def test_fits_that_differ_in_their_steps_are_two_jobs(study):
    jobs = Jobs()
    asked = [FIT, dataclasses.replace(FIT, max_steps=1), FIT]
    ids = [jobs.ask(Job(0, study, None, fit_key(study, fit), fit.objective, fit=fit), SWEEP).id for fit in asked]
    assert ids[0] == ids[2] != ids[1]
