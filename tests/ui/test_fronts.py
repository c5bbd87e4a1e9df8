"""Compared fronts: what is said of them, how each method is drawn, and the chart by its data."""

import itertools

from hypothesis import given
from hypothesis import strategies as some

from hma import look
from hma.contest import Contest
from hma.core.compare import Against, Comparison, Estimate
from hma.core.front import ends
from hma.ui import fronts, plans, verdict
from tests.ui.test_chart import point, vertices

SHARES = (0.98, 0.95, 0.9, 0.8)
TITLES = {"ma": "MA", "hma": "HMA", "grid": "Grid"}


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
