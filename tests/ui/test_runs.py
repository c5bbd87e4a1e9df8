"""Runs: what they measure, how they end, and that they go on; with an engine, a store and a stand-in worker."""

import sys

import pytest

from hma.comparing import Budget
from hma.core import alphas as alphas_of
from hma.core.fit import PROXY, Fit
from hma.core.recipe import Recipe
from hma.engine import SWEEP, Engine
from hma.methods import sweeps
from hma.methods.fitting import kept_steps, recipe_of
from hma.runs import Plan, Runs
from hma.store import Store
from tests.engines import recipe, until


@pytest.fixture
def make(tmp_path):
    """Runs of an engine whose measurements take so many seconds."""
    engines = []

    def made(seconds=0.02):
        command = (sys.executable, "-m", "tests.ui.worker", str(seconds))
        engines.append(Engine(Store(tmp_path / "points.sqlite"), command, command))
        return Runs(engines[-1]), engines[-1]

    yield made
    for engine in engines:
        engine.close()


def sweep(study, *shares):
    return Plan(sweeps.SWEEP, tuple(sweeps.ladder(study.partition(), shares)))


def state(runs, run):
    return next(r for r in runs.all() if r.id == run.id)


def ended(runs, run):
    until(lambda: state(runs, run).is_over, 20)
    return state(runs, run)


def measured(store, study):
    return sorted(point.recipe.alphas[0] for point in store.points(study))


def test_a_sweep_measures_its_points_and_a_second_one_waits_for_it(make, study):
    runs, engine = make()
    first, second = runs.start(study, sweep(study, 0, 0.5, 1)), runs.start(study, sweep(study, 0.5, 0.7))
    assert second.state == "queued"
    assert runs.start(study, sweep(study, 0.5, 0.7)) == second
    assert runs.is_busy
    over = ended(runs, second)
    assert (over.state, over.done, over.job) == ("finished", 2, None)
    assert ended(runs, first).ended_at <= over.started_at
    assert measured(engine.store, study) == [0, 0.5, 0.7, 1]
    assert {point.method for point in engine.store.points(study)} == {"sweep"}
    assert not runs.is_busy


def test_a_cancelled_run_keeps_its_points_and_the_same_again_goes_on(make, study):
    runs, engine = make(0.3)
    plan = sweep(study, *alphas_of.ladder(5))
    run = runs.start(study, plan)
    waiting = runs.start(study, sweep(study, 0.33))
    until(lambda: runs.all()[0].done >= 1)
    runs.cancel(waiting.id)
    runs.cancel(run.id)
    over = ended(runs, run)
    assert over.state == "cancelled"
    assert 1 <= over.done == len(engine.store.points(study)) < 5
    assert ended(runs, waiting).message == "Cancelled before it began."
    runs.cancel(run.id)
    assert ended(runs, run) == over
    again = ended(runs, runs.start(study, plan))
    assert (again.state, again.done) == ("finished", 5)
    assert run.id not in [r.id for r in runs.all()]
    twice = [job for job in engine.jobs() if job.state == "finished" and job.started_at]
    assert len(twice) == len({job.key for job in twice}) == 5


def test_what_is_asked_for_on_the_page_goes_ahead_of_the_rest(make, study):
    runs, engine = make(0.2)
    run = runs.start(study, sweep(study, *alphas_of.ladder(6)))
    until(lambda: runs.all()[0].done >= 1)
    job = engine.wait(engine.submit(study, recipe(study, 0.35, 0.1, 0.05), "slider").id, timeout=20)
    assert job.state == "finished"
    assert next(r for r in runs.all() if r.id == run.id).done < 5
    assert runs.of(job.id) is None


