"""Links to a point under AppTest: what Explore shows where one is followed."""

from hma.store import Store
from hma.study import open_study
from tests.ui import world
from tests.ui.page import calm, choice, key_of


def test_the_link_to_a_point_leads_to_it(app, study):
    test = app().run()
    choice(test).set_value(key_of(study, 0.5, 1, 0)).run()
    link = next(code.value for code in test.code if "?point=" in code.value)
    assert link.endswith(f"?point={key_of(study, 0.5, 1, 0)}")
    assert choice(app(link=link.partition("=")[2]).run()).value == key_of(study, 0.5, 1, 0)


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
