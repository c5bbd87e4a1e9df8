"""Searches: what they know, that they go on where they were stopped, and that a larger budget goes on where a smaller ended."""

import sys

import pytest

from hma import searching
from hma.comparing import Budget
from hma.core.question import Reply, spread_first
from hma.core.recipe import Recipe
from hma.engine import Engine
from hma.store import Store
from hma.study import open_study
from tests.ui import world

ALONE, LEARNING = 9, 4
"""Points of a search that knows its own alone, and of one that learns."""

OTHER = (0.3, 0.6, 0.1)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(*world.write(tmp_path_factory.mktemp("searching")))


@pytest.fixture(scope="module")
def engine_of(tmp_path_factory):
    """Make an engine whose store has some of MA and a point beside it, or nothing."""
    engines = []

    def make(study, others):
        engines.append(Engine(Store(tmp_path_factory.mktemp("store") / "points.sqlite")))
        if others:
            world.fill(engines[-1].store, study, grid=0, sweep=5)
            engines[-1].store.add(study, world.measurement(study, Recipe(study.partition(), OTHER), "slider"))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


class Stopped(Exception):
    pass


def measuring(engine, study, stop_at=None, is_stored=False):
    """What measures, and is stopped at its n-th point: before this is stored, or after."""
    count = 0

    def measure(recipes):
        nonlocal count
        for recipe in recipes:
            count += 1
            if count == stop_at and not is_stored:
                raise Stopped
            if engine.store.point(study.point_key(recipe)) is None:
                engine.store.add(study, world.measurement(study, recipe, "search"))
            if count == stop_at:
                raise Stopped

    return measure


def searched(engine, study, points=None, stop_at=None, is_stored=False, **options):
    points = points or (LEARNING if options.get("learns") else ALONE)
    measure = measuring(engine, study, stop_at, is_stored)
    found = searching.run(engine, study, Budget(points, study.partition()), measure, **options)
    return [recipe.alphas for recipe in found]


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "learning"])
def learns(request):
    return request.param


@pytest.fixture(scope="module")
def whole(engine_of, study, learns):
    """What a search finds that nobody stops, where others have measured before; and what it was told."""
    replies = []
    found = searched(engine_of(study, others=True), study, learns=learns, tell=replies.append)
    return found, replies


def test_alone_it_begins_with_its_own_and_learning_with_what_others_measured(whole, engine_of, study, learns):
    found, replies = whole
    others = {point.recipe.alphas for point in engine_of(study, others=True).store.points(study)}
    whys = [reply.why for reply in replies]
    assert len(set(found)) == len(found) == len(replies)
    if learns:
        assert not others & set(found)
        assert whys == ["start"] + ["front"] * (LEARNING - 1)
    else:
        assert {(0.0,) * 3, (1.0,) * 3} <= others & set(found)
        assert whys == ["start"] * spread_first(3) + ["front"] * (ALONE - spread_first(3))
        assert found == searched(engine_of(study, others=False), study)


@pytest.mark.parametrize("is_stored", [False, True])
def test_stopped_while_it_measures_it_comes_to_the_same_points(whole, engine_of, study, learns, is_stored):
    engine, points = engine_of(study, others=True), len(whole[0])
    with pytest.raises(Stopped):
        searched(engine, study, stop_at=points - 1, is_stored=is_stored, learns=learns)
    assert searched(engine, study, learns=learns) == whole[0]
    assert {point.recipe.alphas for point in engine.store.points(study)} >= set(whole[0])


def test_stopped_while_it_asks_it_comes_to_the_same_points(whole, engine_of, study, learns):
    engine, asked = engine_of(study, others=True), 0

    def wait(job):
        nonlocal asked
        asked += 1
        if asked == len(whole[0]):
            engine.cancel(job.id)
            raise Stopped
        return engine.wait(job.id)

    with pytest.raises(Stopped):
        searched(engine, study, learns=learns, wait=wait)
    assert searched(engine, study, learns=learns) == whole[0]


def test_a_survey_is_made_once_and_goes_with_every_question(study, tmp_path):
    command = (sys.executable, "-m", "tests.ui.worker", "0")
    store, asked = Store(tmp_path / "points.sqlite"), []
    budget = Budget(4, study.partition(), survey=True)

    def run():
        with Engine(store, command) as engine:

            def wait(job):
                asked.append(job)
                return engine.wait(job.id)

            return searching.run(engine, study, budget, measuring(engine, study), wait)

    found = run()
    assert [job.survey is not None for job in asked] == [True] + [False] * 4
    assert all(job.question.surveyed for job in asked[1:])
    asked.clear()
    assert run() == found
    assert not any(job.survey for job in asked)
    assert found != searched_plainly(study, tmp_path)


def searched_plainly(study, folder):
    with Engine(Store(folder / "plain.sqlite")) as engine:
        return searching.run(engine, study, Budget(4, study.partition()), measuring(engine, study))


def test_what_others_measure_meanwhile_is_learnt_from_and_never_asked_for(engine_of, study):
    engine = engine_of(study, others=True)
    first = searched(engine, study, 3, learns=True)
    fourth = searched(engine_of(study, others=True), study, 4, learns=True)[3]
    engine.store.add(study, world.measurement(study, Recipe(study.partition(), fourth), "slider"))
    found = searched(engine, study, 4, learns=True)
    assert found[:3] == first and found[3] != fourth


def test_a_larger_budget_goes_on_where_a_smaller_ended():
    """Whatever is answered hangs on the question alone, and so does everything here."""

    def ask(question):
        told = int(question.key, 16)
        return Reply(((told % 1001 / 1000, told // 1001 % 1001 / 1000, len(question.observed) / 1000),), "start")

    def known(own):
        return [searching.Observation(alphas, 1.0, 0.1, alphas[0], 0.1) for alphas in own]

    short, long = ([turn.reply for turn in searching.turns(3, points, ask, known)] for points in (11, 25))
    assert (len(short), len(long)) == (11, 25)
    assert long[:11] == short
