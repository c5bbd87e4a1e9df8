"""Present under AppTest: the lever over measured points, what is said at each, and that nothing can be started."""

import base64
import html
import re
from functools import partial

import pytest
import streamlit as st

from hma import telling, text
from hma.board import Board
from hma.core.recipe import Recipe
from hma.store import Store
from hma.ui import access, present
from tests.test_samples import silent
from tests.ui import world
from tests.ui.page import button, calm, choice, everything, key_of, texts


@pytest.fixture
def page(on_page):
    return partial(on_page, "present")


@pytest.fixture
def board(study, filled):
    return Board.read(Store(filled), study)


def stop(test):
    """The name of the model that is shown, and which of how many it is."""
    caption = next(c for c in texts(test, "caption") if re.search(r"\*\*  ·  \d+ of \d+$", c))
    return re.fullmatch(r"\*\*(.*)\*\*  ·  (\d+) of (\d+)", caption).groups()


def picture(test):
    """The words beside the chart, and its SVG."""
    body = next(e.proto.body for e in test.get("html") if "<img" in e.proto.body and "hma-drawing" in e.proto.body)
    alt, data = re.search(r'alt="([^"]*)" src="data:image/svg\+xml;base64,([^"]*)"', body).groups()
    return html.unescape(alt), base64.b64decode(data).decode()


def test_the_lever_stands_on_the_selected_point_and_steps_through_the_front(page, board):
    front = board.front
    test = page(link=front[2].key)
    assert calm(test)
    assert stop(test) == (text.point_name(front[2]), "3", str(len(front)))
    assert (test.slider[0].min, test.slider[0].max, test.slider[0].step) == (1, len(front), 1)
    button(test, "stop_on").click().run()
    assert stop(test)[0] == text.point_name(front[3])
    assert test.slider[0].value == 4
    test.slider[0].set_value(len(front)).run()
    assert stop(test)[0] == text.point_name(front[-1])
    assert button(test, "stop_on").disabled and not button(test, "stop_back").disabled
    test.slider[0].set_value(1).run()
    assert button(test, "stop_back").disabled
    assert [button(test, key).proto.shortcut for key in ("stop_back", "stop_on")] == ["p", "n"]
    test.switch_page("pages/explore.py").run()
    assert choice(test).value == front[0].key  # one selection for all pages


def test_each_stop_has_its_sentence_ring_and_answers(page, board, filled):
    test = page(link=board.front[0].key)
    rings = set()
    for at, point in enumerate(board.front[:4]):
        test.slider[0].set_value(at + 1).run()
        said = telling.sentence(board, point)
        assert said in texts(test, "markdown")
        alt, drawn = picture(test)
        assert said in alt and text.point_name(point) in alt
        rings.add(re.search(r'hma-ring" cx="([^"]*)"', drawn)[1])
        wrote = [Store(filled).results(p.key)["reward"].outputs[0] for p in (board.reference, point, board.policy)]
        assert texts(test, "text") == wrote
    assert len(rings) == 4
    assert text.plain(telling.scored_on(board.study)) in everything(test)
    assert telling.TAX in texts(test, "markdown")


def test_a_selected_point_off_the_front_stands_where_the_one_most_like_it_does(page, board):
    beaten = next(p for p in board.points if not board.is_on_front(p))
    test = page(link=beaten.key)
    near = board.nearest(beaten.recipe, [p.key for p in board.front])
    assert stop(test)[0] == text.point_name(near)
    assert test.session_state["view"].selected == beaten.key  # looked at, not changed, until the lever is moved
    assert present.place(board, None) == 0


def test_nothing_on_the_page_starts_work(page, monkeypatch):
    asked = []
    test = page()
    engine = access.engine()
    for name in ("submit", "warm", "ask"):
        monkeypatch.setattr(engine, name, lambda *a, name=name, **k: asked.append(name))
    before = len(engine.jobs())
    for shown in test.button:
        if not shown.disabled:
            button(test, shown.key).click().run()
    assert {b.key for b in test.button} == {"stop_back", "stop_on"}
    assert not asked and len(engine.jobs()) == before


def test_a_dangerous_answer_stays_text(page, tmp_path, study):
    store = Store(tmp_path / "trap.sqlite")
    world.fill(store, study, grid=0, sweep=5, answer=world.TRAP)
    test = page(store=store.path)
    assert texts(test, "text").count(world.TRAP) == 3
    for kind in ("markdown", "caption", "error", "warning", "info"):
        assert not any("<script>" in value for value in texts(test, kind))
    assert not any("<script>" in element.proto.body for element in test.get("html"))


def test_the_table_has_every_stop(page, board):
    table = page().dataframe[0].value
    assert table["model"].tolist() == [text.point_name(p) for p in board.front]
    assert table["tax"].tolist() == pytest.approx([board.reference.ability.value - p.ability.value for p in board.front])
    assert all("%" in said for said in table["reward gain kept"])


def test_the_file_is_offered_with_the_prompts_that_were_chosen(page, monkeypatch):
    kept, offer = [], st.download_button
    monkeypatch.setattr(st, "download_button", lambda label, data, *a, **k: kept.append(data) or offer(label, data, *a, **k))
    test = page()
    assert calm(test) and test.get("download_button")
    words = kept[-1]()
    assert "not chosen for what they show" in words and "How do I look after plant 4?" in words
    test.multiselect[0].set_value([30, 1]).run()
    words = kept[-1]()
    assert "2 of 40 prompts, chosen by who made this file" in words
    assert "plant 30?" in words and "plant 4?" not in words


@pytest.mark.parametrize("alphas", [(), (0.0,)])
def test_before_both_ends_are_measured_it_says_which_is_missing(page, tmp_path, study, alphas):
    store = Store(tmp_path / "few.sqlite")
    for alpha in alphas:
        store.add(study, world.measurement(study, Recipe(study.partition(), (alpha,) * 3)))
    test = page(store=store.path)
    assert calm(test)
    missing = "the reference is not measured" if alphas else "the reference and the policy are not measured"
    assert missing in everything(test)
    assert not test.button


def test_points_without_answers_are_presented_without_them(page, tmp_path, study):
    store = Store(tmp_path / "silent.sqlite")
    for alpha in (0.0, 0.5, 1.0):
        store.add(study, silent(world.measurement(study, Recipe(study.partition(), (alpha,) * 3))))
    test = page(store=store.path, link=key_of(study, 0.5, 0.5, 0.5))
    assert calm(test)
    assert "No answers were kept for these points." in everything(test)
    assert test.get("download_button")
