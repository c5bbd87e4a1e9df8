"""The chart is there, and takes clicks, before the browser has run Streamlit's code or read Plotly's; and nothing jumps."""

import io
import json

import pytest
from PIL import Image

from tests.browser.conftest import PATIENCE, SCREENSHOTS, Server, wait_until

BOX = "() => document.querySelector('.st-key-chart_place').getBoundingClientRect().toJSON()"
FIRST_OPEN_CIRCLE = """place => {
  const layer = document.querySelector(`${place} .hma-glimpse`).getBoundingClientRect();
  const drawn = [...document.querySelectorAll(`${place} path[fill=none]`)].map(path => path.getAttribute('d'));
  const [, x, y] = drawn.find(d => /^M[-\\d. ]+m-[\\d.]+ 0a/.test(d)).match(/^M([-\\d.]+) ([-\\d.]+)m/);
  return [layer.left + Number(x), layer.top + Number(y)];
}"""

RINGED = """() => {
  const ring = document.querySelector('#early path[stroke-width="2.5"]').getBoundingClientRect();
  return [ring.left + ring.width / 2, ring.top + ring.height / 2];
}"""
STANDS = """([figure, key]) => {
  const {x, y, customdata} = figure.data.at(-1), at = customdata.indexOf(key), {xaxis, yaxis} = figure.layout;
  const inner = document.querySelector('#early > .hma-glimpse > svg > svg');
  const whole = document.querySelector('#early').getBoundingClientRect();
  const [left, top, width, height] = ['x', 'y', 'width', 'height'].map(name => Number(inner.getAttribute(name)));
  const share = ({range: [low, high]}, value) => (value - low) / (high - low);
  return [whole.left + left + width * share(xaxis, x[at]), whole.top + top + height * (1 - share(yaxis, y[at]))];
}"""


@pytest.fixture
def open_held(chromium, server, open_page):
    """Opens the page with what this pattern names held back, and gives it with what lets go of it."""
    open_page()  # The app has read its points.
    contexts = []

    def opened(pattern, query="", size=(1280, 800), scheme="light"):
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        page, held, released = context.new_page(), [], []
        page.route(pattern, lambda route: route.continue_() if released else held.append(route))
        wait_until(lambda: has_early(page, f"{server.url}/{query}"), PATIENCE, "the chart to come with the page")

        def release():
            released.append(True)
            for route in held:
                route.continue_()

        return page, release

    yield opened
    for context in contexts:
        context.close()


def has_early(page, address):
    """Whether the page comes with its chart: it does not wait for it where the machine is busy."""
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#root", state="attached")
    return page.query_selector("#early") is not None


def coloured(page, place=".st-key-chart_place"):
    """How many pixels of the chart's place have a colour that is no grey."""
    shot = Image.open(io.BytesIO(page.locator(place).screenshot())).convert("RGB")
    return sum(max(pixel) - min(pixel) > 60 for pixel in shot.getdata())


def test_a_page_that_is_asked_for_while_the_app_starts_has_it_as_soon_as_its_points_are_read(chromium, study, store):
    starting = Server(study, store)
    page = chromium.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.route("**/static/js/index.*.js", lambda route: None)
    asked = page.goto(starting.url, wait_until="commit").text()
    page.wait_for_selector("#early path", state="attached")
    page.unroute_all()
    page.close()
    starting.process.terminate()
    starting.process.wait(timeout=20)
    assert 'id="early"' not in asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_points_are_on_screen_before_any_script_and_where_they_stay(open_held, store, study, scheme):
    point = store.points(study)[7].key
    page, release = open_held("**/static/js/index.*.js", f"?point={point}", scheme=scheme)
    assert not page.query_selector("[data-testid=stApp]")
    assert coloured(page, "#early") > 500
    figure = json.loads(page.locator("#early-figure").text_content())
    assert page.evaluate(RINGED) == pytest.approx(page.evaluate(STANDS, [figure, point]), abs=2)
    before = page.evaluate(BOX.replace(".st-key-chart_place", "#early"))
    page.screenshot(path=SCREENSHOTS / f"early-{scheme}.png")

    release()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    page.wait_for_selector("#early", state="detached")
    after = page.evaluate(BOX)
    assert [before[name] for name in ("x", "y", "width", "height")] == pytest.approx(
        [after[name] for name in ("x", "y", "width", "height")], abs=1
    )


