"""One walk through the real page, with the shipped pair, a real worker and a real browser."""

import os
import re
import signal
from urllib.parse import parse_qs, urlparse

from hma.board import Board
from hma.core.question import PREDICTOR, predicting
from hma.core.recipe import Recipe
from hma.look import INK
from hma.ui import sketch
from tests.browser.conftest import PATIENCE, SCREENSHOTS, trap_recipe, trap_study, wait_until
from tests.ui.worker import replied
from tests.ui.world import TRAP

LONELIEST = """() => {
  const chart = document.querySelector('.st-key-chart .js-plotly-plot');
  const trace = chart._fullData[chart._fullData.length - 1], layout = chart._fullLayout;
  const at = trace.x.map((x, i) => [layout.xaxis.d2p(x), layout.yaxis.d2p(trace.y[i])]);
  const apart = at.map((a, i) => trace.selectedpoints.includes(i) ? -1 : Math.min(
    ...at.map((b, j) => i === j ? 1e9 : Math.hypot(a[0] - b[0], a[1] - b[1]))));
  const best = apart.indexOf(Math.max(...apart)), box = chart.getBoundingClientRect();
  return {x: box.x + layout._size.l + at[best][0], y: box.y + layout._size.t + at[best][1],
    key: trace.customdata[best], count: at.length};
}"""
"""Where the point that is farthest from its neighbours stands on the screen, and its key."""

BUTTONS = "() => [...document.querySelectorAll('.st-key-chart .modebar-btn')].map(button => button.dataset.title)"
"""What the chart offers: nothing that would send it anywhere."""

RING = """() => {
  const chart = document.querySelector('.st-key-chart .js-plotly-plot');
  const trace = chart._fullData[chart._fullData.length - 1];
  return (trace.selectedpoints || []).map(i => trace.customdata[i]);
}"""

BLANK = """() => {
  const points = document.querySelector('.st-key-chart .js-plotly-plot');
  window.blank = 0;
  const look = () => {
    window.blank += document.querySelector('.st-key-chart .js-plotly-plot') !== points || !points.querySelector('.point');
    requestAnimationFrame(look);
  };
  look();
}"""
"""Counts the frames in which the chart is another than it was, or shows no points."""

TWICE = """() => {
  window.twice = 0;
  new MutationObserver(() => { window.twice += document.querySelectorAll('.st-key-controls').length > 1; })
    .observe(document.body, {childList: true, subtree: true});
}"""
"""Counts in how many states of the page the controls stood in two places: what came or went above them moved them."""


def selected(page):
    """The key in the page's address."""
    return parse_qs(urlparse(page.url).query).get("point", [""])[0]


def wait_for_point(page, key, seconds=PATIENCE):
    def there():
        page.wait_for_timeout(100)
        return selected(page) == key and page.evaluate(RING) == [key]

    wait_until(there, seconds, f"point {key} to be selected; selected is {selected(page)}")


def set_sliders(page, *steps):
    """Press the arrow key on each slider, from the policy's end: one step is 0.05."""
    page.get_by_role("button", name="policy", exact=True).click()
    page.get_by_text("Measured: policy (after RLHF)").first.wait_for()
    wait_until(
        lambda: page.wait_for_timeout(100) or page.evaluate(RING) == [selected(page)], PATIENCE, "the policy to be selected"
    )
    for place, count in enumerate(steps):
        slider = page.get_by_role("slider").nth(place)
        slider.focus()
        for _ in range(count):
            page.keyboard.press("ArrowRight")
    page.get_by_text(f"Not measured yet: HMA {' / '.join(f'{s * 0.05:g}' for s in steps)}").wait_for()


def sliders(page):
    return [float(page.get_by_role("slider").nth(k).input_value()) for k in range(3)]


def measure(page):
    page.get_by_role("button", name="Measure this merge").click()


def key_of(study, *steps):
    return study.point_key(Recipe(study.partition(), tuple(round(s * 0.05, 2) for s in steps)))


def settle(page):
    """Wait until the worker is ready: one that is held while it loads shows nothing of a measurement."""
    page.get_by_text(re.compile(": ready")).first.wait_for()


