"""The file that is handed on, in a browser that has nothing else: its lever, its drawing wide and narrow, its answers."""

from itertools import combinations

import pytest
from axe_playwright_python.sync_playwright import Axe

from hma import handout, samples, text
from hma.board import Board
from hma.evaluate.suite import load_suite
from tests.browser.conftest import SCREENSHOTS
from tests.browser.test_pages import SIZES

WORDS = "texts => texts.map(text => [text.getBoundingClientRect(), text.textContent]).map(([b, said]) => "
WORDS += "({ left: b.left, right: b.right, top: b.top, bottom: b.bottom, said }))"


@pytest.fixture(scope="module")
def board(study, store):
    return Board.read(store, study)


@pytest.fixture(scope="module")
def file(tmp_path_factory, study, store, board):
    chat = load_suite(study.suite_path).chat
    prompts = {prompt.id: prompt.text for prompt in chat.prompts}
    read = samples.read(store, study, prompts, [board.reference, board.policy, *board.front])
    place = tmp_path_factory.mktemp("handout") / "alignment-tax.html"
    place.write_text(handout.page(board, chat, read[:5]), encoding="utf-8")
    return place


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in ("light", "dark")], ids="-".join)
def page(request, chromium, file):
    """The file as it is opened from a folder, without any network; it asks for nothing and raises nothing."""
    size, scheme = request.param
    width, height = SIZES[size]
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": height}, offline=True)
    page, errors, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"handout-{size}-{scheme}.png", full_page=True)
    context.close()
    assert not errors
    assert asked == [file.as_uri()]


def test_it_fits_the_screen_and_has_no_fault(page):
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} px stick out"
    faults = Axe().run(page).response["violations"]
    assert not faults, [(fault["id"], [node["html"][:120] for node in fault["nodes"]]) for fault in faults]


def test_its_one_drawing_can_be_read(page):
    drawing = page.locator(".hma-front:visible")
    assert drawing.count() == 1
    assert "hma-narrow" in drawing.get_attribute("class") or page.viewport_size["width"] > 640
    words, edge = drawing.locator("text").evaluate_all(WORDS), drawing.bounding_box()
    for one in words:
        assert one["left"] >= edge["x"] - 1 and one["right"] <= edge["x"] + edge["width"] + 1, one["said"]
    assert min(one["bottom"] - one["top"] for one in words if not one["said"].endswith("→")) >= 12
    for one, other in combinations(words, 2):
        apart = one["right"] <= other["left"] or other["right"] <= one["left"]
        assert apart or one["bottom"] <= other["top"] or other["bottom"] <= one["top"], (one["said"], other["said"])


def test_the_keys_move_the_lever_the_ring_the_words_and_the_answers(page, board):
    ring = page.locator(".hma-front:visible .hma-ring")
    steps = page.locator(".hma-front:visible .hma-steps").get_attribute("points").split()[::2]
    for at, point in enumerate(board.front[:4]):
        assert page.locator("#name").inner_text() == text.point_name(point)
        assert page.locator("#title-here").inner_text() == text.point_name(point)
        assert page.locator("tr[aria-current] th").inner_text() == text.point_name(point)
        assert [float(ring.get_attribute(axis)) for axis in ("cx", "cy")] == [float(part) for part in steps[at].split(",")]
        page.keyboard.press("ArrowRight")
    page.locator("#lever").press("End")
    assert page.locator("#name").inner_text() == text.point_name(board.front[-1])
    assert page.locator("#on").is_disabled() and page.locator("#back").is_enabled()
    before = page.locator("#words-after").inner_text()
    page.locator("#prompt").select_option("2")
    assert page.locator("#words-after").inner_text() != before