@pytest.mark.parametrize(("chosen", "paper"), [("System", 255), ("Light", 255), ("Dark", 18)])
def test_who_was_here_before_has_the_chart_as_soon_and_in_the_theme_they_chose(open_held, chosen, paper):
    page, _ = open_held("**/static/js/index.*.js")
    page.evaluate("chosen => localStorage.setItem('stActiveTheme-/-v2', JSON.stringify(chosen))", chosen)
    page.reload(wait_until="commit")
    page.wait_for_selector("#early path", state="attached")
    shot = Image.open(io.BytesIO(page.locator("#early").screenshot())).convert("RGB")
    assert shot.getpixel((30, 20))[0] == paper
    assert coloured(page, "#early") > 500


def test_a_click_before_the_page_is_there_is_taken(open_held, store, study):
    page, release = open_held("**/static/js/index.*.js")
    page.mouse.click(*page.evaluate(FIRST_OPEN_CIRCLE, "#early"))
    key = page.evaluate("() => window.hmaPicked")
    assert key in {point.key for point in store.points(study)}
    said = page.locator("#early .hma-hover").inner_text().splitlines()[0]

    release()
    page.get_by_text(f"Measured: {said}").first.wait_for()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    ring = page.evaluate("() => document.querySelector('.js-plotly-plot').data.at(-1)")
    assert [ring["customdata"][at] for at in ring["selectedpoints"]] == [key]
    assert f"point={key}" in page.url


PATH = """() => {
  window.stood = [];
  const look = () => {
    for (const name of ['#early', '.st-key-chart_place .hma-glimpse, .st-key-chart_place .main-svg']) {
      const box = document.querySelector(name)?.getBoundingClientRect();
      if (box?.width) window.stood.push([box.left, box.top, box.width].map(Math.round).join());
    }
    requestAnimationFrame(look);
  };
  look();
}"""


def test_from_the_first_moment_to_plotlys_the_chart_never_moves(chromium, server, open_page):
    open_page()
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(1000 * PATIENCE)
    page.add_init_script(f"({PATH})()")
    wait_until(lambda: has_early(page, server.url), PATIENCE, "the chart to come with the page")
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    page.wait_for_timeout(500)
    stood = page.evaluate("() => window.stood")
    page.close()
    assert len(stood) > 10 and len(set(stood)) == 1


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["wide", "narrow"])
def test_while_plotly_is_read_the_chart_takes_clicks_in_its_place_and_nothing_jumps(open_held, size):
    page, release = open_held("**/plotly.min.js*", size=size)
    page.wait_for_selector(".st-key-chart_place .hma-glimpse")
    page.wait_for_selector("#early", state="detached")
    page.wait_for_selector(".st-key-facts")
    assert not page.query_selector(".main-svg")
    assert coloured(page) > 500
    before = page.evaluate(BOX)
    page.locator(".st-key-chart_place").scroll_into_view_if_needed()
    place = page.evaluate(FIRST_OPEN_CIRCLE, ".st-key-chart_place")
    page.mouse.move(*place)
    said = page.locator(".st-key-chart_place .hma-hover").inner_text().splitlines()[0]
    page.mouse.click(*place)
    page.get_by_text(f"Measured: {said}").first.wait_for()
    assert not page.query_selector(".main-svg")

    release()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    page.wait_for_selector(".hma-glimpse", state="detached")
    after = page.evaluate(BOX)
    assert (before["x"], before["width"], before["height"]) == (after["x"], after["width"], after["height"])


def test_who_goes_to_another_page_before_the_chart_is_there_takes_nothing_along(open_held):
    page, _ = open_held("**/plotly.min.js*", size=(1280, 800))
    page.evaluate("() => { window.hmaPicked = undefined; }")
    page.mouse.click(*page.evaluate(FIRST_OPEN_CIRCLE, "#early"))
    page.evaluate("() => history.pushState({}, '', '/export')")
    page.wait_for_selector("#early", state="detached")
    assert page.evaluate("() => [window.hmaPicked, document.getElementById('early-figure')]") == [None, None]


def test_compared_fronts_are_there_before_plotly_too(chromium, server):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(1000 * PATIENCE)
    page = context.new_page()
    page.route("**/plotly.min.js*", lambda route: None)
    page.goto(f"{server.url}/compare", wait_until="commit")
    page.wait_for_selector(".st-key-contest_chart .hma-glimpse path", state="attached")
    assert coloured(page, ".st-key-contest_chart") > 500
    page.unroute_all()
    context.close()
