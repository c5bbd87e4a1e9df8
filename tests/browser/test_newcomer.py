"""A newcomer's whole way through the app, in one server: from the front on the first screen to an export and a link."""

import re
from pathlib import Path
from urllib.parse import urlparse

from hma import exports
from hma.checkpoints.manifest import differences
from hma.core.recipe import Recipe
from tests.browser.conftest import PATIENCE, wait_until
from tests.browser.test_walk import LONELIEST, key_of, measure, selected, set_sliders, settle, sliders, wait_for_point


def test_a_newcomer_sees_clicks_measures_cancels_compares_exports_and_comes_back(open_page, study, store, server):
    page = open_page()
    sees_the_front_and_reads_answers(page, study, store)
    measures_one_and_cancels_another(page, study, store, server)
    compares(page)
    exports_it(page, study, server)
    comes_back_by_the_link(page, open_page, study)


def sees_the_front_and_reads_answers(page, study, store):
    page.get_by_text("validation items. Filled: on the front").wait_for()
    target = page.evaluate(LONELIEST)
    page.mouse.click(target["x"], target["y"])
    wait_for_point(page, target["key"])
    for side in ("left", "middle", "right"):
        assert page.locator(f".st-key-answer_{side}").get_by_text("reward").count()
    said = store.results(target["key"])["reward"].outputs[1].split("\n")[0]
    page.get_by_role("button", name="›", exact=True).click()
    page.locator(".st-key-answer_middle").get_by_text(said, exact=False).first.wait_for()


def measures_one_and_cancels_another(page, study, store, server):
    settle(page)
    wanted, other = key_of(study, 2, 1, 0), key_of(study, 2, 2, 0)
    with server.held():
        set_sliders(page, 2, 1, 0)
        measure(page)
        page.get_by_test_id("stProgress").get_by_text("HMA 0.1 / 0.05 / 0 (yours)").wait_for()
    wait_for_point(page, wanted)
    with server.held():
        page.get_by_role("slider").nth(1).press("ArrowRight")
        page.get_by_text("Not measured yet: HMA 0.1 / 0.1 / 0").wait_for()
        measure(page)
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("button", name="Cancel", exact=True, disabled=True).wait_for()
    page.get_by_text("was cancelled").first.wait_for()
    assert store.point(wanted).method == "slider" and store.point(other) is None and selected(page) == wanted
    page.get_by_role("button", name="Dismiss").click()


def compares(page):
    page.get_by_role("link", name="Compare fronts").click()
    page.wait_for_selector(".st-key-contest_chart .scatterlayer .point")
    assert "Hypervolume of HMA by any method less that of MA" in page.locator(".st-key-verdict").inner_text()
    with page.expect_download() as begun:
        page.get_by_role("button", name="Table (CSV)").click()
    lines = Path(begun.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 11 and {line.split(",")[0] for line in lines[1:]} == {"ma", "hma"}


def exports_it(page, study, server):
    page.get_by_role("link", name="Export", exact=True).click()
    page.get_by_role("button", name="Export 1 point").click()
    page.get_by_text("Verified: all").wait_for()
    folder = server.exports / exports.suggested(Recipe(study.partition(), (0.1, 0.05, 0.0)))
    assert (folder / "model.safetensors").exists() and differences(folder) == []


def comes_back_by_the_link(page, open_page, study):
    page.get_by_role("link", name="Explore", exact=True).click()
    page.wait_for_selector(".st-key-chart .scatterlayer .point")
    page.get_by_role("button", name=re.compile("Link to this point")).click()
    link = page.get_by_test_id("stPopoverBody").get_by_text("?point=").inner_text()
    assert urlparse(link).query == f"point={key_of(study, 2, 1, 0)}&size={study.size}"
    assert urlparse(link).netloc == urlparse(page.url).netloc
    there = open_page(point=selected(page))
    for _ in range(2):
        wait_for_point(there, key_of(study, 2, 1, 0))
        wait_until(
            lambda: there.wait_for_timeout(100) or sliders(there) == [0.1, 0.05, 0.0], PATIENCE, "the sliders to stand on it"
        )
        there.reload()
        there.wait_for_selector(".st-key-chart .scatterlayer .point")
