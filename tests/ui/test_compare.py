"""Compare fronts under AppTest: what it says before and after test items are measured, and each of its states."""

import itertools
import json

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as some

from hma import contest, look
from hma.board import Board
from hma.contenders import contenders
from hma.contest import Contest
from hma.core.compare import Against, Comparison, Estimate
from hma.core.front import ends
from hma.core.recipe import Recipe
from hma.runs import Plan
from hma.store import Store
from hma.study import open_study
from hma.ui import access, fronts, growing, plans, verdict
from tests.ui import world
from tests.ui.page import button, calm, everything, texts, wait_for
from tests.ui.test_chart import point, vertices

SHARES = (0.98, 0.95, 0.9, 0.8)
TITLES = {"ma": "MA", "hma": "HMA", "grid": "Grid"}


@pytest.fixture
def page(app):
    """Make an AppTest that stands on the page."""

    def make(**settings):
        return app(**settings).run().switch_page("pages/compare.py").run()

    return make


@pytest.fixture
def reporting(place):
    return open_study(*place, split="test")


def held(store_path, study, reporting):
    choosing, other = (Board.read(Store(store_path), one) for one in (study, reporting))
    return contest.held(choosing, other, contenders(choosing.points))


def report(store_path, study, reporting, but=()):
    """Measure all that was chosen on test items, but for merges with these alphas."""
    store = Store(store_path)
    for recipe in held(store_path, study, reporting).missing:
        if recipe.alphas not in but:
            store.add(reporting, world.measurement(reporting, recipe, "compare"))


def add(store_path, study, method, *alphas):
    store = Store(store_path)
    for one in alphas:
        store.add(study, world.measurement(study, Recipe(study.partition(), one), method))


def pick(test, *names):
    pills = next(p for p in test.get("button_group") if p.key and p.key.startswith("compared_"))
    return pills.set_value(list(names)).run()


def drawn(test):
    charts = [json.loads(element.proto.spec) for element in test.get("plotly_chart")]
    return next(c for c in charts if any(t.get("name") == "ends" for t in c["data"]))


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
    assert "MA 11 and HMA by any method 26 points were measured" in said and "this favours HMA by any method" in said
    assert f"reward {found.ends[0].reward.value:.2f}".replace("-", "−") in said  # The corner, printed.
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
    assert "MA 11, Grid 26 and Own points 3 points were measured" in said and "this favours Grid" in said
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


def test_points_that_are_being_measured_are_said_to_be_and_counted_as_they_come(page, study):
    test = page(seconds=1.0)
    assert "being measured" not in everything(test)
    recipes = tuple(Recipe(study.partition(), (0.3, 0.2, alpha)) for alpha in (0.1, 0.15))
    access.runs().start(study, Plan("partwise", recipes))
    assert "being measured on the validation items, and appear here as they come: 35 points so far" in everything(test.run())
    wait_for(test, lambda t: "36 points so far" in everything(t) or "HMA 27 points" in everything(t))
    pick(wait_for(test, lambda t: "being measured" not in everything(t)), "ma")
    assert calm(test) and "Pick one more method to compare it with." in test.info[0].value


def looked(monkeypatch, choosing, reporting, was_growing):
    """Whether a look at two boards, between two drawings of the page, has it drawn again."""
    drawn = []
    monkeypatch.setattr(growing.st, "rerun", lambda scope: drawn.append(scope))
    growing._look((choosing, reporting), was_growing)
    return drawn == ["app"]


def test_the_page_is_drawn_again_when_a_point_has_come_and_not_before(page, monkeypatch, store_path, study, reporting):
    test = page(seconds=60)
    engine = access.engine()
    choosing, other = (Board.read(engine.store, one) for one in (study, reporting))
    assert not looked(monkeypatch, choosing, other, False)
    assert looked(monkeypatch, choosing, other, True)  # What was going on is over.
    job = engine.submit(study, Recipe(study.partition(), (0.3, 0.2, 0.1)))
    assert not looked(monkeypatch, choosing, other, True)
    add(store_path, study, "search", (0.3, 0.9, 0.1))
    assert looked(monkeypatch, choosing, other, True)
    choosing = Board.read(engine.store, study)
    assert not looked(monkeypatch, choosing, other, True)
    add(store_path, reporting, "compare", (0.3, 0.9, 0.1))
    assert looked(monkeypatch, choosing, other, True)
    engine.cancel(job.id)
    assert not test.exception


