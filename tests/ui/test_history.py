"""The page Runs under AppTest: the list of points, the queue as every session sees it, more items, and other studies."""

import json
import sys
from dataclasses import replace
from functools import partial

import pytest
import streamlit as st

from hma import download, look
from hma.contenders import OWN
from hma.core.recipe import Recipe
from hma.engine import Engine
from hma.runs import AGAIN, Plan
from hma.store import Store
from hma.study import open_study
from hma.ui import access, further, measured, others, plans, progress, running, state, table
from tests.engines import recipe, until
from tests.ui import world
from tests.ui.page import button, calm, everything, key_of, set_sliders, texts, wait_for


@pytest.fixture
def page(on_page):
    return partial(on_page, "runs")


def on_runs(test):
    return test.switch_page("pages/runs.py").run()


def another(test):
    """A second person's session in the same process, on Explore."""
    return type(test).from_file(test._script_path, default_timeout=20).run()


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
    assert choice(on_runs(test)).value == key
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


def points_asked():
    return [job for job in access.engine().jobs() if job.is_point]


def test_a_browser_is_known_again_by_its_cookie_whatever_its_mask():
    """The same token under two masks, as Tornado gives it out; other text names nobody."""
    token = bytes(range(16))
    masks = (b"\x01\x02\x03\x04", b"\xff\x10\x00\x7f")
    cookies = [f"2|{m.hex()}|{bytes(b ^ m[i % 4] for i, b in enumerate(token)).hex()}|1795349265" for m in masks]
    one, two = map(state._browser, cookies)
    assert one == two and len(one) == 16 and token.hex() not in one
    other = cookies[0].replace("|00", "|ff").replace("|01", "|fe")
    assert state._browser(other) not in (None, one)
    assert [state._browser(text) for text in ("", "2|zz|00|1", "1|00|00", cookies[0][:20])] == [None] * 4


def test_two_sessions_see_one_queue_and_whose_each_request_is(page):
    mine = page(seconds=60)
    yours = another(mine)
    for test, alphas in ((yours, (0.35, 0.15, 0.05)), (mine.switch_page("pages/explore.py").run(), (0.45, 0.15, 0.05))):
        set_sliders(test, *alphas)
        button(test, "measure").click().run()
    until(lambda: points_asked()[0].state == "running")
    on_runs(mine), on_runs(yours)
    running = [[e.proto.text for e in test.get("progress") if "prediction" not in e.proto.text] for test in (mine, yours)]
    assert [len(some) for some in running] == [1, 1]
    assert running[0][0].startswith("HMA 0.35 / 0.15 / 0.05 (someone else's): ")
    assert running[1][0].startswith("HMA 0.35 / 0.15 / 0.05 (yours): ")
    assert "Next: HMA 0.45 / 0.15 / 0.05 (yours)" in texts(mine, "caption")
    assert "Next: HMA 0.45 / 0.15 / 0.05 (someone else's)" in texts(yours, "caption")
    tokens = {test.session_state["asker"] for test in (mine, yours)}
    assert len(tokens) == 2
    assert not any(token in everything(test) for token in tokens for test in (mine, yours))
    waiting = points_asked()[1]
    button(mine, f"cancel_{waiting.id}").click().run()
    wait_for(mine, lambda t: t.info)
    told = mine.info[0].value.replace("\\", "")
    assert "HMA 0.45 / 0.15 / 0.05 (yours) on 40 validation items (quick): Cancelled before it began" in told
    assert "(someone else's) on 40 validation items" in yours.run().info[0].value
    yours.switch_page("pages/explore.py").run()
    assert not yours.info  # Explore tells a person of their own requests alone.
    assert mine.switch_page("pages/explore.py").run().info


def test_what_someone_else_asked_for_is_cancelled_only_after_a_question(page):
    mine = page(seconds=60)
    yours = another(mine)
    set_sliders(yours, 0.35, 0.15, 0.05)
    button(yours, "measure").click().run()
    until(lambda: points_asked()[0].state == "running")
    job = points_asked()[0].id
    on_runs(yours), on_runs(mine)
    button(mine, f"cancel_{job}").click().run()
    assert len(mine.warning) == 1 and "This is someone else's" in mine.warning[0].value
    assert not yours.run().warning and not access.engine().job(job).is_cancelling
    button(mine, f"cancel_{job}_keep").click().run()
    assert not mine.warning and not access.engine().job(job).is_cancelling
    button(mine, f"cancel_{job}").click().run()
    button(mine, f"cancel_{job}_sure").click().run()
    wait_for(mine, lambda t: access.engine().job(job).state == "cancelled")
    assert not mine.warning


