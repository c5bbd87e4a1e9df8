"""Compare fronts under AppTest: what it says before and after test items are measured, and each of its states."""

import json
from functools import partial

import pytest

from hma import contest, text
from hma.board import Board
from hma.contenders import contenders
from hma.store import Store
from hma.ui import access
from tests.ui import world
from tests.ui.page import button, calm, everything, figures, pick, texts, wait_for
from tests.ui.world import add


@pytest.fixture
def page(on_page):
    return partial(on_page, "compare")


def held(store_path, study, reporting):
    choosing, other = (Board.read(Store(store_path), one) for one in (study, reporting))
    return contest.held(choosing, other, contenders(choosing.points))


def report(store_path, study, reporting, but=()):
    """Measure all that was chosen on test items, but for merges with these alphas."""
    store = Store(store_path)
    for recipe in held(store_path, study, reporting).missing:
        if recipe.alphas not in but:
            store.add(reporting, world.measurement(reporting, recipe, "compare"))


def drawn(test):
    return next(c for c in figures(test) if any(t.get("name") == "ends" for t in c["data"]))


def table(test):
    return next(e.proto.body for e in test.get("html") if "hma-contest" in e.proto.body and "<table>" in e.proto.body)


def test_at_first_sight_fronts_are_compared_where_they_were_chosen_and_said_to_be_flattered(page, store_path, study, reporting):
    test = page()
    assert calm(test)
    found, said = held(store_path, study, reporting), everything(test)
    assert "Chosen and scored on the same items: flattered" in said
    assert "On the items that chose its points, HMA by any method looks better than MA" in said
    assert f"Measure these {len(found.missing)} points on test items" in [b.label for b in test.button]
    assert f"{len(found.missing)} are not measured on the 40 test items yet: reference" in said
    less = found.comparison.against["hma"].hypervolume
    assert f"Hypervolume of HMA by any method less that of MA: {less.value:+.0f} % of the box" in said
    assert "the points measured, both ends among them, are 11 for MA and 26 for HMA by any method" in said
    assert "this favours HMA by any method" in said
    reference, policy = found.ends
    corner = f"reward {text.rounded(reference.reward)}, ability {text.rounded(policy.ability)}."
    assert corner in said  # At the digits of the table of scores.
    for name in ("ma", "hma"):
        assert f"<td>{len(found.chosen[name])}</td>" in table(test)
        assert f"<td>{found.comparison.hypervolumes[name].value:.0f}<br>" in table(test)
    for name in ("ma", "hma"):
        line = next(t for t in drawn(test)["data"] if t.get("legendgroup") == name)
        assert set(line["customdata"]) == {p.key for p in found.chosen[name]}


def test_what_was_chosen_is_measured_on_test_items_and_then_reported(page, store_path, study, reporting):
    report(store_path, study, reporting, but={(0.1,) * 3, (1.0, 0.0, 0.0), (1.0, 1.0, 0.0)})
    test = page(seconds=0.3)
    assert "3 are not measured on the 40 test items yet: MA 0.1, HMA 1 / 0 / 0 and HMA 1 / 1 / 0." in everything(test)
    button(test, "measure_test").click().run()
    assert button(test, "measure_test").disabled
    wait_for(test, lambda t: "of 3 points so far." in everything(t) and t.get("progress"))
    wait_for(test, lambda t: "Chosen on validation, reported on 40 test items" in everything(t))
    assert calm(test)
    found, said = held(store_path, study, reporting), everything(test)
    assert found.is_reported
    assert "HMA by any method offers better trade-offs than MA" in said and "flattered" not in said
    assert not any(b.key == "measure_test" for b in test.button)
    assert f"<td>{found.comparison.hypervolumes['hma'].value:.0f}<br>" in table(test)
    assert "40 test items. Filled" in said
    figure = drawn(test)
    on_chart = {key for t in figure["data"] if t.get("legendgroup") for key in t["customdata"]}
    assert on_chart >= {p.key for points in found.drawn.values() for p in points}
    assert {p.method for p in Store(store_path).points(reporting)} == {"compare"}
    test.switch_page("pages/methods.py").run()
    assert "**Points of a comparison** · 3 points" in everything(test)


def test_points_that_fail_are_told_and_asked_for_again(page, store_path, study, reporting):
    report(store_path, study, reporting, but={(0.9,) * 3, (0.8, 0.8, 0.8), (1.0, 0.0, 0.0)})  # The stand-in fails at 0.9.
    test = page(seconds=0.05)
    button(test, "measure_test").click().run()
    wait_for(test, lambda t: "[failed]" in everything(t))
    said = everything(test)
    assert r"Mend the \*judge\*" in said and "<b>and</b>" not in said
    assert "1 is not measured on the 40 test items yet: MA 0.9." in said and "flattered" in said
    assert not button(test, "measure_test").disabled
    assert button(test, "measure_test").label == "Measure this point on test items"
    assert not test.exception


