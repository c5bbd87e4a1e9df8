"""Pair and suite under AppTest: what may be opened, what is found of it, and that it is measured."""

import json
import shutil
from dataclasses import replace

import pytest

from hma.core.recipe import Recipe
from hma.core.study import changes_key
from hma.store import Store
from hma.study import open_study
from hma.text import plain
from hma.ui import access, changes, durations, pair
from tests.ui import world
from tests.ui.page import button, calm, everything, wait_for
from tests.ui.worker import CHANGES


@pytest.fixture
def page(on_page, tmp_path, monkeypatch):
    """Make the app at its page Pair and suite, with a root beside the pair that was named."""
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(access, "SUITES", tmp_path / "suites")

    def make(**settings):
        test = on_page("pair", HMA_ROOTS=str(root), **settings)
        assert calm(test), everything(test)
        return test

    return make, root


def choose(test, label, place):
    """Write a place into one of the lists, as a person does who types it."""
    box = next(box for box in test.selectbox if box.label.startswith(label))
    if (shown := pair.short(str(place))) not in box.options:
        box.options = [*box.options, shown]  # AppTest knows nothing of lists into which a text may be written.
    return box.set_value(str(place)).run()


def test_the_open_study_is_told_and_its_own_pair_passes(page, place, study):
    make, _ = page
    test = make()
    said = everything(test)
    for part in place:
        assert plain(str(part)) in said
    assert "This pair can be merged" in said
    assert "tensors, shapes and dtypes match" in said
    assert button(test, "pair_open").disabled


def turned_to(test, pair):
    """The page with another pair's two ends chosen."""
    choose(test, "Reference", pair[0])
    choose(test, "Policy", pair[1])
    return test


def test_another_pair_is_opened_and_its_ends_are_measured(page, place):
    make, root = page
    other = world.write_pair(root / "other", seed=3)
    test = turned_to(make(), other)
    assert "This pair can be merged" in everything(test) and not button(test, "pair_open").disabled
    button(test, "pair_open").click().run()
    assert plain(str(other[0])) in everything(test) and button(test, "pair_open").disabled
    wait_for(test, lambda t: "2 points on the" in everything(t))
    found = Store(access.engine().store.path).studies()[0]
    assert (found.reference, found.policy) == (str(other[0]), str(other[1]))
    assert len(access.engine().store.points(found)) == 2


def test_what_its_two_ends_will_take_is_said_where_it_is_known(page, tmp_path, place, study):
    make, root = page
    other = world.write_pair(root / "other", seed=3)
    test = turned_to(make(), other)
    said = everything(test)
    assert "How long the two ends take is not known before the first is measured; points of another pair" in said
    assert "took 1.4 s each here. Before the first, both checkpoints are loaded." in said
    store, opened = access.engine().store, open_study(*other, place[2])
    store.add(opened, world.measurement(opened, Recipe(opened.partition(), (1.0,) * 3)))
    assert "Measuring the end that is missing: about 1 s, at 1.4 s a point as the latest of" in everything(test.run())
    store.add(opened, world.measurement(opened, Recipe(opened.partition(), (0.0,) * 3)))
    assert "Both ends are measured already." in everything(test.run())
    assert calm(test)


def test_a_duration_is_of_the_study_itself_and_never_made_up(tmp_path, place, study):
    store = Store(tmp_path / "p.sqlite")
    assert "is not known before the first is measured; no point has been timed yet." in durations.words(store, study)
    untimed = replace(world.measurement(study, Recipe(study.partition(), (0.5,) * 3)), elapsed_seconds=0.0)
    store.add(study, untimed)
    assert "not known" in durations.words(store, study)
    tested = open_study(*place, split="test")
    store.add(tested, world.measurement(tested, Recipe(study.partition(), (0.5,) * 3)))
    assert "points of this pair with other items or scores took 1.4 s each here" in durations.words(store, study)
    store.add(study, world.measurement(study, Recipe(study.partition(), (0.25,) * 3)))
    assert durations.words(store, study).startswith("Measuring the two ends: about 3 s, at 1.4 s a point")


