"""A pinned point on Explore under AppTest: it stays beside whichever is selected, with its scores and its answers."""

import re

from hma import text
from hma.core.difference import differences
from hma.store import Store
from hma.ui import pinned
from tests.ui.page import button, calm, choice, everything, figure, key_of, texts


def pins(test):
    return next(box for box in test.selectbox if box.key.startswith("pin_"))


def table(test):
    return next((e.proto.body for e in test.get("html") if "B, pinned" in e.proto.body), None)


def pointed(test):
    """The keys of each of the chart's traces of points."""
    return [trace["customdata"] for trace in figure(test)["data"] if "customdata" in trace]


def place_of(study, store, alpha):
    """Where a point of MA stands on the chart."""
    point = Store(store).point(key_of(study, alpha, alpha, alpha), 40)
    return [point.reward.value], [point.ability.value]


def test_a_pinned_point_stands_beside_the_selected_one_with_scores_and_answers(app, study, filled):
    test = app(link=key_of(study, 0.2, 0.2, 0.2)).run()
    assert table(test) is None and "B:" not in everything(test)
    before = pointed(test)
    button(test, "pin_selected").click().run()
    assert pins(test).value == key_of(study, 0.2, 0.2, 0.2) and button(test, "pin_selected").disabled
    assert "This is the selected point" in everything(test) and table(test) is None
    choice(test).set_value(key_of(study, 0.5, 0, 1)).run()
    assert calm(test)
    assert "**A: HMA 0.5 / 0 / 1**" in everything(test) and "**B: MA 0.2**" in everything(test)
    assert sum("Answer 0 of" in t for t in texts(test, "text")) == 4
    assert pointed(test) == before
    assert [(t["x"], t["y"]) for t in figure(test)["data"] if t["mode"] == "markers+text"] == [place_of(study, filled, 0.2)]
    results = [Store(filled).results(key_of(study, *alphas), 40) for alphas in ((0.5, 0, 1), (0.2, 0.2, 0.2))]
    less = differences(*results, study.groups)["reward"]
    assert f"{text.signed(less.value, less.half_width)} <small>{text.interval(less.low, less.high)}" in table(test)
    assert len(re.findall("<tr", table(test))) == 1 + 5  # The head, the reward, three abilities and their mean.


def test_the_pin_is_the_one_of_samples_and_is_let_go(app, study):
    test = app().run()
    pins(test).set_value(key_of(study, 0.2, 0.2, 0.2)).run()
    assert table(test)
    test.switch_page("pages/samples.py").run()
    assert "**B: MA 0.2**" in everything(test)
    test.switch_page("pages/explore.py").run()
    pins(test).set_value("").run()
    assert table(test) is None and "B:" not in everything(test) and calm(test)


def test_an_end_that_is_pinned_answers_once_and_a_pin_of_other_items_stays_away(app, study):
    test = app().run()
    pins(test).set_value(key_of(study, 1, 1, 1)).run()
    assert sum("Answer 0 of" in t for t in texts(test, "text")) == 3 and table(test)
    test.segmented_control(key="split").set_value("test").run()
    assert calm(test) and table(test) is None


def test_a_link_has_the_pinned_point_too_and_says_where_it_is_not_there(app, study):
    test = app().run()
    choice(test).set_value(key_of(study, 0.5, 0, 1)).run()
    assert "pinned" not in test.query_params
    pins(test).set_value(key_of(study, 0.2, 0.2, 0.2)).run()
    assert test.query_params["pinned"] == key_of(study, 0.2, 0.2, 0.2)
    assert any(f"&pinned={key_of(study, 0.2, 0.2, 0.2)}" in code.value for code in test.code)
    there = app(link=key_of(study, 0.5, 0, 1))
    there.query_params["pinned"] = key_of(study, 0.2, 0.2, 0.2)
    there.run()
    assert pins(there).value == key_of(study, 0.2, 0.2, 0.2) and choice(there).value == key_of(study, 0.5, 0, 1)
    assert calm(there) and not there.toast
    pins(there).set_value("").run()
    assert "pinned" not in there.query_params and "point" in there.query_params
    lost = app()
    lost.query_params["pinned"] = "<b>none</b>"
    lost.run()
    assert "is not among these points" in lost.toast[0].value and "<b>" not in lost.toast[0].value
    assert pins(lost).value == "" and not lost.run().toast


def test_a_difference_is_reckoned_once_however_often_the_page_is_drawn(app, study, monkeypatch):
    calls, real = [], pinned.differences
    monkeypatch.setattr(pinned, "differences", lambda *a: calls.append(a) or real(*a))
    test = app().run()
    pins(test).set_value(key_of(study, 0.2, 0.2, 0.2)).run()
    test.run()
    assert len(calls) == 1
    choice(test).set_value(key_of(study, 0.5, 0.5, 0.5)).run()
    assert len(calls) == 2
