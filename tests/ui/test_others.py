"""More items and other studies on the page Runs under AppTest."""

import sys
from dataclasses import replace
from functools import partial

import pytest

from hma.engine import Engine
from hma.runs import AGAIN, Plan
from hma.store import Store
from hma.study import open_study
from hma.ui import further, others, plans
from tests.engines import recipe
from tests.ui import world
from tests.ui.page import button, calm, everything, wait_for


@pytest.fixture
def page(on_page):
    return partial(on_page, "runs")


def test_the_front_is_measured_again_with_more_items(page, place, study, tmp_path):
    full, store = open_study(*place, size="full"), Store(tmp_path / "own.sqlite")
    world.fill(store, study, grid=3, sweep=6)
    front = store.points(study)
    test = page(store=store.path, seconds=0.05)
    board = test.session_state["board"]
    test.segmented_control(key="further_which").set_value("front").run()
    count = len(board.front)
    assert f"{count} points: 40 further items of each task and 40 further prompts each, about" in everything(test)
    button(test, "further").click().run()
    wait_for(test, lambda t: "[finished]" in everything(t))
    assert f"{count} points; they stand on Explore, at the size full." in everything(test)
    assert {p.key for p in store.points(full)} == {p.key for p in board.front}
    assert {p.key: p.method for p in front}.items() >= {p.key: p.method for p in store.points(full)}.items()
    assert "Nothing to do: measured on 80 items already." in everything(test)
    assert button(test, "further").disabled
    assert sorted(set(test.dataframe[0].value["items"])) == [40, 80]
    assert calm(test)
    test.segmented_control(key="size").set_value("full").run()
    assert "is the largest size of this suite" in everything(test)
    assert f"{len(front) - count} points have fewer items than these 80" in everything(test)


def test_the_cost_counts_what_is_lacking_alone(study, tmp_path):
    store = Store(tmp_path / "p.sqlite")
    world.fill(store, study, grid=0, sweep=4)
    points = store.points(study)
    have = {p.key: 40 for p in points} | {points[0].key: 80}
    found = further.cost(points, have, 80, points)
    assert (found.points, found.num_have, found.num_items) == (tuple(points[1:]), 1, 120)
    assert found.seconds == pytest.approx(120 * 1.4 / 40)
    assert further.words(found, study).startswith(
        "3 points: 40 further items of each task and 40 further prompts each, about 4 s."
    )
    assert "1 more has as many already." in further.words(found, study)
    untimed = [replace(p, elapsed_seconds=0.0) for p in points]
    assert "nothing was timed yet" in further.words(further.cost(points[1:2], have, 80, untimed), study)
    assert further.cost([], have, 80, points).points == ()


def test_other_studies_are_listed_with_how_they_stand(page, place, study, store_path):
    store = Store(store_path)
    world.fill(store, open_study(*place, split="test"), grid=0, sweep=3)
    changed = replace(study, suite="other", title="<b>Old</b>")
    world.fill(store, changed, grid=0, sweep=4)
    test = page()
    said = everything(test)
    assert calm(test)
    assert "test items · 3 points" in said and "choose “Test items” above" in said
    assert r"**\<b\>Old\<\/b\>**" in said and "4 points" in said and "Stale" in said
    assert "<b>" not in said
    assert len(test.dataframe[0].value) == len(store.points(study))


def test_how_another_study_stands_is_told_by_what_it_is(study, tmp_path):
    def said(**changes):
        return others.standing(replace(study, **changes), study, {study.key: "Validation items: for choosing"})

    assert said() == "The same pair and suite: choose “Validation items” above."
    assert "its suite has changed since" in said(suite="x")
    assert "its pair has changed since" in said(pair="x")
    assert "its pair and its suite have changed since" in said(pair="x", suite="x")
    assert said(suite="x", suite_path=str(tmp_path / "gone.json")) == f"Stale: {tmp_path / 'gone.json'} is not there any more."
    (tmp_path / "there.json").write_text("{}")
    assert said(suite="x", suite_path=str(tmp_path / "there.json")).startswith("Another pair or suite")
    assert said(pair="x", reference="org/model", policy="org/other").startswith("Another pair or suite")


def test_a_run_of_more_items_says_what_it_is(study, tmp_path):
    plan = Plan(AGAIN, (recipe(study, 0.5, 0.5, 0.5),))
    assert (plans.title(plan), plans.details(plan)) == ("Measure again with more items", "1 point")
    command = (sys.executable, "-m", "tests.ui.worker", "0.02")
    with Engine(Store(tmp_path / "p.sqlite"), command, command) as engine:
        engine.wait(engine.submit(study, plan.recipes[0], "slider").id, 20)
        engine.wait(engine.submit(replace(study, size="full", num_items=80), plan.recipes[0], AGAIN).id, 20)
        (point,) = engine.store.points(study)
        assert point.method == "slider" and engine.store.num_items(study) == {point.key: 80}
