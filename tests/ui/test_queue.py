"""The queue on the page Runs under AppTest, as every session sees it."""

from functools import partial

import pytest
import streamlit as st

from hma.runs import Plan
from hma.ui import access, progress, running, state
from tests.engines import recipe, until
from tests.ui.page import button, everything, key_of, set_sliders, texts, wait_for


@pytest.fixture
def page(on_page):
    return partial(on_page, "runs")


def on_runs(test):
    return test.switch_page("pages/runs.py").run()


def another(test):
    """A second person's session in the same process, on Explore."""
    return type(test).from_file(test._script_path, default_timeout=20).run()


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


def test_the_question_before_a_run_of_someone_elses_is_cancelled_outlives_the_point_that_it_is_at(page, study):
    test = page(seconds=1)
    plan = Plan("sweep", tuple(recipe(study, a, 0, a) for a in (0.11, 0.12, 0.13, 0.14, 0.16, 0.17)))
    run = access.runs().start(study, plan, "x")
    until(lambda: any(job.state == "running" for job in points_asked()))
    wait_for(test, lambda t: any(b.key == f"cancel_run_{run.id}" for b in t.button))
    assert button(test, f"cancel_run_{run.id}").label == "Cancel the run"
    button(test, f"cancel_run_{run.id}").click().run()
    asked = len(points_asked())
    wait_for(test, lambda t: len(points_asked()) > asked + 1)
    wait_for(test, lambda t: t.warning)
    assert "This is someone else's" in test.warning[0].value and "What the run finished is kept" in test.warning[0].value
    button(test, f"cancel_run_{run.id}_sure").click().run()
    wait_for(test, lambda t: "[cancelled]" in everything(t))
    assert access.runs().all()[0].state == "cancelled"


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
