"""The picture that stands in for the chart: every visible marker and line of it, where the chart has them."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree

from hma.core.front import ends, front
from hma.ui import chart, glimpse
from tests.ui.test_chart import POINTS, drawn


def picture(figure):
    """The paths of the SVG in the sheet, as (what is drawn, attributes)."""
    found = re.search(r'url\("data:image/svg\+xml,([^"]*)"\)', glimpse.sheet(figure, "place"))
    root = ElementTree.fromstring(unquote(found[1]))
    return [element.attrib for element in root.iter("{http://www.w3.org/2000/svg}path")]


def dots(figure):
    """Where a dot stands, in units of the picture."""
    return [
        (int(x), int(y)) for path in picture(figure) if "h0" in path["d"] for x, y in re.findall(r"M(-?\d+) (-?\d+)h0", path["d"])
    ]


def test_every_point_is_one_dot_in_its_place_and_the_invisible_picker_none():
    figure = drawn()
    (left, right), (low, high) = figure["layout"]["xaxis"]["range"], figure["layout"]["yaxis"]["range"]
    wanted = [(1000 * (p.reward.value - left) / (right - left), 1000 * (high - p.ability.value) / (high - low)) for p in POINTS]
    assert sorted(dots(figure)) == sorted((round(x), round(y)) for x, y in wanted)


def test_the_front_is_drawn_in_steps_down_first():
    figure = drawn()
    line = next(path for path in picture(figure) if path["stroke"] == chart.NEUTRAL["light"] and "L" in path["d"])
    corners = [tuple(map(int, corner.split())) for corner in line["d"][1:].split("L")]
    assert len(corners) == 2 * len(front(POINTS)) - 1
    for (x0, y0), (x1, y1) in zip(corners[::2], corners[1::2], strict=False):
        assert x0 == x1 and y1 >= y0  # Down, which in a picture is a larger number.


def test_lines_are_dashed_as_the_chart_has_them():
    dashes = [path.get("stroke-dasharray") for path in picture(drawn()) if "h0" not in path["d"]]
    assert dashes == ["6 5", None, "7 5"]  # The reference's level, the front, MA.


def test_a_board_without_ends_or_with_one_point_has_a_picture_too():
    for points in (POINTS[3:5], POINTS[3:4]):
        assert len(dots(chart.figure(points, front(points), ends(points)))) == len(points)


def test_no_style_of_anything_but_the_waiting_chart():
    rules = re.sub(r'url\("[^"]*"\)', "url()", glimpse.sheet(drawn(theme="dark"), "place"))
    selectors = re.findall(r"([^{}>]*(?:> \*)?)\s*\{", rules.replace("<style>", "").replace("@media (max-width: 640px) {", ""))
    assert selectors and all(s.strip().startswith(".st-key-place:not(:has(.main-svg))") for s in selectors)
    assert "</" not in rules.removesuffix("</style>")
