"""While the browser has not read the chart's code: the picture of the points stands where the chart is going to draw them."""

import io

import pytest
from PIL import Image

from hma.ui import glimpse
from tests.browser.conftest import PATIENCE, SCREENSHOTS, wait_until

BOX = "() => document.querySelector('.st-key-chart_place').getBoundingClientRect().toJSON()"
DRAWN_IN = """() => {
  const layout = document.querySelector('.st-key-chart .js-plotly-plot')._fullLayout;
  return [layout.xaxis._offset, layout.yaxis._offset, layout.xaxis._length, layout.yaxis._length];
}"""


def coloured(page, place=".st-key-chart_place"):
    """How many pixels of the chart's place have a colour that is no grey."""
    shot = Image.open(io.BytesIO(page.locator(place).screenshot())).convert("RGB")
    return sum(max(pixel) - min(pixel) > 60 for pixel in shot.getdata())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_points_are_on_screen_before_any_script_and_where_they_stay(chromium, server, open_page, store, study, scheme):
    open_page()  # The app has read its points.
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(1000 * PATIENCE)
    page, held, released = context.new_page(), [], []
    page.route("**/static/js/index.*.js", lambda route: route.continue_() if released else held.append(route))
    point = store.points(study)[7].key
    wait_until(lambda: has_early(page, f"{server.url}/?point={point}"), PATIENCE, "the picture to come with the page")
    assert held and not page.query_selector("[data-testid=stApp]")
    assert coloured(page, "#early") > 500
    before = page.evaluate(BOX.replace(".st-key-chart_place", "#early"))
    page.screenshot(path=SCREENSHOTS / f"early-{scheme}.png")

    released.append(True)
    for route in held:
        route.continue_()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    page.wait_for_selector("#early", state="detached")
    after = page.evaluate(BOX)
    context.close()
    assert [before[name] for name in ("x", "y", "width", "height")] == pytest.approx(
        [after[name] for name in ("x", "y", "width", "height")], abs=1
    )


def has_early(page, address):
    """Whether the page comes with its picture: it does not wait for it where the machine is busy."""
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#root", state="attached")
    return page.query_selector("#early") is not None


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["wide", "narrow"])
def test_the_picture_stands_where_the_chart_draws_and_nothing_jumps(chromium, server, size):
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(1000 * PATIENCE)
    page, held, released = context.new_page(), [], []
    page.route("**/plotly.min.js*", lambda route: route.continue_() if released else held.append(route))
    page.goto(server.url, wait_until="commit")
    page.wait_for_function(
        "() => { const chart = document.querySelector('.st-key-chart_place');"
        " return chart && getComputedStyle(chart).backgroundImage.includes('svg'); }"
    )
    page.wait_for_selector(".st-key-facts")
    assert held and not page.query_selector(".main-svg")
    assert coloured(page) > 500
    before = page.evaluate(BOX)

    released.append(True)
    for route in held:
        route.continue_()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    page.wait_for_timeout(500)
    after, (left, top, wide, tall) = page.evaluate(BOX), page.evaluate(DRAWN_IN)
    assert "svg" not in page.evaluate("() => getComputedStyle(document.querySelector('.st-key-chart_place')).backgroundImage")
    context.close()
    assert (before["x"], before["width"], before["height"]) == (after["x"], after["width"], after["height"])
    at = glimpse.TOP_NARROW if size[0] <= glimpse.NARROW else glimpse.TOP
    assert (left, top) == pytest.approx((glimpse.LEFT, at), abs=2)
    assert wide == pytest.approx(before["width"] - glimpse.LEFT - glimpse.RIGHT, abs=2)
    assert tall == pytest.approx(before["height"] - at - glimpse.BOTTOM, abs=2)
