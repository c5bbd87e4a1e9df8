"""The picture in the page's own HTML: there where the first page shows the same points in the same place, and nowhere else."""

import re
from dataclasses import replace
from urllib.parse import unquote

import pytest
import streamlit as st

from hma.store import Store
from hma.ui import access, early, gate
from tests.ui import world


@pytest.fixture
def started(app, study):
    app().run()
    return study


def test_it_holds_a_dot_for_every_point_light_and_dark(started, filled):
    pictures = re.findall(r'url\("data:image/svg\+xml,([^"]*)"\)', early.part(""))
    assert len(pictures) == 2 and pictures[0] != pictures[1]
    count = len(Store(filled).points(started))
    assert [len(re.findall(r"h0", unquote(picture))) for picture in pictures] == [count, count]


def test_a_new_point_is_on_the_next_picture(started, store_path):
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
