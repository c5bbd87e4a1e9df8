"""The chart by its data: who is filled, who is coloured, and that no step promises a point that nobody measured."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma import look, ranges
from hma.core.front import ends, front, knee
from hma.core.partition import Partition
from hma.core.point import Point, Score
from hma.core.recipe import Recipe
from hma.core.study import Axis
from hma.ui import chart

PARTITION = Partition.equal(6)


def score(value, half=0.5):
    return Score(value, half / 2, 10, value - half, value + half)


def point(alphas, reward, ability, method="grid"):
    recipe = Recipe(PARTITION, alphas)
    return Point(f"key {recipe.alphas}", recipe, {"reward": score(reward)}, score(ability), method)


POINTS = [
    point((1, 1, 1), -0.8, 92.8, "sweep"),
    point((0, 0, 0), 4.3, 68.0, "sweep"),
    point((0.2, 0.2, 0.2), 4.2, 82.9, "sweep"),
    point((0.5, 0.5, 0.5), 2.6, 80.0, "sweep"),
    point((1, 0.5, 0), 4.0, 90.0),
    point((0, 1, 0), 4.0, 50.0),
    point((0.3, 0.1, 0), 3.9, 91.0, "slider"),
    point((0.7, 0.1, 0), 1.0, 60.0, "slider"),
]


def drawn(points=POINTS, **settings):
    return chart.figure(points, front(points), ends(points), **settings)


def trace_of(figure, alphas):
    key = f"key {Recipe(PARTITION, alphas).alphas}"
    return next(t for t in figure["data"][:-1] if key in t.get("customdata", []))


def vertices(xs, ys):
    """The corners that Plotly draws for the shape "vh": first down to the next height, then across."""
    corners = list(zip(xs, ys, strict=True))
    return corners + [(x0, y1) for (x0, _), (_, y1) in itertools.pairwise(corners)]


planes = st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 9)), min_size=1, max_size=12)


@given(planes)
def test_no_vertex_of_the_steps_beats_a_measured_point(plane):
    points = [point((i / 100, 0, 0.5), x, y) for i, (x, y) in enumerate(plane)]
    line = next(t for t in drawn(points)["data"] if t.get("name") == "front")
    assert line["line"]["shape"] == "vh"
    assert line["x"] == sorted(line["x"])
    for x, y in vertices(line["x"], line["y"]):
        # Some measured point is at least as good on both axes: the step lies on or below what exists.
        assert any(px >= x and py >= y for px, py in plane)


def test_filled_is_the_front_and_open_is_dominated():
    figure = drawn()
    assert trace_of(figure, (0.2, 0.2, 0.2))["marker"]["symbol"] == "diamond"
    assert trace_of(figure, (0.5, 0.5, 0.5))["marker"]["symbol"] == "diamond-open"
    assert trace_of(figure, (1, 0.5, 0))["marker"]["symbol"] == "circle"
    assert trace_of(figure, (0, 1, 0))["marker"]["symbol"] == "circle-open"
    assert trace_of(figure, (0.3, 0.1, 0))["marker"]["symbol"] == "star"
    assert trace_of(figure, (0.7, 0.1, 0))["marker"]["symbol"] == "star-open"


@pytest.mark.parametrize("alphas", [(1.2, 1.2, 1.2), (0.5, 0, -0.1)])
@pytest.mark.parametrize("method", ["sweep", "single"])
def test_extrapolation_has_a_symbol_of_its_own_and_says_so_when_hovered(alphas, method):
    beyond = point(alphas, 9.0, 20.0, method)
    figure = drawn([*POINTS, beyond])
    assert trace_of(figure, alphas)["marker"]["symbol"] == "triangle-up"
    said = dict(zip(figure["data"][-1]["customdata"], figure["data"][-1]["text"], strict=True))
    assert "extrapolation" in said.pop(beyond.key)
    assert not any("extrapolation" in text for text in said.values())


def test_colours_tell_the_methods_apart():
    figure = drawn()
    assert trace_of(figure, (1, 0.5, 0))["marker"]["color"] == "#0072B2"
    assert trace_of(figure, (0.2, 0.2, 0.2))["marker"]["color"] == "#D55E00"
    path = next(t for t in figure["data"] if t.get("name") == "MA path")
    assert path["line"]["dash"] == "dash"
    assert path["x"] == [4.3, 4.2, 2.6, -0.8]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("theme", "background"), [("light", "#ffffff"), ("dark", "#12161d")])
def test_every_colour_has_contrast_in_light_and_dark(theme, background):
    for colour in (look.HMA_COLOUR, look.MA_COLOUR, look.OWN_COLOUR, look.BEYOND_COLOUR, look.NEUTRAL[theme], look.INK[theme]):
        lighter, darker = sorted((luminance(colour), luminance(background)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3


def test_points_are_known_by_their_keys_alone():
    figure = drawn(selected="key (1.0, 0.5, 0.0)")
    picker = figure["data"][-1]
    assert picker["customdata"] == [p.key for p in POINTS]
    assert picker["selectedpoints"] == [4]
    assert all(isinstance(key, str) for trace in figure["data"] for key in trace.get("customdata", []))
    visible = sorted(key for trace in figure["data"][:-1] for key in trace.get("customdata", []))
    assert visible == sorted(p.key for p in POINTS)


def test_a_pinned_point_has_a_letter_and_a_square():
    (pin,) = [trace for trace in drawn(pinned=POINTS[4])["data"] if trace["mode"] == "markers+text"]
    assert (pin["x"], pin["y"], pin["text"]) == ([4.0], [90.0], ["<b>B</b>"])
    assert pin["marker"]["symbol"] == "square-open" and pin["hoverinfo"] == "skip" and "customdata" not in pin
    assert not [trace for trace in drawn()["data"] if trace["mode"] == "markers+text"]


def test_both_ends_are_labelled_and_the_reference_has_its_line():
    layout = drawn()["layout"]
    assert {a["text"] for a in layout["annotations"]} >= {"reference (before RLHF)", "policy (after RLHF)"}
    assert [s["y0"] for s in layout["shapes"]] == [92.8]
    assert drawn(POINTS[4:])["layout"]["shapes"] == []


def test_an_ends_name_stands_below_it_and_beside_it_where_the_axis_is_too_near():
    points = [point((1, 1, 1), 0, 90), point((0, 0, 0), 4, 70), point((0.1, 0.1, 0.1), 3.9, 74)]

    def anchor(**settings):
        annotations = drawn(points, **settings)["layout"]["annotations"]
        return next(a["yanchor"] for a in annotations if a["text"] == "policy (after RLHF)")

    assert (anchor(), anchor(range_mode="near", near=points[2].key)) == ("top", "middle")


def test_a_selection_adds_to_a_chart_that_is_not_drawn_again():
    plane = chart.plane(POINTS, front(POINTS), ends(POINTS))
    before = json.dumps(plane)
    chosen = chart.selecting(plane, POINTS[5], POINTS[4])
    assert json.dumps(plane) == before and chosen == drawn(selected=POINTS[5].key, pinned=POINTS[4])
    assert all(any(trace is kept for kept in chosen["data"]) for trace in plane["data"][:-1])


def bars(figure, alphas):
    """How far a point's bars reach up and to the left; None for a point that has none."""
    own = trace_of(figure, alphas)
    place = own["customdata"].index(f"key {Recipe(PARTITION, alphas).alphas}")
    found = [
        (trace["error_y"]["array"][i], trace["error_x"]["arrayminus"][i])
        for trace in figure["data"]
        for i, at in enumerate(zip(trace["x"], trace["y"], strict=True))
        if "error_x" in trace and at == (own["x"][place], own["y"][place])
    ]
    assert len(found) <= 1
    return found[0] if found else (None, None)


