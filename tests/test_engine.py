"""The engine with a real worker process: points, progress, cancel, and the same point twice."""

import sqlite3
from dataclasses import replace

import numpy as np

from hma.engine import SWEEP, Engine, Job
from hma.store import Store
from hma.study import open_study
from tests import tiny
from tests.engines import measured, recipe, until


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
    worker = engine._working._process.pid
    again = engine.submit(tiny_study, recipe(tiny_study, 0.6, 0.6, 0.6))
    assert again.state == "finished"  # at once: nothing was queued
    assert again.key == first.key
    assert engine._working._process.pid == worker


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


def test_a_warm_worker_has_built_its_requests(tmp_path, tiny_study):
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        engine.warm(tiny_study)
        until(lambda: engine.worker().status == "ready")
        pid = engine._working._process.pid
        job = engine.wait(engine.submit(tiny_study, recipe(tiny_study, 0.1, 0.2, 0.3)).id, 60)
        assert job.state == "finished"
        assert engine._working._process.pid == pid
        assert engine.store.point(job.key).elapsed_seconds < 3


def test_an_edited_reward_program_is_judged_by_its_new_lines(tmp_path, tiny_pair, monkeypatch):
    """The worker is warm with the old lines in it; the new study must not get their rewards."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    suite = tiny.write_suite(tmp_path / "suite", judge="taste:reward")
    values = []
    with Engine(Store(tmp_path / "p.sqlite")) as engine:
        for worth in (1.0, 2.0):
            (tmp_path / "taste.py").write_text(f"def reward(prompt, answer): return {worth}")
            study = open_study(*tiny_pair, suite)
            values.append(engine.store.point(measured(engine, study, 0.1, 0.2, 0.3).key).reward.value)
    assert values == [1.0, 2.0]
