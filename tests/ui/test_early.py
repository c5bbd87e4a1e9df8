"""The chart in the page's own HTML: there where the first page shows the same points in the same place, and nowhere else."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest
import streamlit as st

from hma.core.study import Axis
from hma.store import Store
from hma.ui import access, chart, diagram, early, gate, state
from tests.ui import world


@pytest.fixture
def started(app, study):
    app().run()
    return study


def figure_in(html):
    """The figure in the page, and what its colours are in the dark."""
    dark, text = re.search(
        r'<script type="application/json" id="early-figure" data-dark="([^"]*)">([^<]*)</script>', html
    ).groups()
    return text, json.loads(unescape(dark))


def test_it_holds_every_point_light_and_dark(started, filled):
    text, dark = figure_in(early.part(""))
    board = access.first_board()
    keys = {point.key for point in Store(filled).points(started)}
    assert set(json.loads(text)["data"][-1]["customdata"]) == keys
    for light, own in dark.items():
        text = text.replace(light, own)
    chosen = state.first(board).key
    wanted = chart.figure(board.points, board.front, (board.reference, board.policy), chosen, theme="dark", reward=started.reward)
    assert json.loads(text) == json.loads(json.dumps(diagram.dressed(wanted, "dark")))


def test_no_name_in_it_can_end_the_script_that_it_is_in(started, monkeypatch):
    found = access.first_board()
    trap = Axis("reward", "</script><script>window.hurt = 1</script><!--", "points")
    st.cache_resource.clear()
    monkeypatch.setattr(access, "first_board", lambda: replace(found, study=replace(found.study, reward=trap)))
    text, _ = figure_in(early.part(""))
    assert "&lt;/script&gt;" in json.loads(text)["layout"]["xaxis"]["title"]["text"]


def test_a_new_point_is_on_the_next(started, store_path):
    before = early.part("")
    world.add(store_path, started, "grid", (0.35, 0.15, 0.95))
    assert early.part("") not in ("", before)


def test_a_link_to_one_of_its_points_has_it(started, filled):
    key = Store(filled).points(started)[2].key
    assert early.part(f"point={key}&size={started.size}") == early.part("") != ""
    assert early.part(f"point={key}&size={started.size}&pinned={key}") == early.part("")


@pytest.mark.parametrize("query", ["point=nowhere", "size=full", "embed=true"])
def test_a_page_that_shows_another_chart_has_none(started, query):
    assert early.part("") and early.part(query) == ""


def test_nobody_sees_a_point_before_a_login(started, monkeypatch):
    assert early.part("")
    monkeypatch.setattr(gate, "providers", lambda: [""])
    assert early.part("") == ""


def test_where_something_else_stands_above_the_chart_there_is_none(started, monkeypatch):
    assert early.part("")
    with monkeypatch.context() as changed:
        changed.setattr(access, "is_read_only", lambda: True)
        assert early.part("") == ""
    found = access.first_board()
    monkeypatch.setattr(access, "first_board", lambda: replace(found, study=replace(found.study, title="A title " * 9)))
    assert early.part("") == ""


def test_an_empty_store_has_none(app, tmp_path):
    app(store=tmp_path / "empty.sqlite").run()
    st.cache_resource.clear()
    assert early.part("") == ""