def test_the_shipped_points_are_drawn_and_a_click_shows_a_point(open_page, study, store):
    page = open_page()
    assert page.evaluate(LONELIEST)["count"] == len(store.points(study))
    assert page.evaluate(BUTTONS) == ["Zoom", "Pan", "Zoom in", "Zoom out", "Autoscale", "Reset axes", "Fullscreen"]
    wait_until(lambda: selected(page), 10, "a point in the address")
    table = page.locator(".hma-scores").inner_text()
    target = page.evaluate(LONELIEST)
    page.mouse.click(target["x"], target["y"])
    wait_for_point(page, target["key"])
    alphas = store.point(target["key"]).recipe.alphas
    wait_until(lambda: page.wait_for_timeout(100) or sliders(page) == list(alphas), 10, f"sliders at {alphas}")
    page.wait_for_function("before => document.querySelector('.hma-scores').innerText != before", arg=table)
    answers = store.results(target["key"])["reward"].outputs
    page.locator(".st-key-answer_middle").get_by_text(answers[0].split("\n")[0], exact=False).first.wait_for()


def drag(page, chart, across, down):
    """Drag a chart by so many pixels; its axes' ranges after it."""
    box, before = page.locator(f".st-key-{chart} .nsewdrag").first.bounding_box(), ranges(page, chart)
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 200 + across, box["y"] + 100 + down, steps=4)
    page.mouse.up()
    wait_until(lambda: ranges(page, chart) != before, PATIENCE, "the chart to be moved")
    return ranges(page, chart)


def ranges(page, chart):
    return page.evaluate(
        "chart => { const { xaxis, yaxis } = document.querySelector(`.st-key-${chart} .js-plotly-plot`)._fullLayout;"
        " return [...xaxis.range, ...yaxis.range]; }",
        chart,
    )


def test_three_sliders_and_a_button_make_a_new_point_on_the_same_chart_where_it_was_dragged_to(open_page, study, store, server):
    page = open_page()
    settle(page)
    dragged = drag(page, "chart", 40, 30)
    page.evaluate(BLANK)
    with server.held():  # So that it can be seen working.
        set_sliders(page, 7, 3, 1)
        measure(page)
        page.get_by_test_id("stProgress").wait_for()
        page.get_by_text(": measuring").first.wait_for()
    key = key_of(study, 7, 3, 1)
    wait_for_point(page, key)
    assert store.point(key).method == "slider"
    assert key in page.evaluate("() => document.querySelector('.st-key-chart .js-plotly-plot')._fullData.at(-1).customdata")
    assert ranges(page, "chart") == dragged
    assert page.evaluate("() => window.blank") == 0
    page.reload()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    wait_for_point(page, key)


def test_another_study_has_its_own_points_prompts_and_no_fault(open_page, study):
    """The browser names what is chosen in a list by its words, and in another study those words mean nothing."""
    page = open_page()
    page.evaluate(TWICE)
    page.get_by_text("Test items: for reporting").first.click()
    page.get_by_text("100 test items. Filled").wait_for()
    for name, said in (("MA 0.5", "Measured: MA 0.5"), ("policy", "Measured: policy")):
        page.get_by_role("button", name=name, exact=True).click()
        page.get_by_text(said).first.wait_for()
    assert page.evaluate("() => window.twice") == 0
    assert not page.get_by_text("Something unexpected").count()
    page.get_by_role("button", name="‹").click()
    page.locator("input[value^='100. '], [data-testid=stSelectbox]:has-text('100. ')").first.wait_for()
    assert not page.get_by_text("Something unexpected").count()
    assert page.get_by_role("combobox").count() == 3


def test_a_cancelled_measurement_leaves_no_point_and_a_killed_worker_is_replaced(open_page, study, store, server):
    page = open_page()
    settle(page)
    with server.held():
        set_sliders(page, 3, 7, 1)
        measure(page)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("button", name="Cancel", disabled=True).wait_for()
    page.get_by_text("was cancelled").first.wait_for()
    assert store.point(key_of(study, 3, 7, 1)) is None
    page.get_by_role("button", name="Dismiss").click()

    with server.held() as worker:
        set_sliders(page, 1, 3, 3)
        measure(page)
        page.get_by_role("button", name="Cancel").wait_for()
        os.kill(worker, signal.SIGKILL)
    page.get_by_text("next request starts a fresh worker").first.wait_for()
    page.get_by_role("button", name="Dismiss").click()
    measure(page)
    wait_for_point(page, key_of(study, 1, 3, 3))


def test_an_answer_is_shown_as_it_stands_and_does_not_run(open_page):
    study = trap_study()
    page = open_page(point=study.point_key(trap_recipe(study)))
    page.locator(".st-key-answer_middle").get_by_text(TRAP).wait_for()
    assert page.title() == "Alignment-tax explorer"
    assert not page.locator(".st-key-answer_middle [data-testid=stText]").locator("script, img, a, strong").count()


