"""Explore under AppTest: what stands on the page in each of its states, and what its controls do."""

import json
import time
from dataclasses import replace

import pytest

from hma.core.front import front
from hma.core.recipe import Recipe
from hma.store import Store
from hma.study import open_study
from hma.ui import access
from tests.ui import world


def texts(test, kind):
    return [element.value for element in getattr(test, kind)]


def everything(test):
    """All the words on the page, for what must be there or must not."""
    kinds = ("markdown", "caption", "text", "error", "warning", "info")
    return "\n".join(str(value) for kind in kinds for value in texts(test, kind)) + "\n".join(
        element.proto.body for element in test.get("html")
    )


def figure(test):
    charts = [json.loads(element.proto.spec) for element in test.get("plotly_chart")]
    return next((c for c in charts if len(c["data"]) > 1), None)


def button(test, key):
    return next(b for b in test.button if b.key == key)


def key_of(study, *alphas):
    return study.point_key(Recipe(study.partition(), alphas))


def choice(test):
    """The list of points."""
    return next(box for box in test.selectbox if box.key.startswith("point_choice"))


def set_sliders(test, *alphas):
    for k, alpha in enumerate(alphas):
        test.slider[k].set_value(alpha)
    return test.run()


def wait_for(test, condition, seconds=60.0):
    """Run the page, as its own timer would, until the condition holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        test.run()
        if condition(test):
            return test
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s; the page says:\n{everything(test)}")


def calm(test):
    return not test.exception and not test.error and not test.warning


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


def test_the_link_to_a_point_leads_to_it(app, study):
    test = app().run()
    choice(test).set_value(key_of(study, 0.5, 1, 0)).run()
    link = next(code.value for code in test.code if "?point=" in code.value)
    assert link.endswith(f"?point={key_of(study, 0.5, 1, 0)}")
    assert choice(app(link=link.partition("=")[2]).run()).value == key_of(study, 0.5, 1, 0)


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


def test_the_button_measures_and_the_new_point_is_selected(app, study, store_path):
    test = app(seconds=0.6).run()
    set_sliders(test, 0.35, 0.1, 0.05)
    button(test, "measure").click().run()
    assert "HMA 0.35 / 0.1 / 0.05 is being measured." in "\n".join(texts(test, "caption"))
    assert button(test, "measure").disabled
    key = key_of(study, 0.35, 0.1, 0.05)
    wait_for(test, lambda t: choice(t).value == key)
    assert calm(test)
    own = next(trace for trace in figure(test)["data"] if key in trace.get("customdata", []))
    assert own["marker"]["symbol"].startswith("star")
    assert figure(test)["data"][-1]["selectedpoints"] == [figure(test)["data"][-1]["customdata"].index(key)]
    assert Store(store_path).point(key).method == "slider"


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


def test_a_cancelled_measurement_says_so_and_stores_nothing(app, study):
    test = app(seconds=8).run()
    set_sliders(test, 0.35, 0.15, 0.05)
    button(test, "measure").click().run()
    wait_for(
        test, lambda t: any((b.key or "").startswith("cancel_") for b in t.button) and access.engine().worker().status == "busy"
    )
    next(b for b in test.button if b.key.startswith("cancel_")).click().run()
    wait_for(test, lambda t: t.info)
    assert "cancelled" in test.info[0].value
    assert access.engine().store.point(key_of(study, 0.35, 0.15, 0.05)) is None
    next(b for b in test.button if b.key.startswith("dismiss_")).click().run()
    assert not test.info


def test_a_failure_stays_in_plain_words_until_dismissed(app):
    test = app().run()
    set_sliders(test, 0.9, 0.1, 0.05)
    button(test, "measure").click().run()
    wait_for(test, lambda t: t.error)
    assert "not measured" in test.error[0].value
    assert r"\*judge\*" in test.error[0].value
    assert "<b>" not in test.error[0].value
    test.run()
    assert test.error
    next(b for b in test.button if b.key.startswith("dismiss_")).click().run()
    assert not test.error


def test_a_worker_that_dies_is_said_and_replaced(app, study):
    test = app().run()
    set_sliders(test, 0.95, 0.1, 0.05)
    button(test, "measure").click().run()
    wait_for(test, lambda t: t.error)
    assert "fresh worker" in test.error[0].value
    set_sliders(test, 0.35, 0.15, 0.05)
    button(test, "measure").click().run()
    wait_for(test, lambda t: choice(t).value == key_of(study, 0.35, 0.15, 0.05))


def test_the_queue_is_listed_and_can_be_left(app):
    test = app(seconds=5).run()
    for alpha in (0.35, 0.45, 0.55):
        set_sliders(test, alpha, 0.15, 0.05)
        button(test, "measure").click().run()
    wait_for(test, lambda t: any("Queued, place 2" in c for c in texts(t, "caption")))
    jobs = access.engine().jobs()
    button(test, f"cancel_{jobs[-1].id}").click().run()
    assert access.engine().job(jobs[-1].id).state == "cancelled"


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


def test_an_empty_study_says_why_and_measures_both_ends(app, tmp_path, study):
    test = app(store=tmp_path / "empty.sqlite").run()
    assert calm(test)
    assert figure(test) is None
    assert "Nothing is measured yet" in everything(test)
    button(test, "measure_ends").click().run()
    wait_for(test, lambda t: figure(t) is not None and len(figure(t)["data"][-1]["customdata"]) == 2)
    assert choice(test).value == key_of(study, 0, 0, 0)
    labels = [a["text"] for a in figure(test)["layout"]["annotations"]]
    assert "reference (before RLHF)" in labels and "policy (after RLHF)" in labels


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


def test_a_click_on_the_chart_selects_without_a_new_figure(app, study):
    test = app().run()
    before = figure(test)
    key = key_of(study, 0.5, 0, 1)
    view = test.session_state["view"]
    test.session_state["view"] = replace(view, selected=key, picked=key, listing=view.listing + 1)
    test.run()
    assert [s.value for s in test.slider] == [0.5, 0, 1]
    assert choice(test).value == key_of(study, 0.5, 0, 1)
    assert test.query_params["point"] == key_of(study, 0.5, 0, 1)
    assert figure(test) == before


def test_all_points_open_as_a_table(app, study, filled):
    test = app().run()
    assert not test.dataframe
    test.session_state["all_points"] = True
    test.run()
    assert calm(test)
    assert len(test.dataframe[0].value) == len(Store(filled).points(study))
