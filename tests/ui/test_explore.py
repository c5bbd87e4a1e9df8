"""Explore under AppTest: what stands on the page, what its controls do, and what is said where a study cannot be opened."""

from dataclasses import replace

import pytest

from hma import text
from hma.core.front import front
from hma.core.recipe import Recipe
from hma.store import Store
from hma.study import open_study
from tests.ui import world
from tests.ui.page import button, calm, choice, everything, figure, key_of, set_sliders, texts


def test_the_first_page_has_the_chart_a_suggested_point_and_its_answers(app, study, filled):
    test = app().run()
    assert calm(test)
    points = Store(filled).points(study)
    drawn = figure(test)
    assert set(drawn["data"][-1]["customdata"]) == {p.key for p in points}
    chosen = choice(test).value
    assert chosen in {p.key for p in front(points)}
    assert test.query_params["point"] == chosen
    assert any("suggested" in c for c in texts(test, "caption"))
    assert sum("Answer 0 of" in t for t in texts(test, "text")) == 3
    assert any("Hypervolume" in c and "corner" in c for c in texts(test, "caption"))


def test_the_table_has_reward_abilities_mean_and_signed_tax(app, study):
    test = app(link=key_of(study, 0, 0, 0)).run()
    table = next(e.proto.body for e in test.get("html") if "hma-scores" in e.proto.body and "<table>" in e.proto.body)
    for word in ("Alignment reward", "Choice", "Reading", "Translation", "Mean ability", "Tax", "Reference", "Policy", "Items"):
        assert word in table
    assert "+" in table
    board = test.session_state["board"]
    for point in (board.reference, board.policy):
        for score in (point.reward, point.ability, point.scores["choice"]):
            assert f"<td>{text.rounded(score)} <small>{text.interval(score.low, score.high)}</small></td>" in table
    assert any("our own aggregate" in c for c in texts(test, "caption"))


def test_sliders_select_what_was_measured_and_say_what_was_not(app, study):
    test = app().run()
    set_sliders(test, 0.5, 0.5, 0.5)
    assert choice(test).value == key_of(study, 0.5, 0.5, 0.5)
    assert button(test, "measure").disabled
    set_sliders(test, 0.35, 0.5, 0.5)
    assert choice(test).value == key_of(study, 0.5, 0.5, 0.5)
    assert any("Not measured yet: HMA 0.35 / 0.5 / 0.5" in c for c in texts(test, "caption"))
    assert not button(test, "measure").disabled


def test_presets_move_the_sliders(app, study):
    test = app().run()
    button(test, "preset_MA 0.2").click().run()
    assert [s.value for s in test.slider] == [0.2] * 3
    assert choice(test).value == key_of(study, 0.2, 0.2, 0.2)
    button(test, "preset_reference").click().run()
    assert test.query_params["point"] == key_of(study, 1, 1, 1)


def overtaken(test, key):
    """Press a button; the next look sends what the browser knew before it got the page that the button made."""
    for widget in (*test.slider, *test.selectbox):
        widget.set_value(widget.value)
    known, pressed = test._tree, button(test, key)
    pressed.click().run()
    test._tree, pressed._value = known, False
    return test.run()


def test_a_look_that_overtakes_the_page_sets_nothing_back(app, study):
    test = app().run()
    set_sliders(test, 0.35, 0.15, 0.05)
    overtaken(test, "preset_policy")
    assert [s.value for s in test.slider] == [0, 0, 0]
    assert choice(test).value == key_of(study, 0, 0, 0)
    overtaken(test, "prompt_on")
    assert sum("Answer 1 of" in t for t in texts(test, "text")) == 3


def test_a_picked_point_moves_the_sliders(app, study):
    test = app().run()
    choice(test).set_value(key_of(study, 0.5, 1, 0)).run()
    assert [s.value for s in test.slider] == [0.5, 1, 0]
    set_sliders(test, 0.5, 0.9, 0)
    assert choice(test).value == key_of(study, 0.5, 1, 0)
    test.run()
    assert [s.value for s in test.slider] == [0.5, 0.9, 0]  # a later look at the page leaves them where they are


def test_a_point_between_the_sliders_steps_is_said_to_be(app, study, store_path):
    Store(store_path).add(study, world.measurement(study, Recipe(study.partition(), (0.33, 0.33, 0.33)), "single"))
    test = app().run()
    choice(test).set_value(key_of(study, 0.33, 0.33, 0.33)).run()
    assert [s.value for s in test.slider] == [0.35] * 3
    assert any("as near as they come to the selected point" in c for c in texts(test, "caption"))


def test_nothing_is_suggested_on_test_items_and_the_chosen_recipe_stays(app, place, study, store_path):
    other = open_study(*place, split="test")
    world.fill(Store(store_path), other, grid=0)
    test = app(link=key_of(study, 0.7, 0.7, 0.7)).run()
    test.segmented_control(key="split").set_value("test").run()
    assert choice(test).value == key_of(other, 0.7, 0.7, 0.7)
    assert "suggested" not in "\n".join(texts(test, "caption") + choice(test).options)