def test_it_is_looked_at_again_only_while_points_are_measured(page, study, monkeypatch):
    drawn, seconds = st.fragment, {}

    def fragment(function, *, key, run_every=None, **rest):
        seconds[key] = run_every
        return drawn(function, key=key, run_every=run_every, **rest)

    test = page(seconds=60)
    monkeypatch.setattr(st, "fragment", fragment)
    test.run()
    assert seconds["growing"] is None
    run = access.runs().start(study, Plan("partwise", (Recipe(study.partition(), (0.3, 0.2, 0.1)),)))
    test.run()
    assert seconds["growing"] == growing.POLL
    access.runs().cancel(run.id)
    wait_for(test, lambda t: seconds["growing"] is None)


def test_it_is_reckoned_once(page, monkeypatch, store_path, study):
    calls = []
    real = contest.held
    monkeypatch.setattr(contest, "held", lambda *a: calls.append(a) or real(*a))
    test = page()
    for _ in range(3):
        test.run()
    assert len(calls) == 1
    test.switch_page("pages/explore.py").run()
    add(store_path, study, "grid", (0.3, 0.2, 0.1))
    test.run()
    assert len(calls) == 1  # Only where the page is open.
    test.switch_page("pages/compare.py").run()
    assert len(calls) == 2 and "HMA by any method 27 points" in everything(test)


def test_every_chosen_point_is_listed_with_both_scores(page, store_path, study, reporting):
    report(store_path, study, reporting, but={(0.1,) * 3})
    test = page()
    test.session_state["chosen_points"] = True
    test.run()
    rows = test.dataframe[0].value
    assert list(rows[rows["point"] == "MA 0.1"]["on test items"]) == ["not measured yet"]
    assert (rows[rows["point"] != "MA 0.1"]["on test items"] == "measured").all()
    assert set(rows["method"]) == {"MA", "HMA by any method"}


# What is said, and the chart by its data.


def estimate(value, half=1.0):
    return Estimate(value, value - half, value + half)


def said_of(area, *abilities, is_reported=True):
    """The words on HMA less MA with these differences in hypervolume and abilities."""
    ability = dict(zip(SHARES, abilities, strict=True))
    against = {"hma": Against(area, ability)}
    comparison = Comparison({"ma": area, "hma": area}, {"ma": ability, "hma": ability}, against)
    points = [point((1, 1, 1), 0, 80), point((0, 0, 0), 4, 40), point((0.2, 0.1, 0), 3, 70)]
    missing = () if is_reported else (points[0].recipe,)
    sides = {"ma": tuple(points[:2]), "hma": tuple(points)}
    study = type("Study", (), {"num_items": 40, "split": "test"})()
    found = Contest(study, study, False, sides, sides, sides, ends(points), missing, comparison)
    return verdict.words(found, TITLES)


def test_words_say_better_worse_mixed_and_not_shown():
    up, down, none = estimate(5), estimate(-5), estimate(0.4)
    better = said_of(up, up, up, none, none)
    assert better[0] == (
        "HMA offers better trade-offs than MA. Hypervolume of HMA less that of MA: +5.0 % of the box between the two ends "
        "(95 %: 4.0 to 6.0)."
    )
    assert better[1] == (
        "At 98 and 95 % of the policy's gain in reward, HMA keeps more mean ability than MA: +5.0 (4.0 to 6.0) and +5.0 (4.0 to "
        "6.0) points."
    )
    assert (
        better[2] == "At 90 and 80 % of the policy's gain in reward, no difference in mean ability between HMA and MA is shown."
    )
    assert said_of(down, *[none] * 4)[0].startswith("HMA offers worse trade-offs than MA. ")
    mixed = said_of(up, up, down, none, none)
    assert mixed[0].startswith("HMA offers better trade-offs than MA overall, but not at every reward.")
    assert "At 95 % of the policy's gain in reward, HMA keeps less mean ability than MA: −5.0 (−6.0 to −4.0) points." in mixed
    nothing = said_of(none, *[none] * 4)
    assert nothing[0].startswith("No difference between HMA and MA is shown. ")
    assert "better" not in " ".join(nothing)
    assert said_of(none, up, none, none, none)[0].startswith("No difference between HMA and MA is shown overall. ")
    assert said_of(up, *[up] * 4, is_reported=False)[0].startswith(
        "On the items that chose its points, HMA looks better than MA. "
    )