def test_what_two_asked_for_is_cancelled_by_one_only_after_a_question(page):
    mine = page(seconds=60).switch_page("pages/explore.py").run()
    yours = another(mine)
    for test in (mine, yours):
        set_sliders(test, 0.35, 0.15, 0.05)
    for test in (mine, yours):  # The second page does not know yet that it was asked for.
        button(test, "measure").click().run()
    (job,) = points_asked()
    assert len(job.askers) == 2
    button(mine, f"cancel_{job.id}").click().run()
    assert "Someone else asked for this, as you did." in mine.warning[0].value
    assert not access.engine().job(job.id).is_cancelling and access.engine().job(job.id).state != "cancelled"
    button(mine, f"cancel_{job.id}_sure").click().run()
    wait_for(mine, lambda t: access.engine().job(job.id).state == "cancelled")


def test_a_failure_is_kept_with_its_whole_message_until_it_is_dismissed(page):
    test = page()
    set_sliders(test.switch_page("pages/explore.py").run(), 0.9, 0.1, 0.05)
    button(test, "measure").click().run()
    wait_for(on_runs(test), lambda t: t.error)
    assert "The judge gave nan for answer 3" in test.error[0].value
    assert r"\*judge\*" in test.error[0].value and "<b>" not in test.error[0].value
    next(b for b in test.button if b.key.startswith("dismiss_")).click().run()
    assert not test.error
    other = on_runs(another(test))
    assert "(someone else's) was not measured" in other.error[0].value


def test_a_run_is_paused_and_resumed_by_whoever_looks_on(page, study):
    test = page(seconds=2)
    run = access.runs().start(study, Plan("sweep", tuple(recipe(study, a, 0, a) for a in (0.11, 0.12))), "x")
    until(lambda: any(job.state == "running" and job.share for job in points_asked()))
    test.run()
    assert "**MA sweep** · 2 points" in everything(test) and "someone else's" in everything(test)
    button(test, f"pause_{run.id}").click().run()
    assert "It pauses as soon as it has ended what it is at." in everything(test)
    wait_for(test, lambda t: "[paused]" in everything(t))
    assert "Nothing is done until it is resumed." in everything(test)
    assert all(job.is_over for job in points_asked()) and not access.runs().is_busy
    test.switch_page("pages/methods.py").run()
    button(test, f"resume_{run.id}").click().run()
    wait_for(test, lambda t: "[finished]" in everything(t))
    assert {key_of(study, a, 0, a) for a in (0.11, 0.12)} <= {p.key for p in access.engine().store.points(study)}


def test_the_page_is_looked_at_again_only_while_there_is_work(page, study, monkeypatch):
    drawn = st.fragment
    seconds = {}

    def fragment(function, *, key, run_every=None, **rest):
        seconds[key] = run_every
        return drawn(function, key=key, run_every=run_every, **rest)

    test = page(seconds=1.5)
    until(lambda: test.run() and access.engine().worker().status == "ready")
    monkeypatch.setattr(st, "fragment", fragment)
    idle = {"jobs": None, "runs": None}
    until(lambda: test.run() and seconds == idle)  # What the points predict may have been asked for.
    run = access.runs().start(study, Plan("sweep", (recipe(study, 0.11, 0, 0), recipe(study, 0.12, 0, 0))))
    test.run()
    assert seconds == {"jobs": progress.POLL, "runs": running.POLL}
    access.runs().pause(run.id)
    until(lambda: access.runs().all()[0].state == "paused")
    until(lambda: test.run() and seconds == idle)