def test_a_point_that_fails_is_told_after_the_rest_and_hopeless_runs_end(make, study):
    runs, engine = make()
    over = ended(runs, runs.start(study, sweep(study, 0.9, 0.2, 0.3)))
    assert over.state == "failed"
    assert "gave nan for answer 3" in over.message and "1 of 3 points failed" in over.message
    assert over.done == 2 and measured(engine.store, study) == [0.2, 0.3]
    failing = [(0.9, alpha, alpha) for alpha in (0.1, 0.2, 0.3, 0.4)]
    plan = Plan(sweeps.GRID, tuple(Recipe(study.partition(), alphas) for alphas in failing))
    assert "3 of 4 points failed, 1 were not tried" in ended(runs, runs.start(study, plan)).message


def test_a_fit_keeps_its_steps_and_its_merge_is_measured(make, study):
    runs, engine = make()
    fits = tuple(Fit(study.partition(), PROXY, mean) for mean in (0.4, 0.6))
    over = ended(runs, runs.start(study, Plan(PROXY, fits=fits)))
    assert (over.state, over.done, len(over.fits)) == ("finished", 2, 2)
    kept = engine.store.kept(over.fits)
    recipes = [recipe_of(fit, kept_steps(kept[key])[-1]) for fit, key in zip(fits, over.fits, strict=True)]
    assert {study.point_key(r) for r in recipes} == {point.key for point in engine.store.points(study)}
    assert {point.method for point in engine.store.points(study)} == {PROXY}
    refused = ended(runs, runs.start(study, Plan(PROXY, fits=(Fit(study.partition(), PROXY, 0.9),))))
    assert (refused.state, refused.message[:31]) == ("failed", "There are no training prompts t")


def test_a_search_asks_measures_and_can_be_cancelled(make, study):
    runs, engine = make()
    budget = Budget(5, study.partition())
    over = ended(runs, runs.start(study, Plan.search(budget)))
    assert (over.state, over.done) == ("finished", 5)
    assert [reply.why for reply in over.replies] == ["start"] * 3 + ["front"] * 2
    assert over.replies[-1].errors == (0.204, 0.12) and over.replies[-1].predictor is None
    assert measured(engine.store, study) == [0, 0.2, 0.3, 0.4, 1]
    assert {point.method for point in engine.store.points(study)} == {"search"}


def test_a_survey_comes_before_a_search_and_its_points_say_so(make, study):
    runs, engine = make()
    over = ended(runs, runs.start(study, Plan.search(Budget(5, study.partition(), survey=True))))
    assert (over.state, over.done) == ("finished", 5)
    assert [job.survey is not None for job in engine.jobs()].count(True) == 1
    assert {point.method for point in engine.store.points(study)} == {"surveyed-search"}


def test_a_survey_can_be_cancelled(make, study):
    runs, engine = make(5.0)
    run = runs.start(study, Plan.search(Budget(5, study.partition(), survey=True)))
    until(lambda: any(job.survey and job.stage.startswith("surveying") for job in engine.jobs()))
    runs.cancel(run.id)
    over = ended(runs, run)
    assert (over.state, over.done) == ("cancelled", 0)


def test_a_paused_run_ends_its_job_begins_no_other_and_goes_on(make, study):
    runs, engine = make(0.3)
    run = runs.start(study, sweep(study, *alphas_of.ladder(5)), "me")
    until(lambda: state(runs, run).done == 1 and engine.jobs()[-1].state == "running", 20)
    runs.pause(run.id)
    assert runs.is_pausing(run.id)
    until(lambda: state(runs, run).state == "paused", 20)
    held = state(runs, run)
    assert (held.done, len(engine.store.points(study)), held.job, held.is_over) == (2, 2, None, False)
    assert not runs.is_busy and not runs.is_pausing(run.id) and not engine.queue()
    other = ended(runs, runs.start(study, sweep(study, 0.33)))  # It is in nobody's way.
    assert other.state == "finished" and state(runs, run) == held
    assert runs.start(study, held.plan, "you").askers == {"me", "you"}  # The same again resumes it.
    over = ended(runs, run)
    assert (over.state, over.done) == ("finished", 5)
    begun = [job for job in engine.jobs() if job.started_at]
    assert len(begun) == len({job.key for job in begun}) == 6