def test_bars_are_for_none_the_front_or_all():
    assert bars(drawn(bars="none"), (0.2, 0.2, 0.2)) == (None, None)
    assert bars(drawn(bars="front"), (0.2, 0.2, 0.2)) == (pytest.approx(0.5), pytest.approx(0.5))
    assert bars(drawn(bars="front"), (0, 1, 0)) == (None, None)
    assert bars(drawn(bars="front", selected="key (0.0, 1.0, 0.0)"), (0, 1, 0))[0] == pytest.approx(0.5)
    assert bars(drawn(bars="all"), (0, 1, 0))[0] == pytest.approx(0.5)


def test_bars_have_the_colour_of_their_points_and_are_not_pointed_at():
    figure = drawn(bars="all")
    barred = [trace for trace in figure["data"] if "error_x" in trace]
    assert sum(len(trace["x"]) for trace in barred) == len(POINTS)
    colours = {(x, y): t["error_x"]["color"] for t in barred for x, y in zip(t["x"], t["y"], strict=True)}
    assert colours[4.2, 82.9] == colours[2.6, 80.0] == look.MA_COLOUR
    assert colours[4.0, 90.0] == look.HMA_COLOUR
    assert all(trace["mode"] == "none" and trace["hoverinfo"] == "skip" for trace in barred)