def test_a_pair_the_wrong_way_round_is_asked_about(app, tmp_path, study):
    store = Store(tmp_path / "swapped.sqlite")
    for alpha in (0.0, 1.0):
        measured = world.measurement(study, Recipe(study.partition(), (1 - alpha,) * 3))
        store.add(study, replace(measured, recipe=Recipe(study.partition(), (alpha,) * 3)))
    test = app(store=store.path).run()
    assert "Are the two checkpoints swapped?" in test.warning[0].value


def test_an_extrapolation_is_looked_at_but_no_slider_stands_on_it(app, study, store_path):
    recipe = Recipe(study.partition(), (1.2, 0, -0.1))
    Store(store_path).add(study, world.measurement(study, recipe))
    key = study.point_key(recipe)
    test = app().run()
    before = [slider.value for slider in test.slider]
    choice(test).set_value(key).run()
    assert calm(test)
    assert choice(test).value == key
    assert [slider.value for slider in test.slider] == before
    assert button(test, "preset_selected").disabled
    said = everything(test)
    assert "input 1.2, middle 0, output -0.1, extrapolation" in said
    own = next(trace for trace in figure(test)["data"] if key in trace.get("customdata", []))
    assert own["marker"]["symbol"].startswith("triangle-up")


def test_points_of_another_study_are_counted_and_never_drawn(app, place, store_path):
    test = app().run()
    test.segmented_control(key="split").set_value("test").run()
    assert calm(test)
    assert figure(test) is None
    assert "points of other studies" in everything(test)


@pytest.mark.parametrize("name", ["HMA_REFERENCE", "HMA_POLICY", "HMA_SUITE"])
def test_a_study_that_cannot_be_opened_is_an_error_and_no_traceback(app, tmp_path, name):
    test = app(**{name: str(tmp_path / "not_there")}).run()
    assert not test.exception
    assert len(test.error) == 1
    assert "not\\_there" in test.error[0].value


def test_a_store_that_is_none_is_an_error_and_no_traceback(app, tmp_path):
    bad = tmp_path / "bad.sqlite"
    bad.write_text("no database at all, but a text of some length" * 50)
    test = app(store=bad).run()
    assert not test.exception
    assert len(test.error) == 1
    assert "not a store" in test.error[0].value


def test_an_answer_is_never_markdown_or_html(app, tmp_path, study):
    store = Store(tmp_path / "trap.sqlite")
    world.fill(store, study, grid=0, sweep=5, answer=world.TRAP)
    test = app(store=store.path).run()
    assert texts(test, "text").count(world.TRAP) == 3
    for kind in ("markdown", "caption", "error", "warning", "info"):
        assert not any("<script>" in value for value in texts(test, kind))
    assert not any("<script>" in element.proto.body for element in test.get("html"))


def test_the_pager_turns_prompts(app):
    test = app().run()
    button(test, "prompt_on").click().run()
    assert sum("Answer 1 of" in t for t in texts(test, "text")) == 3
    button(test, "prompt_back").click().run()
    button(test, "prompt_back").click().run()
    assert sum("Answer 39 of" in t for t in texts(test, "text")) == 3


def test_the_figure_changes_with_results_and_settings_only(app, study):
    test = app().run()
    before = figure(test)
    set_sliders(test, 0.35, 0.45, 0.05)
    button(test, "prompt_on").click().run()
    assert figure(test) == before
    test.segmented_control(key="bars").set_value("all").run()
    assert figure(test) != before


def test_a_click_on_the_chart_selects_and_leaves_its_frame_where_it_is(app, study):
    test = app().run()
    test.segmented_control(key="range_mode").set_value("near").run()
    before = figure(test)
    key = key_of(study, 0.5, 0, 1)
    view = test.session_state["view"]
    test.session_state["view"] = replace(view, selected=key, picked=key, listing=view.listing + 1)
    test.run()
    assert [s.value for s in test.slider] == [0.5, 0, 1]
    assert choice(test).value == key_of(study, 0.5, 0, 1)
    assert test.query_params["point"] == key_of(study, 0.5, 0, 1)
    after = figure(test)
    ring = after["data"][-1]
    assert [ring["customdata"][place] for place in ring["selectedpoints"]] == [key]
    assert after["layout"] == before["layout"]
    choice(test).set_value(key_of(study, 0, 0, 0)).run()
    assert figure(test)["layout"]["xaxis"]["range"] != before["layout"]["xaxis"]["range"]


def test_all_points_open_as_a_table(app, study, filled):
    test = app().run()
    assert not test.dataframe
    test.session_state["all_points"] = True
    test.run()
    assert calm(test)
    assert len(test.dataframe[0].value) == len(Store(filled).points(study))