def test_a_run_pauses_before_it_begins_and_is_cancelled_while_it_is_paused(make, study):
    runs, _ = make(0.3)
    first, second = runs.start(study, sweep(study, 0.1, 0.2)), runs.start(study, sweep(study, 0.6, 0.7))
    runs.pause(second.id)
    assert state(runs, second).state == "paused"
    runs.resume(second.id)
    runs.pause(second.id)
    runs.resume(second.id)
    runs.resume(first.id)  # What is not paused stays as it is.
    assert (ended(runs, first).done, ended(runs, second).done) == (2, 2)
    third = runs.start(study, sweep(study, 0.8, 0.9))
    runs.pause(third.id)
    until(lambda: state(runs, third).state == "paused", 20)
    runs.cancel(third.id)
    assert state(runs, third).state == "cancelled"
    runs.resume(third.id)
    runs.pause(third.id)
    assert state(runs, third).state == "cancelled"


def test_a_search_and_a_fit_pause_and_go_on(make, study):
    runs, _ = make(0.2)
    plans = (
        Plan.search(Budget(5, study.partition())),
        Plan(PROXY, fits=tuple(Fit(study.partition(), PROXY, mean) for mean in (0.4, 0.6))),
    )
    for plan in plans:
        run = runs.start(study, plan)
        until(lambda run=run: state(runs, run).done == 1, 20)
        runs.pause(run.id)
        until(lambda run=run: state(runs, run).state == "paused", 20)
        assert state(runs, run).done < plan.num_points
        runs.resume(run.id)
        assert (ended(runs, run).state, ended(runs, run).done) == ("finished", plan.num_points)
        assert len(ended(runs, run).replies) == (plan.num_points if plan.budget else 0)


def test_what_somebody_asked_for_too_outlives_the_run(make, study):
    runs, engine = make(0.4)
    run = runs.start(study, sweep(study, 0.2, 0.3))
    until(lambda: state(runs, run).job is not None)
    job = engine.submit(study, recipe(study, 0.2, 0.2, 0.2), asker="me")
    assert job.id == state(runs, run).job and job.askers == {"me"}
    runs.cancel(run.id)
    assert ended(runs, run).state == "cancelled"
    assert engine.wait(job.id, timeout=20).state == "finished"
    assert measured(engine.store, study) == [0.2]


def test_the_queue_stands_in_the_order_in_which_it_is_done(make, study):
    _, engine = make(0.3)
    first = engine.submit(study, recipe(study, 0, 0, 0), asker="me")
    until(lambda: engine.job(first.id).state == "running")
    later, last = (engine.submit(study, recipe(study, a, 0, 0), priority=SWEEP) for a in (0.1, 0.2))
    mine, yours = (engine.submit(study, recipe(study, a, 0, 0), asker=who) for a, who in ((0.3, "me"), (0.2, "you")))
    assert yours.id == last.id  # Asked for again by a person, it goes ahead.
    assert [job.id for job in engine.queue()] == [first.id, last.id, mine.id, later.id]
    assert [set(job.askers) for job in engine.queue()] == [{"me"}, {"you"}, {"me"}, set()]
    again = engine.submit(study, recipe(study, 0.3, 0, 0), asker="you")
    assert (again.id, again.askers) == (mine.id, {"me", "you"})
    engine.cancel(mine.id)
    assert mine.id not in [job.id for job in engine.queue()]


def test_runs_end_with_their_engine(make, study):
    runs, engine = make(5)
    run = runs.start(study, sweep(study, 0.1, 0.2))
    until(lambda: engine.worker().status == "busy", 20)
    engine.close()
    assert ended(runs, run).state == "cancelled"


def test_a_plan_is_of_one_kind(study):
    for wrong in ({}, {"recipes": (recipe(study, 0, 0, 0),), "budget": Budget()}):
        with pytest.raises(ValueError, match="only one"):
            Plan("sweep", **wrong)