def test_the_ghost_is_a_picture_that_the_browser_draws(open_page, study, store):
    board = Board.read(store, study)
    question = predicting(board.points, study.partition())
    store.keep(PREDICTOR, question.key, replied(question).predictor)
    page = open_page()
    set_sliders(page, 5, 7, 9)
    picture = page.locator(".hma-ghost img")
    picture.wait_for()
    assert picture.get_attribute("alt").startswith("Small chart of the front. Predicted, not measured: reward ")
    assert picture.evaluate("image => image.naturalWidth") == sketch.WIDTH
    before = page.locator(".st-key-selected_point").bounding_box()
    page.get_by_role("button", name="policy", exact=True).click()
    picture.wait_for(state="detached")
    assert page.locator(".st-key-selected_point").bounding_box() == before


def test_find_alphas_starts_a_sweep_whose_points_arrive_and_fits_the_screen(open_page, study, store):
    SCREENSHOTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page = open_page(scheme=scheme)
        page.get_by_role("link", name="Find alphas").click()
        page.get_by_role("button", name="Start", exact=True).wait_for()
        page.get_by_role("spinbutton", name="Steps").fill("2" if scheme == "dark" else "12")
        page.get_by_role("spinbutton", name="Steps").press("Enter")
        if scheme == "light":
            page.get_by_text("10 points to measure (2 of 12 are measured already)").wait_for()
            page.get_by_role("button", name="Start", exact=True).click()
            page.get_by_text("12 points; they stand on Explore.").wait_for()
        page.get_by_text("points are measured already").wait_for()
        page.screenshot(path=SCREENSHOTS / f"methods-{scheme}-1280.png")
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(1000)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        page.screenshot(path=SCREENSHOTS / f"methods-{scheme}-390.png")
    assert store.point(study.point_key(Recipe(study.partition(), (1 / 11,)))).method == "sweep"


def test_it_looks_right_in_light_and_dark_wide_and_narrow(open_page):
    SCREENSHOTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page = open_page(scheme=scheme)
        page.wait_for_timeout(500)
        button = page.get_by_role("button", name="Measure this merge").bounding_box()
        assert button["y"] + button["height"] <= 800
        chart = page.locator(".st-key-chart").bounding_box()
        assert chart["y"] + chart["height"] <= 800
        page.screenshot(path=SCREENSHOTS / f"explore-{scheme}-1280.png")
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(1000)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        page.screenshot(path=SCREENSHOTS / f"explore-{scheme}-390.png")


def test_a_zoom_outlives_a_page_turn_and_a_selected_point_that_it_hides_is_said(open_page):
    page = open_page()
    hidden = drag(page, "chart", 600, 0)
    page.get_by_role("link", name="Samples").click()
    page.locator(".st-key-chart").wait_for(state="detached")
    page.get_by_role("link", name="Explore", exact=True).click()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    wait_until(lambda: page.wait_for_timeout(100) or ranges(page, "chart") == hidden, PATIENCE, "the zoom to come back")
    said = page.get_by_role("button", name="The selected point lies outside this view")
    box, chart = said.bounding_box(), page.locator(".st-key-chart").bounding_box()
    assert chart["x"] <= box["x"] and box["x"] + box["width"] <= chart["x"] + chart["width"]
    assert chart["y"] <= box["y"] and box["y"] + box["height"] <= chart["y"] + chart["height"]
    said.click()
    wait_until(lambda: page.wait_for_timeout(100) or ranges(page, "chart") != hidden, PATIENCE, "the point to be shown")
    assert not said.count()


def test_a_chart_that_is_open_follows_the_systems_turn_to_dark_and_back(open_page):
    page = open_page()
    drawn = "() => document.querySelector('.st-key-chart .js-plotly-plot').data.at(-1).marker.color"
    dragged = drag(page, "chart", 40, 30)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        wait_until(lambda scheme=scheme: page.evaluate(drawn) == INK[scheme], PATIENCE, f"a chart in {scheme}")
        assert ranges(page, "chart") == dragged


def test_a_narrow_screens_menu_is_closed_at_first_and_when_a_page_was_chosen(open_page, server):
    page = open_page(size=(390, 844))
    for start in ("/", "/runs"):
        page.goto(server.url + start)
        for name in ("Samples", "Export"):
            page.get_by_test_id("stExpandSidebarButton").click()  # There only while the menu is closed.
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_url(f"**/{name.lower()}**")
        page.get_by_test_id("stExpandSidebarButton").wait_for()