def test_a_link_to_a_point_of_another_pair_opens_that_pair(page, app, tmp_path, place):
    make, root = page
    other = world.write_pair(root / "other", seed=3)
    test = turned_to(make(), other)
    button(test, "pair_open").click().run()
    wait_for(test, lambda t: "2 points on the" in everything(t))
    store = access.engine().store
    key = store.points(store.studies()[0])[-1].key
    fresh = app(link=key, HMA_ROOTS=str(root)).run()
    assert fresh.session_state["study"].reference == str(other[0])
    assert fresh.session_state["view"].selected == key
    outside = app(link=key, HMA_ROOTS="").run()  # Where the page may not look there, the link leads nowhere, and says so.
    assert "There is no point" in outside.warning[0].value
    assert outside.session_state["study"].reference == str(place[0])


@pytest.mark.parametrize("given", ["/etc", "../..", "{root}/link", "{root}/nothing"])
def test_what_lies_outside_is_not_opened(page, given, tmp_path):
    make, root = page
    (root / "link").symlink_to("/etc")
    test = make()
    choose(test, "Policy", given.format(root=root))
    said = test.error[0].value
    assert "lies outside the folders" in said or "There is no folder" in said
    assert not any(b.key == "pair_open" for b in test.button)


def test_a_pair_that_does_not_match_cannot_be_opened(page):
    make, root = page
    reference, policy = world.write_pair(root / "odd", seed=3)
    config = json.loads((policy / "config.json").read_text())
    (policy / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    test = make()
    choose(test, "Reference", reference)
    choose(test, "Policy", policy)
    assert "This pair cannot be merged" in everything(test)
    assert not any(b.key == "pair_open" for b in test.button)
    shutil.copy(reference / "config.json", policy / "config.json")
    button(test, "pair_again").click().run()
    assert "This pair can be merged" in everything(test)


def test_what_rlhf_changed_is_read_once_and_drawn(page, study):
    make, _ = page
    test = make()
    assert "Not looked at yet" in everything(test)
    button(test, "read_changes").click().run()
    wait_for(test, lambda t: "How far RLHF moved each part" in everything(t))
    assert access.engine().store.kept([changes_key(study)])[changes_key(study)] == CHANGES
    figure = changes.figure(CHANGES, "light")
    assert figure["data"][0]["x"] == ["embeddings", "layer 0", "layer 1", "head"]
    assert figure["data"][0]["y"] == [25.0, 0.0, 50.0, 12.5]
    assert changes.words(CHANGES) == "Change of each of 4 parts; most in layer 1: 50.0 %. Unchanged: layer 0."
    assert changes.table(CHANGES)["changed"] == ["50.0 %", "0.0 %", "100.0 %", "25.0 %"]


def test_a_suite_that_would_run_code_is_not_made(page):
    make, _ = page
    test = make()
    test.number_input(key="suite_quick").set_value(3).run()
    test.number_input(key="suite_full").set_value(5).run()
    test.text_input(key="suite_name").set_value("small").run()
    button(test, "suite_make").click().run()
    file = access.SUITES / "small" / "suite.json"
    assert "named on the command line" in test.error[0].value and not file.exists()  # The world's suite runs code of its own.


@pytest.mark.parametrize("task", ["/etc/passwd", "../x.yaml", "a b"])
def test_files_of_tasks_are_not_named_on_a_page(page, task):
    make, _ = page
    test = make()
    test.text_input(key="suite_task").set_value(task).run()
    assert "is no name of a task" in test.error[0].value


def test_a_shipped_suite_can_be_made_smaller(page, monkeypatch):
    from hma.study import SHIPPED

    make, _ = page
    test = make()
    choose(test, "Suite", SHIPPED / "suite.json")
    test.session_state["sources"] = access.Sources(*(str(SHIPPED / n) for n in ("reference", "policy", "suite.json")))
    test.run()
    test.number_input(key="suite_quick").set_value(3).run()
    test.number_input(key="suite_full").set_value(5).run()
    test.text_input(key="suite_name").set_value("small").run()
    button(test, "suite_make").click().run()
    assert calm(test), everything(test)
    file = access.SUITES / "small" / "suite.json"
    assert json.loads(file.read_text())["sizes"] == {"quick": 3, "full": 5}
    choose(test, "Suite", file)
    assert "Items of each: quick 3, full 5" in everything(test)


def test_a_chosen_pair_that_is_gone_can_be_left(page, place):
    make, root = page
    other = world.write_pair(root / "other", seed=3)
    test = turned_to(make(), other)
    button(test, "pair_open").click().run()
    shutil.rmtree(root / "other")
    access.forget_studies()
    test.run()
    assert test.error
    button(test, "back").click().run()
    assert test.session_state["study"].reference == str(place[0])
