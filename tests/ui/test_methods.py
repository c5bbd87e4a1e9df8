"""Find alphas under AppTest: each method's settings, and a run in each of its states."""

from functools import partial

import pytest

from hma.comparing import BALANCES
from hma.core.alphas import ladder
from hma.store import Store
from hma.study import open_study
from hma.ui import access, plans
from tests.engines import until
from tests.ui import world
from tests.ui.page import button, calm, everything, figure, key_of, wait_for


@pytest.fixture
def page(on_page):
    return partial(on_page, "methods")


def pick(test, method):
    return test.radio(key="plan_method").set_value(method).run()


def start(test):
    return button(test, "start").click().run()


def over(test, state):
    return wait_for(test, lambda t: f"[{state}]" in everything(t))


def test_every_method_has_its_settings_its_caution_and_its_cost(page):
    test = page()
    assert calm(test)
    assert "None yet" in everything(test)
    assert "All 11 points are measured already, on these 40 validation items." in everything(test)
    assert button(test, "start").disabled
    said = {}
    for method in plans.METHODS:
        pick(test, method)
        assert calm(test)
        said[method] = everything(test)
    assert all("40 validation items can tell apart" in words for words in said.values())
    assert "It uses task prompts, which the paper's HMA does not." in said["two-sided"]
    assert "labelled validation items" in said["adamerging"]
    assert "must be reported on test items" in said["search"]
    assert "3 points to measure: about 4 s, at 1.4 s a point. Before each comes a fit" in said["proxy"]
    assert "25 points to measure: about 35 s" in said["search"]
    assert "(7 of 31 are measured already)" in said["partwise"]


def test_what_cannot_be_asked_for_is_told_and_not_started(page):
    test = pick(page(), "proxy")
    for wrong, told in (("0.2, many", "many"), ("0.2, 1.4", "1.4"), ("", "")):
        test.text_input(key="plan_means").set_value(wrong).run()
        assert f"Mean shares: '{told}' is no number from 0 to 1." in test.error[0].value.replace("\\", "")
        assert button(test, "start").disabled
    test.text_input(key="plan_means").set_value("0.3").run()
    assert calm(test)
    assert not button(test, "start").disabled


def test_what_was_set_is_there_again_after_a_look_at_another_page_or_method(page):
    test = pick(page(), "partwise")
    test.number_input(key="plan_blocks").set_value(2).run()
    test.selectbox[0].set_value(2)
    test.slider(key="plan_base").set_value(0.3)
    test.toggle(key="plan_own").set_value(True)
    test.number_input(key="plan_to").set_value(1.1).run()
    pick(test, "two-sided")
    test.segmented_control(key="plan_where").set_value("At balances of my own").run()
    test.text_input(key="plan_balances").set_value("0.25").run()
    test.toggle(key="plan_whole").set_value(True).run()
    test.switch_page("pages/explore.py").run()
    test.switch_page("pages/methods.py").run()
    assert test.radio(key="plan_method").value == "two-sided"
    assert test.text_input(key="plan_balances").value == "0.25" and test.toggle(key="plan_whole").value
    pick(test, "partwise")
    assert test.number_input(key="plan_blocks").value == 2 and test.toggle(key="plan_own").value
    assert (test.slider(key="plan_base").value, test.number_input(key="plan_to").value) == (0.3, 1.1)
    assert calm(test)


