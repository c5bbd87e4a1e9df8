"""What stands for the chart until Plotly is there, beside what Plotly then draws of the same figure."""

import json
from itertools import chain
from types import SimpleNamespace

import pytest

from hma import look
from hma.core.front import ends, front
from hma.core.study import Axis
from hma.ui import chart, diagram, fronts
from tests.browser.conftest import wait_until
from tests.browser.test_diagram import PLOTLY
from tests.ui.test_chart import POINTS, drawn, point
from tests.ui.test_fronts import TITLES, contest_of

CLOSE = 2
"""Pixels that a thing may stand from where Plotly has it."""

PAGE = """<style>body { margin: 0 } .box { position: relative; height: 399px }</style>
<div class="box" id="ours"></div><div class="box" id="theirs"></div>"""

BOTH = """([ours, figure]) => {
  Plotly.newPlot('theirs', figure.data, {...figure.layout, autosize: true}, {displayModeBar: false});
  window.picked = [];
  return import(URL.createObjectURL(new Blob([ours + 'window.glimpse = glimpse;'], {type: 'text/javascript'})))
    .then(() => { window.glimpse(document.getElementById('ours'), figure, key => window.picked.push(key)); });
}"""

STAND = """place => {
  const box = document.getElementById(place).getBoundingClientRect();
  const at = element => {
    const {left, top, width, height} = element.getBoundingClientRect();
    return [left - box.left, top - box.top, left - box.left + width, top - box.top + height];
  };
  const all = selector => [...document.querySelectorAll(`#${place} ${selector}`)];
  const words = all('text').filter(text => text.textContent).map(text => [text.textContent, ...at(text)]);
  return {words, at: Object.fromEntries(%s.map(selector => [selector, all(selector).map(at)]))};
}"""


def stand(page, place, *selectors):
    """The words on a chart with their boxes, and the boxes of what the selectors name, in pixels from its corner."""
    return page.evaluate(STAND % json.dumps(selectors), place)


def markers(page):
    """Where both have their markers, in pixels from their corners, each place once."""
    ours = """() => [...document.querySelectorAll('#ours path')]
      .flatMap(path => [...path.getAttribute('d').matchAll(/M(-?[\\d.]+) (-?[\\d.]+)m/g)]).map(([, x, y]) => [+x, +y])"""
    theirs = """() => {
      const {xaxis, yaxis} = document.getElementById('theirs')._fullLayout;
      const around = [...document.querySelectorAll('#theirs .scatterlayer .point, #theirs .legendpoints path.scatterpts')];
      return around.map(point => {
        const matrix = point.getScreenCTM(), box = document.getElementById('theirs').getBoundingClientRect();
        return [matrix.e - box.left, matrix.f - box.top];
      });
    }"""
    return [sorted({(round(x), round(y)) for x, y in page.evaluate(code)}) for code in (ours, theirs)]


