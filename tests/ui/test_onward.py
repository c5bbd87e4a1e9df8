"""From a chosen point onward under AppTest: measured on test items with the ends, seen there, exported."""

from hma.core.recipe import Recipe
from hma.errors import SuiteError
from hma.store import Store
from hma.ui import access
from tests.ui import world
from tests.ui.page import button, calm, choice, everything, key_of, wait_for

CHOSEN = (0.5, 0.5, 0.5)


def keys(test):
    return {b.key for b in test.button}


def test_a_chosen_point_is_measured_on_test_items_with_both_ends_and_seen_there(app, study, reporting, store_path):
    test = app(link=key_of(study, *CHOSEN)).run()
    pressed = button(test, "onward_measure")
    assert pressed.label == "Measure it on 40 test items" and "looks better there than it is" in pressed.help
    pressed.click().run()
    assert button(test, "onward_measure").disabled
    wait_for(test, lambda t: "onward_see" in keys(t))
    assert calm(test)
    assert choice(test).value == key_of(study, *CHOSEN)  # Nobody is led away from where they are.
    measured = {point.recipe.alphas for point in Store(store_path).points(reporting)}
    assert measured == {CHOSEN, (0.0,) * 3, (1.0,) * 3}

    button(test, "onward_see").click().run()
    assert choice(test).value == key_of(reporting, *CHOSEN)
    assert "40 test items" in everything(test)
    assert not {"onward_see", "onward_measure"} & keys(test)


def test_what_has_fewer_test_items_than_these_is_not_there_yet(app, place, study, reporting, store_path):
    recipe = Recipe(study.partition(), CHOSEN)
    Store(store_path).add(reporting, world.measurement(reporting, recipe))
    test = app(link=key_of(study, *CHOSEN)).run()
    assert "onward_see" in keys(test)
    test.session_state["size"] = "full"
    test.run()
    assert "onward_see" not in keys(test)


def test_a_suite_without_test_items_offers_none(app, study, monkeypatch):
    opened, known = [], access.open_study

    def only_validation(*given, **rest):
        if "test" in given:
            opened.append(given)
            raise SuiteError("no test items")
        return known(*given, **rest)

    monkeypatch.setattr(access, "open_study", only_validation)
    test = app(link=key_of(study, *CHOSEN)).run()
    assert calm(test) and not {"onward_see", "onward_measure"} & keys(test)
    tries = len(opened)
    test.run()
    assert tries and len(opened) == tries  # It is not opened anew at every run.


def test_what_stands_in_for_another_point_is_the_one_that_is_seen(app, study, reporting, store_path):
    absent = Recipe(study.partition(), (0.35, 0.15, 0.95))
    Store(store_path).add(reporting, world.measurement(reporting, absent))
    test = app(link=reporting.point_key(absent)).run()
    test.session_state["split"] = "validation"
    test.run()
    assert "which you selected, is not measured" in everything(test)
    stood_in = Store(store_path).point(choice(test).value).recipe
    Store(store_path).add(reporting, world.measurement(reporting, stood_in))
    test.run()
    button(test, "onward_see").click().run()
    assert choice(test).value == reporting.point_key(stood_in)


def test_read_only_shows_what_is_there_and_measures_nothing(app, study, reporting, store_path):
    Store(store_path).add(reporting, world.measurement(reporting, Recipe(study.partition(), CHOSEN)))
    test = app(link=key_of(study, *CHOSEN), HMA_READ_ONLY="1").run()
    assert "onward_see" in keys(test) and not test.get("page_link")
    other = app(link=key_of(study, 0.2, 0.2, 0.2), HMA_READ_ONLY="1").run()
    assert not {"onward_see", "onward_measure"} & keys(other)


def test_export_says_the_shares_in_words_and_offers_the_test_items(on_page, study, tmp_path):
    test = on_page("export", link=key_of(study, *CHOSEN), HMA_EXPORTS=str(tmp_path / "exports"))
    assert "Share of pre-RLHF weights: input 0.5, middle 0.5, output 0.5." in everything(test)
    assert "onward_measure" in keys(test)