def test_the_front_is_measured_again_with_more_items(page, place, study, tmp_path):
    full, store = open_study(*place, size="full"), Store(tmp_path / "own.sqlite")
    world.fill(store, study, grid=3, sweep=6)
    front = store.points(study)
    test = page(store=store.path, seconds=0.05)
    board = test.session_state["board"]
    test.segmented_control(key="further_which").set_value("front").run()
    count = len(board.front)
    assert f"{count} points: 40 further items of each task and 40 further prompts each, about" in everything(test)
    button(test, "further").click().run()
    wait_for(test, lambda t: "[finished]" in everything(t))
    assert f"{count} points; they stand on Explore, at the size full." in everything(test)
    assert {p.key for p in store.points(full)} == {p.key for p in board.front}
    assert {p.key: p.method for p in front}.items() >= {p.key: p.method for p in store.points(full)}.items()
    assert "Nothing to do: measured on 80 items already." in everything(test)
    assert button(test, "further").disabled
    assert sorted(set(listed(test)["items"])) == [40, 80]
    assert calm(test)
    test.segmented_control(key="size").set_value("full").run()
    assert "is the largest size of this suite" in everything(test)
    assert f"{len(front) - count} points have fewer items than these 80" in everything(test)


def test_the_cost_counts_what_is_lacking_alone(study, tmp_path):
    store = Store(tmp_path / "p.sqlite")
    world.fill(store, study, grid=0, sweep=4)
    points = store.points(study)
    have = {p.key: 40 for p in points} | {points[0].key: 80}
    found = further.cost(points, have, 80, points)
    assert (found.points, found.num_have, found.num_items) == (tuple(points[1:]), 1, 120)
    assert found.seconds == pytest.approx(120 * 1.4 / 40)
    assert further.words(found, study).startswith(
        "3 points: 40 further items of each task and 40 further prompts each, about 4 s."
    )
    assert "1 more has as many already." in further.words(found, study)
    untimed = [replace(p, elapsed_seconds=0.0) for p in points]
    assert "nothing was timed yet" in further.words(further.cost(points[1:2], have, 80, untimed), study)
    assert further.cost([], have, 80, points).points == ()


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


def test_other_studies_are_listed_with_how_they_stand(page, place, study, store_path):
    store = Store(store_path)
    world.fill(store, open_study(*place, split="test"), grid=0, sweep=3)
    changed = replace(study, suite="other", title="<b>Old</b>")
    world.fill(store, changed, grid=0, sweep=4)
    test = page()
    said = everything(test)
    assert calm(test)
    assert "test items · 3 points" in said and "choose “Test items” above" in said
    assert r"**\<b\>Old\<\/b\>**" in said and "4 points" in said and "Stale" in said
    assert "<b>" not in said
    assert len(listed(test)) == len(store.points(study))


def test_how_another_study_stands_is_told_by_what_it_is(study, tmp_path):
    def said(**changes):
        return others.standing(replace(study, **changes), study, {study.key: "Validation items: for choosing"})

    assert said() == "The same pair and suite: choose “Validation items” above."
    assert "its suite has changed since" in said(suite="x")
    assert "its pair has changed since" in said(pair="x")
    assert "its pair and its suite have changed since" in said(pair="x", suite="x")
    assert said(suite="x", suite_path=str(tmp_path / "gone.json")) == f"Stale: {tmp_path / 'gone.json'} is not there any more."
    (tmp_path / "there.json").write_text("{}")
    assert said(suite="x", suite_path=str(tmp_path / "there.json")).startswith("Another pair or suite")
    assert said(pair="x", reference="org/model", policy="org/other").startswith("Another pair or suite")


def test_a_run_of_more_items_says_what_it_is(study, tmp_path):
    plan = Plan(AGAIN, (recipe(study, 0.5, 0.5, 0.5),))
    assert (plans.title(plan), plans.details(plan)) == ("Measure again with more items", "1 point")
    command = (sys.executable, "-m", "tests.ui.worker", "0.02")
    with Engine(Store(tmp_path / "p.sqlite"), command, command) as engine:
        engine.wait(engine.submit(study, plan.recipes[0], "slider").id, 20)
        engine.wait(engine.submit(replace(study, size="full", num_items=80), plan.recipes[0], AGAIN).id, 20)
        (point,) = engine.store.points(study)
        assert point.method == "slider" and engine.store.num_items(study) == {point.key: 80}
