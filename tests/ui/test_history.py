"""The list of all points on the page Runs under AppTest."""

import json
from dataclasses import replace
from functools import partial

import pytest

from hma import download, look
from hma.contenders import OWN
from hma.core.recipe import Recipe
from hma.store import Store
from hma.ui import measured, plans, table
from tests.ui import world
from tests.ui.page import calm, everything, key_of


@pytest.fixture
def page(on_page):
    return partial(on_page, "runs")


def listed(test):
    return test.dataframe[0].value


def choice(test):
    return next(box for box in test.selectbox if box.key.startswith("measured_choice"))


def entry(study, alphas, method, when):
    measurement = replace(world.measurement(study, Recipe(study.partition(), alphas), method), measured_at=when)
    return study, measurement


def test_what_a_person_asks_for_has_one_name_on_the_chart_in_comparisons_and_in_the_list():
    titles = {series.name: series.title for series in look.SERIES}
    assert titles[OWN] == plans.method_title(OWN).lower() == "own points"
    assert {table.measured_by(method).partition(" (")[0] for method in ("slider", "single", "")} == {"own choice"}


def test_every_point_is_listed_newest_first_with_where_it_came_from(page, study, store_path):
    store = Store(store_path)
    store.add(*entry(study, (0.35, 0.1, 0), "slider", "2026-03-01T00:00:00+00:00"))
    store.add(*entry(study, (0.45, 0.1, 0), "proxy", "2026-02-01T00:00:00+00:00"))
    test = page()
    assert calm(test)
    table = listed(test)
    assert len(table) == len(store.points(study))
    assert list(table["point"][:2]) == ["HMA 0.35 / 0.1 / 0", "HMA 0.45 / 0.1 / 0"]
    assert list(table["measured by"][:2]) == ["own choice (sliders)", "a fit by proxy distillation (HMA)"]
    assert list(table["measured at (UTC)"][:2]) == ["2026-03-01 00:00:00", "2026-02-01 00:00:00"]
    wide = json.loads(test.dataframe[0].proto.columns)["measured by"]["width"]
    assert wide >= 7 * len("a fit by proxy distillation (HMA)")  # Whatever the rows in sight are called.
    assert set(table["took"]) == {1.4} and set(table["items"]) == {40} and set(table["device"]) == {"CPU (test)"}
    said = everything(test)
    assert "Nothing is being measured, and nothing waits." in said and "None yet." in said


def test_the_list_is_filtered_and_searched(page, study, store_path):
    Store(store_path).add(*entry(study, (0.35, 0.1, 0), "slider", "2026-03-01T00:00:00+00:00"))
    test = page()
    total = len(listed(test))
    test.selectbox(key="measured_by").set_value("own choice (sliders)").run()
    assert list(listed(test)["point"]) == ["HMA 0.35 / 0.1 / 0"]
    assert f"1 of {total} points, newest first." in everything(test)
    test.selectbox(key="measured_by").set_value("").run()
    test.text_input(key="measured_search").set_value("MA 0.5").run()
    assert {"MA 0.5", "HMA 0.5 / 0 / 0"} <= set(listed(test)["point"])
    test.text_input(key="measured_search").set_value("2026-03 0.35").run()
    assert len(listed(test)) == 1
    test.text_input(key="measured_search").set_value("<b>none</b>").run()
    assert "No point is so." in everything(test) and not test.dataframe
    assert calm(test)


def test_what_is_chosen_here_is_selected_everywhere(page, study):
    test = page()
    assert choice(test).value == test.session_state["view"].selected
    key = key_of(study, 0.5, 1, 0)
    choice(test).set_value(key).run()
    test.switch_page("pages/explore.py").run()
    assert test.query_params["point"] == key
    assert [slider.value for slider in test.slider] == [0.5, 1, 0]
    assert choice(test.switch_page("pages/runs.py").run()).value == key
    test.text_input(key="measured_search").set_value("reference").run()
    assert choice(test).value is None  # It is selected still, and not among these.
    assert test.session_state["view"].selected == key


def test_a_row_selects_its_point(monkeypatch, study):
    picked = []
    monkeypatch.setattr(measured.state, "pick", picked.append)
    monkeypatch.setattr(measured.st, "session_state", {"table": table_with(1)})
    measured._row_chosen("table", ["a", "b"])
    measured.st.session_state["table"] = table_with()
    measured._row_chosen("table", ["a", "b"])  # Rows that are let go of select nothing else.
    assert picked == ["b"]


def table_with(*rows):
    return type("State", (), {"selection": type("Selection", (), {"rows": list(rows)})})


def test_entries_of_one_second_stand_the_later_first(study, tmp_path):
    store = Store(tmp_path / "p.sqlite")
    world.fill(store, study, grid=0, sweep=3)
    points = store.points(study)
    found = measured.entries(points, store.num_items(study))
    assert [e.point.key for e in found] == [p.key for p in reversed(points)]
    assert [e.point.key for e in measured.matching(found, "an MA sweep", points[0].key[:9].upper())] == [points[0].key]
    assert measured.matching(found, "a grid", "") == []


def test_an_empty_study_says_what_to_do_next(page, tmp_path):
    test = page(store=tmp_path / "empty.sqlite")
    assert calm(test)
    assert "Measure the two ends on Explore first" in everything(test)
    assert not test.dataframe and not test.get("download_button")


def test_all_points_can_be_taken_away(page):
    test = page()
    assert not test.get("download_button")
    test.session_state["points_away"] = True
    test.run()
    assert calm(test)
    assert test.session_state["points_files"][0] == download.as_csv(test.session_state["board"])
    assert [e.proto.label for e in test.get("download_button")] == ["All points as CSV", "All points as JSON"]
