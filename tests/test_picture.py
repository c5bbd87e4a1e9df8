"""The picture by its data, as the app's chart: who is filled, who has bars, which steps are drawn; and that it is a PNG."""

import math
import struct
from dataclasses import replace

import pytest

from hma import look
from hma.board import Board
from hma.core import front as fronts
from hma.core.point import Score
from hma.core.study import Axis, Study
from hma.picture import CHOSEN, drawn, front_png
from hma.ui import chart
from tests.ui.test_chart import POINTS as WITHIN
from tests.ui.test_chart import point

POINTS = [*WITHIN, point((1.2, 0.5, 0), 4.1, 60.0)]

STUDY = Study("A suite", "r", "p", "1", "s.json", "2", "test", "quick", 8, 6, Axis("reward", "Taste", "points"), ())


def board(points=POINTS, study=STUDY):
    reference, policy = fronts.ends(points)
    return Board(study, 1, tuple(points), tuple(fronts.front(points)), reference, policy, None, None)


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].get_lines()}


def plane(line):
    return [tuple(map(float, place)) for place in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def values(points):
    return [(p.reward.value, p.ability.value) for p in points]


def test_it_shows_what_the_apps_chart_shows():
    shown, figure = board(), drawn(board(), POINTS[3])
    app = chart.figure(shown.points, shown.front, (shown.reference, shown.policy), reward=STUDY.reward)
    found = lines(figure)
    for name in (look.FRONT, look.MA_PATH):
        trace = next(t for t in app["data"] if t["name"] == name)
        assert plane(found[name]) == list(zip(trace["x"], trace["y"], strict=True))
        assert found[name].get_color() == trace["line"]["color"]
    assert found[look.FRONT].get_drawstyle() == "steps-pre"  # down first, then right: Plotly's "vh"
    for series in look.SERIES:
        traces = [t for t in app["data"] if t.get("legendgroup") == series.name]
        markers = [line for name, line in found.items() if name in (series.title, f"_{series.title}")]
        filled = {place for line in markers if line.get_markerfacecolor() != "none" for place in plane(line)}
        opened = {place for line in markers if line.get_markerfacecolor() == "none" for place in plane(line)}
        for places, is_open in ((filled, False), (opened, True)):
            wanted = [t for t in traces if t["marker"]["symbol"].endswith("-open") == is_open]
            assert places == {place for t in wanted for place in zip(t["x"], t["y"], strict=True)}
        assert {line.get_color() for line in markers} == {t["marker"]["color"] for t in traces}
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == tuple(app["layout"][f"{a}axis"]["title"]["text"] for a in "xy")
    assert {t.get_text() for t in axes.texts} == {a["text"] for a in app["layout"]["annotations"]}
    assert axes.get_title("left") == "A suite: 8 test items (quick)"
    assert list(axes.get_xlim()) == pytest.approx(app["layout"]["xaxis"]["range"])


def test_the_front_and_the_chosen_point_have_their_bars_and_the_chosen_one_its_ring():
    beaten = POINTS[3]
    shown = board()
    assert not shown.is_on_front(beaten)
    figure = drawn(shown, beaten)
    segments = {
        tuple(tuple(map(float, end)) for end in segment) for bars in figure.axes[0].collections for segment in bars.get_segments()
    }
    wanted = {
        ends
        for p in (*shown.front, beaten)
        for ends in (
            ((p.reward.low, p.ability.value), (p.reward.high, p.ability.value)),
            ((p.reward.value, p.ability.low), (p.reward.value, p.ability.high)),
        )
    }
    assert segments == wanted
    assert plane(lines(figure)[CHOSEN]) == values([beaten])
    titles = [t.get_text() for t in figure.legends[0].get_texts()]
    assert CHOSEN in titles
    assert len(titles) == len(set(titles))
    assert CHOSEN not in lines(drawn(shown))


def test_an_interval_that_rounding_puts_beside_its_value_is_drawn_too():
    low, high = math.nextafter(0.1, 0), math.nextafter(0.1, 1)
    beside = [Score(0.1, 0.0, 20, high, high), Score(0.1, 0.0, 20, low, low)]
    assert beside[0].low > 0.1 > beside[1].high
    point = replace(POINTS[0], scores={"reward": beside[0]}, ability=beside[1])
    assert front_png(board([point]), point).startswith(b"\x89PNG")


def test_it_is_a_png_of_a_pages_width_and_always_the_same():
    content = front_png(board(), POINTS[2])
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert 1200 <= width <= 2000
    assert 0.4 < height / width < 0.8
    assert len(content) < 300_000
    assert front_png(board(), POINTS[2]) == content


def test_a_title_with_dollar_signs_is_no_formula():
    axis = Axis("reward", "Price in $ or \\frac$", "<b>")
    figure = drawn(board(study=replace(STUDY, reward=axis)))
    figure.canvas.draw()
    assert figure.axes[0].get_xlabel() == "Price in $ or \\frac$ (<b>), better →"


@pytest.mark.parametrize("points", [POINTS[:1], POINTS[4:5], POINTS[:2]])
def test_few_points_make_a_picture_too(points):
    assert front_png(board(points), points[0]).startswith(b"\x89PNG")