def test_measuring_is_cancelled_and_goes_on(page, store_path, study, reporting):
    report(store_path, study, reporting, but={(0.1,) * 3, (1.0, 0.0, 0.0)})
    test = page(seconds=5)
    button(test, "measure_test").click().run()
    wait_for(test, lambda t: any(b.key.startswith("stop_") for b in t.button))
    button(test, f"stop_{access.runs().all()[0].id}").click().run()
    wait_for(test, lambda t: "[cancelled]" in everything(t))
    assert "It was cancelled" in everything(test) and not button(test, "measure_test").disabled


def test_with_the_bar_on_test_items_the_choice_is_still_validations(page, store_path, study, reporting):
    report(store_path, study, reporting)
    add(store_path, reporting, "search", (0.9, 0.9, 0.1))  # Not chosen: validation items never saw it.
    test = page()
    before = table(test)
    test.segmented_control(key="split").set_value("test").run()
    assert calm(test)
    assert "still chosen on the 40 validation items" in everything(test)
    assert table(test) == before


def test_equal_numbers_are_offered_and_said_to_be_a_subset(page, store_path, study, reporting):
    test = page()
    test.toggle(key="equal_numbers").set_value(True).run()
    assert calm(test)
    said = everything(test)
    assert "Equal budgets: 11 points each on the 40 validation items that choose" in said
    assert "a subset, spread evenly over the mean share" in said and "favours" not in said
    choosing = Board.read(Store(store_path), study)
    found = contest.held(choosing, Board.read(Store(store_path), reporting), contenders(choosing.points), True)
    assert f"<td>{len(found.chosen['hma'])}</td>" in table(test)


def test_more_methods_stand_beside_each_other(page, store_path, study):
    add(store_path, study, "search", (0.3, 0.2, 0.1), (0.6, 0.2, 0.0))
    add(store_path, study, "slider", (0.35, 0.2, 0.1))
    test = pick(page(), "ma", "grid", "own")
    assert calm(test)
    said = everything(test)
    assert "Hypervolume of Grid less that of MA" in said and "Hypervolume of Own points less that of MA" in said
    assert "are 11 for MA, 26 for Grid and 3 for Own points" in said and "this favours Grid" in said
    assert "<th>Grid less MA</th><th>Own points less MA</th>" in table(test)
    assert [t["name"] for t in drawn(test)["data"] if "legendgroup" in t and t.get("showlegend", True)] == [
        "Own points",
        "Grid",
        "MA",
    ]
    pick(test)
    assert "Pick two methods, or more" in test.info[0].value


def test_a_method_name_from_a_file_stays_text(page, store_path, study):
    add(store_path, study, world.TRAP, (0.3, 0.2, 0.1), (0.6, 0.2, 0.0))
    test = pick(page(), "ma", world.TRAP)
    assert not test.exception and not test.error
    assert "<script>" not in table(test) and "&lt;script&gt;" in table(test)
    said = "\n".join(texts(test, "markdown") + texts(test, "caption"))
    assert "<script>" not in said and "**bold**" not in said
    assert not any("<script>" in json.dumps([t.get("name"), t.get("text")]) for t in drawn(test)["data"])


def test_with_one_method_it_says_what_is_lacking(page, tmp_path, study, place):
    store = Store(tmp_path / "one.sqlite")
    world.fill(store, study, grid=0)
    test = page(store=store.path)
    assert calm(test)
    said = everything(test)
    assert "Only MA has points on these 40 validation items" in said
    assert "less that of" not in said and "MA has 11 points" in said
    assert "<th>MA</th></tr>" in table(test)
    test.segmented_control(key="size").set_value("full").run()
    assert calm(test)
    assert "Nothing is measured yet on these 80 validation items" in everything(test)
    assert "at another size: 11 at Quick" in everything(test)


def test_test_items_alone_are_nothing_to_choose_on(page, tmp_path, reporting):
    store = Store(tmp_path / "tested.sqlite")
    world.fill(store, reporting, grid=0)
    test = page(store=store.path)
    assert calm(test)
    assert "On the 40 test items there are 11 points, but nothing may be chosen on them." in everything(test)


def test_an_end_that_is_missing_is_measured_by_a_button(page, tmp_path, study):
    store = Store(tmp_path / "endless.sqlite")
    add(store.path, study, "sweep", (1.0,) * 3, (0.5,) * 3)
    add(store.path, study, "grid", (0.2, 0.5, 0.5))
    test = page(store=store.path)
    assert calm(test)
    said = everything(test)
    assert "The policy is not measured on validation items" in said and "No hypervolume yet" in said
    assert "Hypervolume of" not in said
    button(test, "measure_validation").click().run()
    wait_for(test, lambda t: "Hypervolume of HMA by any method less that of MA" in everything(t))
    assert calm(test)


def test_every_chosen_point_is_listed_with_both_scores(page, store_path, study, reporting):
    report(store_path, study, reporting, but={(0.1,) * 3})
    test = page()
    test.session_state["chosen_points"] = True
    test.run()
    rows = test.dataframe[0].value
    assert list(rows[rows["point"] == "MA 0.1"]["on test items"]) == ["not measured yet"]
    assert (rows[rows["point"] != "MA 0.1"]["on test items"] == "measured").all()
    assert set(rows["method"]) == {"MA", "HMA by any method"}
    assert rows["reward, test"].isna().any() and test.dataframe[0].proto.placeholder == "–"
