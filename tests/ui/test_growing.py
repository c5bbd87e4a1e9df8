"""Compare fronts while points are measured, under AppTest: it follows them, and is drawn and reckoned no more than that takes."""

from functools import partial

import pytest
import streamlit as st

from hma import contest
from hma.board import Board
from hma.core.recipe import Recipe
from hma.runs import Plan
from hma.ui import access, growing
from tests.ui.page import calm, everything, pick, wait_for
from tests.ui.world import add


@pytest.fixture
def page(on_page):
    return partial(on_page, "compare")


def test_points_that_are_being_measured_are_said_to_be_and_counted_as_they_come(page, study):
    test = page(seconds=1.0)
    assert "being measured" not in everything(test)
    recipes = tuple(Recipe(study.partition(), (0.3, 0.2, alpha)) for alpha in (0.1, 0.15))
    access.runs().start(study, Plan("partwise", recipes))
    assert "being measured on the validation items, and appear here as they come: 35 points so far" in everything(test.run())
    wait_for(test, lambda t: "36 points so far" in everything(t) or "HMA 27 points" in everything(t))
    pick(wait_for(test, lambda t: "being measured" not in everything(t)), "ma")
    assert calm(test) and "Pick one more method to compare it with." in test.info[0].value


def looked(monkeypatch, choosing, reporting, was_growing):
    """Whether a look at two boards, between two drawings of the page, has it drawn again."""
    drawn = []
    monkeypatch.setattr(growing.st, "rerun", lambda scope: drawn.append(scope))
    growing._look((choosing, reporting), was_growing)
    return drawn == ["app"]


def test_the_page_is_drawn_again_when_a_point_has_come_and_not_before(page, monkeypatch, store_path, study, reporting):
    test = page(seconds=60)
    engine = access.engine()
    choosing, other = (Board.read(engine.store, one) for one in (study, reporting))
    assert not looked(monkeypatch, choosing, other, False)
    assert looked(monkeypatch, choosing, other, True)  # What was going on is over.
    job = engine.submit(study, Recipe(study.partition(), (0.3, 0.2, 0.1)))
    assert not looked(monkeypatch, choosing, other, True)
    add(store_path, study, "search", (0.3, 0.9, 0.1))
    assert looked(monkeypatch, choosing, other, True)
    choosing = Board.read(engine.store, study)
    assert not looked(monkeypatch, choosing, other, True)
    add(store_path, reporting, "compare", (0.3, 0.9, 0.1))
    assert looked(monkeypatch, choosing, other, True)
    engine.cancel(job.id)
    assert not test.exception


def test_it_is_looked_at_again_only_while_points_are_measured(page, study, monkeypatch):
    drawn, seconds = st.fragment, {}

    def fragment(function, *, key, run_every=None, **rest):
        seconds[key] = run_every
        return drawn(function, key=key, run_every=run_every, **rest)

    test = page(seconds=60)
    monkeypatch.setattr(st, "fragment", fragment)
    test.run()
    assert seconds["growing"] is None
    run = access.runs().start(study, Plan("partwise", (Recipe(study.partition(), (0.3, 0.2, 0.1)),)))
    test.run()
    assert seconds["growing"] == growing.POLL
    access.runs().cancel(run.id)
    wait_for(test, lambda t: seconds["growing"] is None)


def test_it_is_reckoned_once(page, monkeypatch, store_path, study):
    calls = []
    real = contest.held
    monkeypatch.setattr(contest, "held", lambda *a: calls.append(a) or real(*a))
    test = page()
    for _ in range(3):
        test.run()
    assert len(calls) == 1
    test.switch_page("pages/explore.py").run()
    add(store_path, study, "grid", (0.3, 0.2, 0.1))
    test.run()
    assert len(calls) == 1  # Only where the page is open.
    test.switch_page("pages/compare.py").run()
    assert len(calls) == 2 and "27 for HMA by any method" in everything(test)