def test_an_interval_shows_on_which_side_of_zero_it_ends():
    words = said_of(estimate(5), Estimate(-3, -8, -0.2), estimate(5), estimate(5), estimate(5))
    assert any("−3 (−8.0 to −0.2) points" in said for said in words)


def test_every_method_has_a_title_and_a_style_of_its_own():
    assert {plans.method_title(name) for name in ("ma", "hma", "own", "grid", "two-sided-spaced")} == {
        "MA", "HMA by any method", "Own points", "Grid", "Two-sided with task prompts, spaced",
    }  # fmt: skip
    assert plans.method_title("adamerging:reading") == "AdaMerging, reading"
    names = ["ma", "hma", "grid", "search", "proxy", "two-sided", "own", "beyond"]
    styles = [look.front_style(name, names) for name in names]
    assert look.front_style("ma", ["ma", "x"]) == styles[0]
    assert (styles[0].symbol, styles[0].colour, styles[0].dash) == ("diamond", "#D55E00", "dash")
    assert (styles[1].symbol, styles[1].colour, styles[1].dash) == ("circle", "#0072B2", "solid")
    assert len({s.symbol for s in styles}) == len({(s.colour, s.dash) for s in styles}) == len(names)
    for style in styles:
        assert contrast(style.colour, "#ffffff") >= 3 and contrast(style.colour, "#12161d") >= 3, style


def contrast(one, other):
    """The contrast ratio of two colours, as WCAG reckons it."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


planes = some.lists(some.tuples(some.integers(-5, 5), some.integers(0, 9)), min_size=1, max_size=10)


def contest_of(study, mine, others, missing=()):
    both = [point((1, 1, 1), -6, 10), point((0, 0, 0), 6, -1)]
    sides = {
        "ma": tuple(both + [point(((i + 1) / 100,) * 3, x, y) for i, (x, y) in enumerate(mine)]),
        "hma": tuple(both + [point(((i + 1) / 100, 0, 0.5), x, y) for i, (x, y) in enumerate(others)]),
    }
    return Contest(study, study, False, sides, sides, sides, ends(both), tuple(missing), None)


@given(planes, planes)
def test_no_step_of_either_front_promises_what_its_own_points_do_not_hold(study, mine, others):
    found = contest_of(study, mine, others)
    styles = {name: look.front_style(name, ["ma", "hma"]) for name in ("ma", "hma")}
    figure = fronts.figure(found, TITLES, styles)
    for name, points in found.drawn.items():
        line = next(t for t in figure["data"] if t.get("legendgroup") == name and t["mode"] == "lines+markers")
        assert line["line"]["shape"] == "vh" and line["line"]["dash"] == styles[name].dash
        assert line["x"] == sorted(line["x"])
        for x, y in vertices(line["x"], line["y"]):
            assert any(p.reward.value >= x and p.ability.value >= y for p in points)
        keys = list(itertools.chain(*(t["customdata"] for t in figure["data"] if t.get("legendgroup") == name)))
        assert sorted(keys) == sorted(p.key for p in points)
        hollow = [t for t in figure["data"] if t.get("legendgroup") == name and t["mode"] == "markers"]
        assert all(t["marker"]["symbol"].endswith("-open") for t in hollow)


def test_the_chart_labels_both_ends_and_one_corner(study):
    found = contest_of(study, [(0, 8)], [(1, 9)])
    styles = {name: look.front_style(name, ["ma", "hma"]) for name in ("ma", "hma")}
    for theme in ("light", "dark"):
        figure = fronts.figure(found, TITLES, styles, theme)
        labels = {a["text"] for a in figure["layout"]["annotations"]}
        assert {"policy (after RLHF)", "reference (before RLHF)", "corner"} <= labels
        corner = next(t for t in figure["data"] if t["name"] == "corner")
        assert (corner["x"], corner["y"]) == ([-6], [-1])
    assert fronts.alt(found, TITLES) == (
        "Chart of alignment reward against mean ability, 40 validation items (quick): the front of MA with 3 points, HMA with 3 "
        "points; both ends."
    )