def test_with_many_points_bars_are_kept_to_the_front():
    many = [*POINTS, *(point((0.5, i / 1000, 0), 1 + i / 1000, 40.0) for i in range(300))]
    assert bars(drawn(many, bars="all"), (0.5, 0.001, 0)) == (None, None)
    assert bars(drawn(many, bars="all"), (0.2, 0.2, 0.2))[0] == pytest.approx(0.5)


def test_beyond_a_thousand_points_are_drawn_by_the_graphics_card():
    many = [point((0.5, i / 2000, 0), i / 1000, 40.0) for i in range(1100)]
    assert drawn(many)["data"][-1]["type"] == "scattergl"
    assert drawn()["data"][-1]["type"] == "scatter"


@pytest.mark.parametrize("mode", ranges.MODES)
def test_ranges_are_ours_and_hold_what_they_are_for(mode):
    members = front(POINTS)
    across, up = ranges.of(POINTS, members, POINTS[2].key, mode)
    inside = {"all": POINTS, "front": members, "near": POINTS[2:3]}[mode]
    for p in inside:
        assert across[0] < p.reward.value < across[1]
        assert up[0] < p.ability.value < up[1]
    assert drawn(range_mode=mode, near=POINTS[2].key)["layout"]["xaxis"]["range"] == across


def test_the_same_board_makes_the_same_figure_and_the_ring_is_all_that_a_selection_adds_where_there_are_no_bars():
    assert json.dumps(drawn()) == json.dumps(drawn())
    one, other = (drawn(selected=POINTS[place].key, bars="none") for place in (2, 3))
    assert one["data"][-1].pop("selectedpoints") == [2]
    assert other["data"][-1].pop("selectedpoints") == [3]
    assert one == other


def test_every_trace_is_cut_off_at_the_axes():
    """One that is not has Plotly hide each point outside them by itself, and some stayed hidden after a zoom was taken back."""
    assert not [trace for trace in drawn(pinned=POINTS[3])["data"] if trace.get("cliponaxis") is False]


def test_a_suites_texts_cannot_become_markup():
    title = drawn(reward=Axis("reward", "<b>x</b>", "<i>"))["layout"]["xaxis"]["title"]["text"]
    assert "<b>" not in title
    assert "<i>" not in title


def test_the_knee_is_farthest_above_the_line_and_needs_four():
    members = tuple(front(POINTS))
    assert knee(members).recipe.alphas == (0.3, 0.1, 0)
    assert knee(members[:3]) is None


def test_nothing_measured_is_drawn_as_nothing():
    assert drawn([])["data"][-1]["x"] == []
