"""Links to a point under AppTest: what Explore shows where one is followed."""

from hma.store import Store
from hma.study import open_study
from tests.ui import world
from tests.ui.page import calm, choice, key_of, wait_for


def test_the_link_to_a_point_leads_to_it(app, study):
    test = app().run()
    choice(test).set_value(key_of(study, 0.5, 1, 0)).run()
    link = next(code.value for code in test.code if "?point=" in code.value)
    assert link.endswith(f"?point={key_of(study, 0.5, 1, 0)}&size=quick")
    assert choice(app(link=key_of(study, 0.5, 1, 0)).run()).value == key_of(study, 0.5, 1, 0)


def test_a_link_selects_its_point(app, study):
    test = app(link=key_of(study, 0.5, 1, 0)).run()
    assert calm(test)
    assert choice(test).value == key_of(study, 0.5, 1, 0)


def test_a_link_turns_to_the_study_of_its_point(app, place, store_path):
    other = open_study(*place, split="test", size="full")
    world.fill(Store(store_path), other, grid=0)
    test = app(link=key_of(other, 0.3, 0.3, 0.3)).run()
    assert calm(test)
    assert test.session_state["study"].split == "test"
    assert choice(test).value == key_of(other, 0.3, 0.3, 0.3)


def test_a_link_to_nothing_says_so_and_shows_the_suggested_point(app):
    test = app(link="<b>none</b>").run()
    assert len(test.warning) == 1
    assert "no point" in test.warning[0].value
    assert "<b>" not in test.warning[0].value
    assert choice(test).value
    choice(test).set_value(test.session_state["board"].points[0].key).run()
    assert not test.warning


def test_a_link_opens_as_many_items_as_it_was_made_on(app, place, store_path):
    full = open_study(*place, size="full")
    world.fill(Store(store_path), full, grid=0)
    test = app(link=key_of(full, 0.3, 0.3, 0.3))
    test.query_params["size"] = "full"
    test.run()
    assert calm(test)
    assert test.session_state["study"].size == "full"
    assert choice(test).value == key_of(full, 0.3, 0.3, 0.3)


def test_what_was_selected_is_not_forgotten_where_it_was_not_measured(app, study, place, store_path):
    other = open_study(*place, split="test")
    world.fill(Store(store_path), other, grid=0)
    test = app().run()
    key = key_of(study, 0.5, 1, 0)
    choice(test).set_value(key).run()
    test.segmented_control(key="split").set_value("test").run()
    assert calm(test)
    assert any("HMA 0.5 / 1 / 0, which you selected, is not measured" in part.value for part in test.markdown)
    assert choice(test).value == key_of(other, 0.5, 0.5, 0.5)  # The nearest that is measured there.
    test.segmented_control(key="split").set_value("validation").run()
    assert choice(test).value == key
    assert not any("which you selected" in part.value for part in test.markdown)

    test.segmented_control(key="split").set_value("test").run()
    choice(test).set_value(key_of(other, 0.3, 0.3, 0.3)).run()  # A choice of one's own takes its place.
    test.segmented_control(key="split").set_value("validation").run()
    assert choice(test).value == key_of(study, 0.3, 0.3, 0.3)


def test_what_was_selected_is_measured_on_these_items_at_a_press(app, study, place, store_path):
    other = open_study(*place, split="test")
    world.fill(Store(store_path), other, grid=0)
    test = app().run()
    choice(test).set_value(key_of(study, 0.5, 1, 0)).run()
    test.segmented_control(key="split").set_value("test").run()
    test.button(key="measure_stand_in").click().run()
    wait_for(test, lambda test: choice(test).value == key_of(other, 0.5, 1, 0))
    assert not any("which you selected" in part.value for part in test.markdown)