def test_a_sweep_runs_finishes_and_its_points_arrive_on_explore(page, study, store_path):
    test = page(seconds=4.0)  # Longer than two pages may take where the cores have more to do.
    test.number_input(key="plan_steps").set_value(5).run()
    assert "2 points to measure (3 of 5 are measured already): about 3 s" in everything(test)
    start(test)
    assert button(test, "start").disabled and "It is among the runs below." in everything(test)
    wait_for(test, lambda t: "[running]" in everything(t) and t.get("progress"))
    test.switch_page("pages/explore.py").run()
    wait_for(test, lambda t: any("MA sweep, " in e.proto.text for e in t.get("progress")))
    key = key_of(study, *(0.25,) * 3)
    wait_for(test, lambda t: key in figure(t)["data"][-1]["customdata"])
    assert calm(test)
    over(test.switch_page("pages/methods.py"), "finished")
    assert "5 points; they stand on Explore." in everything(test)
    measured = {point.recipe.alphas[0] for point in Store(store_path).points(study) if point.recipe.is_average}
    assert measured >= set(ladder(5))


def test_a_run_is_cancelled_and_goes_on_and_every_session_sees_it(page, app):
    test = page(seconds=3.0)
    test.number_input(key="plan_steps").set_value(4).run()
    start(test)
    runs = access.runs()
    until(lambda: runs.all()[0].done >= 1)
    other = type(test).from_file(test._script_path, default_timeout=20).run()
    other.switch_page("pages/methods.py").run()
    assert "**MA sweep** · 4 points" in everything(other)
    stop = f"stop_{runs.all()[0].id}"
    button(other, stop).click().run()
    assert "This is someone else's" in other.warning[0].value and "What it finished is kept" in other.warning[0].value
    assert not runs.is_stopping(runs.all()[0].id)
    button(other, f"{stop}_sure").click().run()
    over(test, "cancelled")
    assert "It had come through" in everything(test) and "of 4 points. What is finished is kept." in everything(test)
    assert "The same was begun before: Start does what Go on does below." in everything(test)
    test.switch_page("pages/explore.py").run()
    assert calm(test) and not test.info  # What becomes of a run is told beside it.
    test.switch_page("pages/methods.py").run()
    button(test, f"go_on_{runs.all()[0].id}").click().run()
    over(test, "finished")
    assert "4 points; they stand on Explore." in everything(test) and "Start does" not in everything(test)
    assert len(runs.all()) == 1


def test_a_failure_is_told_in_plain_words(page):
    test = pick(page(seconds=0.02), "partwise")
    test.selectbox[0].set_value(1)
    test.number_input(key="plan_steps").set_value(11).run()
    start(test)
    over(test, "failed")
    said = everything(test)
    assert "10 of 11 points. What is finished is kept. The judge gave nan" in said
    assert r"\*judge\*" in said and "<b>" not in said
    assert not test.exception


def test_a_fits_steps_are_drawn_while_it_runs_and_once_they_are_opened(page, study):
    test = pick(page(seconds=3.0), "proxy")
    test.text_input(key="plan_means").set_value("0.4").run()
    start(test)

    def is_drawn(test):
        return "Objective by step, from" in everything(test) and any(
            "Fitting: step" in e.proto.text for e in test.get("progress")
        )

    wait_for(test, is_drawn)
    assert "Fit at mean share 0.4" in everything(test)
    over(test, "finished")
    assert "Objective by step" not in everything(test)
    test.session_state[f"fits_{access.runs().all()[0].id}"] = True
    test.run()
    assert calm(test)
    said = everything(test)
    assert "from 2.0000 to 1.5000" in said and "5 steps, settled" in said
    assert "input 0.150, middle 0.400, output 0.650" in said
    assert "<th>5</th><td>1.5000</td><td>0.150</td><td>0.400</td><td>0.650</td>" in said


def test_a_search_tells_why_it_chose_its_points(app, study, tmp_path):
    test = app(store=tmp_path / "empty.sqlite", seconds=0.02).run()
    test.switch_page("pages/methods.py").run()
    pick(test, "search")
    test.number_input(key="plan_points").set_value(5).run()
    start(test)
    over(test, "finished")
    assert calm(test)
    said = everything(test)
    assert "Points chosen: 3 to begin with, 2 where the front promised to gain most." in said
    assert "an error of 0.20 (reward) and 0.12 (mean ability) of their spread" in said
    assert "No effect shows of: middle." in said


