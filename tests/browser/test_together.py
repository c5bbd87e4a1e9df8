"""Two people at once, and one without a mouse."""

import re

from tests.browser.conftest import PATIENCE, wait_until
from tests.browser.test_walk import drag, key_of, measure, ranges, selected, set_sliders, settle, wait_for_point

FOCUS = """() => {
  const it = document.activeElement;
  return it ? (it.getAttribute('aria-label') || it.innerText || it.getAttribute('role') || '').trim() : '';
}"""


def tab_to(page, wanted, most=120):
    """Press Tab until what has the focus is called so."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if re.search(wanted, page.evaluate(FOCUS)):
            return
    raise AssertionError(f"no {wanted!r} within {most} steps of Tab")


def test_two_people_see_one_queue_and_each_keeps_what_they_look_at(open_page, study, store, server):
    mine, theirs = open_page(), open_page()
    settle(mine)
    before = selected(theirs)
    with server.held():  # So that both can see it at work.
        set_sliders(mine, 3, 11, 2)
        measure(mine)
        for page, whose in ((mine, "yours"), (theirs, "someone else's")):
            page.get_by_role("link", name="Runs", exact=True).click()
            page.get_by_text(re.compile(rf"\({whose}\)")).first.wait_for()
        theirs.get_by_role("button", name="Cancel", exact=True).click()
        theirs.get_by_text("This is someone else's").wait_for()
        theirs.get_by_role("button", name="Let it go on").click()
        theirs.get_by_text("This is someone else's").wait_for(state="detached")
    for page in (mine, theirs):
        page.get_by_text("Nothing is being measured").wait_for()
    assert store.point(key_of(study, 3, 11, 2)).method == "slider"
    theirs.get_by_role("link", name="Explore", exact=True).click()
    theirs.wait_for_selector(".st-key-chart .scatterlayer .point")
    wait_until(lambda: theirs.wait_for_timeout(100) or selected(theirs) == before, PATIENCE, "their selection to stay theirs")


def test_sliders_stay_where_they_are_put_while_a_run_brings_points(open_page):
    page = open_page()
    settle(page)
    page.get_by_role("link", name="Find alphas").click()
    steps = page.locator('input[aria-label="Steps"]')
    steps.fill("60")
    steps.press("Enter")
    page.get_by_text(re.compile("points to measure")).wait_for()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("link", name="Explore", exact=True).click()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    counted_points = "() => document.querySelector('.js-plotly-plot').data.at(-1).x.length"
    before = page.evaluate(counted_points)
    set_sliders(page, 3, 13, 1)
    wait_until(lambda: page.wait_for_timeout(200) or page.evaluate(counted_points) >= before + 3, PATIENCE, "points of the run")
    page.wait_for_timeout(1500)
    assert page.get_by_text("Not measured yet: HMA 0.15 / 0.65 / 0.05").is_visible()
    assert page.get_by_role("button", name="Measure this merge").is_enabled()
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_role("button", name="Cancel the run").wait_for(state="detached")


def test_a_comparison_shows_the_point_that_somebody_else_measures(open_page, server):
    mine, theirs = open_page(), open_page()
    settle(theirs)
    with server.held():
        set_sliders(theirs, 2, 3, 0)
        measure(theirs)
        theirs.get_by_role("button", name="Cancel", exact=True).wait_for()
        mine.get_by_role("link", name="Compare fronts").click()
        mine.get_by_text("appear here as they come").wait_for()
        mine.wait_for_selector(".st-key-contest_chart .scatterlayer .point")
        before, moved = counted(mine), drag(mine, "contest_chart", 60, 20)
    wait_until(lambda: mine.wait_for_timeout(200) or counted(mine) == before + 1, PATIENCE, "the point to be counted")
    mine.get_by_text("appear here as they come").wait_for(state="detached")
    assert ranges(mine, "contest_chart") == moved


def counted(page):
    """How many points of HMA the comparison says there are to choose from."""
    return int(re.search(r"(\d+) for HMA by any method", page.locator(".st-key-verdict").inner_text())[1])


def test_a_merge_is_measured_by_keyboard_alone(open_page, study, store):
    page = open_page()
    settle(page)
    tab_to(page, r"^policy$")
    page.keyboard.press("Enter")
    page.get_by_text("Measured: policy (after RLHF)").first.wait_for()
    tab_to(page, r"^Input")
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    page.get_by_text("Not measured yet: HMA 0.35 / 0 / 0").wait_for()
    tab_to(page, r"^Measure this merge$")
    page.keyboard.press("Enter")
    wait_for_point(page, key_of(study, 7, 0, 0))
