"""Measuring on Explore under AppTest: one point, the queue, both ends, what fails and what is cancelled."""

from hma.store import Store
from hma.ui import access
from tests.ui.page import button, calm, choice, everything, figure, key_of, set_sliders, texts, wait_for


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


def test_a_cancelled_measurement_says_so_and_stores_nothing(app, study):
    test = app(seconds=8).run()
    set_sliders(test, 0.35, 0.15, 0.05)
    button(test, "measure").click().run()
    wait_for(
        test, lambda t: any((b.key or "").startswith("cancel_") for b in t.button) and access.engine().worker().status == "busy"
    )
    next(b for b in test.button if b.key.startswith("cancel_")).click().run()
    wait_for(test, lambda t: t.info)
    assert "(yours) on 40 validation items (quick): It was cancelled" in test.info[0].value.replace("\\", "")
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