def test_a_sweep_goes_beyond_the_ends_on_request(page, study, store_path):
    test = page(seconds=0.02)
    assert test.number_input(key="plan_from").value == 0
    test.number_input(key="plan_to").set_value(0.0).run()
    assert "From is 0 and To is 0" in test.error[0].value and "Give a smaller share" in test.error[0].value
    assert button(test, "start").disabled
    test.number_input(key="plan_from").set_value(-0.2)
    test.number_input(key="plan_to").set_value(1.2)
    test.number_input(key="plan_steps").set_value(3).run()
    start(test)
    over(test, "finished")
    assert calm(test)
    found = {point.recipe.alphas for point in Store(store_path).points(study)}
    assert {(-0.2,) * 3, (1.2,) * 3} <= found


def test_a_fit_may_be_as_the_original_code_has_it(page):
    test = pick(page(seconds=0.02), "proxy")
    test.text_input(key="plan_means").set_value("0.4")
    test.toggle(key="plan_whole").set_value(True)
    test.toggle(key="plan_form").set_value(True)
    test.number_input(key="plan_l1").set_value(0.0001).run()
    start(test)
    over(test, "finished")
    (run,) = access.runs().all()
    assert (run.plan.fits[0].whole, run.plan.fits[0].form, run.plan.fits[0].l1) == (True, "paper", 0.0001)
    assert "3 blocks with prompts scored, in the paper's form, regularised by 0.0001" in everything(test)
    pick(test, "two-sided")
    test.segmented_control(key="plan_where").set_value("At balances of my own").run()
    assert test.toggle(key="plan_whole") and not [t for t in test.toggle if t.key == "plan_form"]


def test_a_search_may_be_told_by_a_survey_first(app, study, monkeypatch, tmp_path):
    test = app(store=tmp_path / "empty.sqlite", seconds=0.02).run()
    test.switch_page("pages/methods.py").run()
    pick(test, "search")
    assert test.toggle(key="plan_no_survey").disabled and not test.toggle(key="plan_no_survey").value
    monkeypatch.setattr("hma.ui.access.can_survey", lambda study: True)
    test.run()
    assert test.toggle(key="plan_survey").value
    test.number_input(key="plan_points").set_value(5).run()
    assert "34 merges read both models' own answers" in everything(test)
    assert "That uses task prompts, which the paper's HMA does not; no labels." in everything(test)
    start(test)
    over(test, "finished")
    assert calm(test)
    assert "**Search after a survey with task prompts** ·" in everything(test)


def test_test_items_are_for_reporting(page, place, store_path):
    world.fill(Store(store_path), open_study(*place, split="test"), grid=0)
    test = page()
    test.segmented_control(key="split").set_value("test").run()
    assert "These are test items, which are for reporting." in test.warning[0].value
    pick(test, "proxy")
    assert not test.warning
    assert "Fits never see test items" in everything(test)


def test_a_two_sided_path_is_fitted_and_its_points_are_spaced_by_the_gaps(page, study, store_path):
    test = pick(page(seconds=0.05), "two-sided")
    assert test.number_input(key="plan_blocks_finest").value == study.num_layers
    assert "11 points to measure" in everything(test) and "7 fits that lay the path" in everything(test)
    test.number_input(key="plan_path_points").set_value(5)
    test.toggle(key="plan_own_finest").set_value(False).run()
    start(test)
    over(test, "finished")
    said = everything(test)
    assert "**Two-sided with task prompts, spaced** · 5 points, 6 blocks along its path" in said
    assert "5 points; they stand on Explore." in said
    (run,) = access.runs().all()
    assert len(run.fits) == len(BALANCES)
    found = [point for point in Store(store_path).points(study) if point.method == "two-sided-spaced"]
    assert 3 <= len(found) <= 5  # Both ends may have been there.
    assert all(point.recipe.partition.num_blocks == 6 for point in found)