@pytest.fixture
def beside(chromium):
    """Draws a figure both ways, one above the other."""
    contexts = []

    def opened(figure, width=784, theme="light"):
        context = chromium.new_context(viewport={"width": width, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.set_content(PAGE)
        page.add_script_tag(path=PLOTLY)
        page.evaluate(BOTH, [diagram.GLIMPSE, diagram.dressed(figure, theme)])
        page.wait_for_selector("#ours svg path", state="attached")
        page.wait_for_selector("#theirs .legendtext", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()


SMALL = [point((1, 1, 1), 0.1271, 0.83), point((0, 0, 0), 0.1342, 0.79), point((0.2, 0.1, 0), 0.1313, 0.822)]
CONTEST = contest_of(SimpleNamespace(reward=None), [(0, 8), (1, 2)], [(1, 9), (2, 5), (1, 1)])
FIGURES = {
    "explore": drawn(selected=POINTS[4].key),
    "pinned": drawn(selected=POINTS[4].key, pinned=POINTS[2]),
    "all bars": drawn(bars="all", theme="dark"),
    "unit": drawn(reward=Axis("reward", "Preference <i>& care</i>", "share won, %")),
    "no ends": chart.figure(POINTS[3:5], front(POINTS[3:5]), ends(POINTS[3:5])),
    "one": chart.figure(POINTS[3:4], front(POINTS[3:4]), ends(POINTS[3:4])),
    "small numbers": chart.figure(SMALL, front(SMALL), ends(SMALL)),
    "fronts": fronts.figure(CONTEST, TITLES, {name: look.front_style(name, list(TITLES)) for name in TITLES}),
}


@pytest.mark.parametrize("width", [784, 358])
@pytest.mark.parametrize("name", FIGURES)
def test_everything_stands_where_plotly_has_it(beside, name, width):
    page = beside(FIGURES[name], width)
    ours, theirs = stand(page, "ours"), stand(page, "theirs")
    by_words = [sorted(found["words"]) for found in (ours, theirs)]
    assert [word for word, *_ in by_words[0]] == [word for word, *_ in by_words[1]]
    for (word, *box), (_, *wanted) in zip(*by_words, strict=True):
        middles = [[(one[0] + one[2]) / 2, (one[1] + one[3]) / 2] for one in (box, wanted)]
        assert middles[0] == pytest.approx(middles[1], abs=CLOSE), word
    here, there = markers(page)
    assert len(here) == len(there)
    for place, wanted in zip(here, there, strict=True):
        assert place == pytest.approx(wanted, abs=CLOSE)


def test_lines_and_bars_reach_as_far(beside):
    page = beside(FIGURES["explore"])
    theirs = stand(page, "theirs", ".scatterlayer .js-line", ".scatterlayer .errorbars", ".shapelayer path")["at"]
    ours = stand(page, "ours", "path")["at"]["path"]
    assert all(theirs.values())
    for box in chain(*theirs.values()):
        if box[2] > box[0]:
            assert any(box == pytest.approx(own, abs=CLOSE) for own in ours), box


def place_of(page, at, width=784):
    """Where the point at this place of the list stands, by its marker of the figure."""
    layout, chosen = FIGURES["explore"]["layout"], POINTS[at]
    (left, right), (low, high) = layout["xaxis"]["range"], layout["yaxis"]["range"]
    top = 50
    return (
        63 + (width - 77) * (chosen.reward.value - left) / (right - left),
        top + (399 - top - 61) * (high - chosen.ability.value) / (high - low),
    )


def test_a_point_says_what_plotly_would_have_it_say_and_a_click_gives_it_the_ring_and_tells_its_key(beside):
    page = beside(FIGURES["explore"])
    x, y = place_of(page, 3)
    page.mouse.move(x + 4, y - 3)
    said = page.locator("#ours .hma-hover")
    assert said.inner_text().splitlines() == ["MA 0.5", "reward 2.6 (95 %: 2.1 to 3.1)", *said.inner_text().splitlines()[2:]]
    page.mouse.move(x + 4, y + 399 - 3)
    page.wait_for_selector("#theirs .hovertext")
    theirs = page.evaluate("() => [...document.querySelectorAll('#theirs .hovertext tspan.line')].map(l => l.textContent)")
    page.mouse.move(x + 4, y - 3)
    assert said.inner_text().splitlines() == theirs
    page.mouse.click(x + 4, y - 3)
    assert page.evaluate("() => window.picked") == [POINTS[3].key]
    ring = page.locator('#ours path[stroke-width="2.5"]').bounding_box()
    assert (ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2) == pytest.approx((x, y), abs=CLOSE)
    page.mouse.click(x + 60, y + 60)
    assert page.evaluate("() => window.picked") == [POINTS[3].key] and said.is_hidden()


@pytest.mark.parametrize("away", [18, 22, 27])
def test_it_reaches_as_far_as_plotly(beside, away):
    page = beside(FIGURES["explore"])
    x, y = place_of(page, 7)
    page.evaluate("() => document.getElementById('theirs').on('plotly_click', () => { window.taken = true; })")
    page.mouse.click(x - away, y)
    page.mouse.move(x - away, y + 399)
    page.wait_for_timeout(300)  # Plotly looks for points now and then.
    page.mouse.click(x - away, y + 399)
    page.wait_for_timeout(300)
    assert len(page.evaluate("() => window.picked")) == bool(page.evaluate("() => window.taken")) == (away < 24)


def test_a_drag_is_no_click(beside):
    page = beside(FIGURES["explore"])
    x, y = place_of(page, 3)
    page.mouse.move(x - 80, y)
    page.mouse.down()
    page.mouse.move(x, y, steps=5)
    page.mouse.up()
    assert page.evaluate("() => window.picked") == []
    page.mouse.click(x, y)
    assert page.evaluate("() => window.picked") == [POINTS[3].key]


def test_it_is_drawn_again_in_another_width_and_the_ring_stays(beside):
    page = beside(FIGURES["explore"])
    page.mouse.click(*place_of(page, 3))
    page.set_viewport_size({"width": 700, "height": 800})
    wait_until(lambda: page.locator("#ours .hma-glimpse > svg").get_attribute("width") == "700", 20, "the new width")
    ring = page.locator('#ours path[stroke-width="2.5"]').bounding_box()
    assert ring["x"] + ring["width"] / 2 == pytest.approx(place_of(page, 3, 700)[0], abs=CLOSE)


def test_words_of_a_point_are_never_html(beside):
    figure = drawn()
    trap = "<b>&lt;img src=x onerror=alert(1)&gt;</b><br><img src=x onerror='window.hurt=1'>reward"
    picker = figure["data"][-1] | {"text": [trap] * len(POINTS)}
    figure = {"data": [*figure["data"][:-1], picker], "layout": figure["layout"]}
    page = beside(figure)
    page.mouse.move(*place_of(page, 3))
    assert page.locator("#ours .hma-hover").inner_text().splitlines() == ["<img src=x onerror=alert(1)>", "reward"]
    page.wait_for_timeout(200)
    assert page.evaluate("() => [document.querySelectorAll('#ours img').length, window.hurt]") == [0, None]
