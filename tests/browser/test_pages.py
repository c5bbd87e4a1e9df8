"""Every page in light and dark, wide and narrow: nothing overflows, nothing fails, and axe finds no fault; kept as pictures.

``make pictures`` runs this file, and makes the README's pictures of what it kept.
"""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from tests.browser import pictures
from tests.browser.conftest import PATIENCE, ROOT, SCREENSHOTS

PAGES = ("explore", "methods", "compare", "samples", "runs", "export", "pair", "present")
SIZES = {"wide": (1280, 800), "narrow": (390, 844)}

RULES = [
    "color-contrast",
    "button-name",
    "link-name",
    "label",
    "image-alt",
    "document-title",
    "html-has-lang",
    "duplicate-id-aria",
]
"""What is ours to keep. Streamlit draws the elements themselves, and their roles are its own."""

STILL = """() => {
  const app = document.querySelector('[data-testid="stApp"]'), now = performance.now();
  const busy = '[data-testid="stSkeleton"], [data-stale="true"]';
  const still = app && app.dataset.testScriptState === 'notRunning' && !document.querySelector(busy)
    && ![...document.querySelectorAll('.stMarkdownBadge')].some(badge => badge.innerText === 'worker: starting');
  window.still_since = still ? window.still_since || now : null;
  return still && now - window.still_since > 800;
}"""
"""Whether nothing has moved for a while, and the worker is through with starting."""

TALLEST = 3000
WHOLE = "() => Math.max(innerHeight, document.querySelector('[data-testid=\"stMain\"]').scrollHeight)"
"""How high the window must be to show the whole page, which scrolls within itself."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_screen_and_has_no_fault(chromium, server, name, size, scheme):
    width, height = SIZES[size]
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    context.set_default_timeout(1000 * PATIENCE)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.url}/{'' if name == 'explore' else name}")
    page.wait_for_selector(".st-key-study_bar")
    page.wait_for_function(STILL)
    assert not errors
    assert page.locator('[data-testid="stAlertContentError"]').count() == 0
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} px stick out"
    faults = Axe().run(page, options={"runOnly": {"type": "rule", "values": RULES}})
    page.set_viewport_size({"width": width, "height": min(page.evaluate(WHOLE), TALLEST)})
    page.wait_for_function(STILL)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{scheme}.png")
    context.close()
    told = [
        f"{v['id']}: {n['html'][:160]} {n['any'][0]['message'] if n['any'] else ''}"
        for v in faults.response["violations"]
        for n in v["nodes"]
    ]
    assert not told, "\n".join(told)


def test_the_readmes_pictures_are_made_of_these_and_stay_small(tmp_path):
    wanted = re.findall(r"!\[[^]]+]\(docs/([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(wanted) == sorted(pictures.SHOWN)
    for name, (screenshot, rows) in pictures.SHOWN.items():
        assert (ROOT / "docs" / name).stat().st_size < pictures.MOST_BYTES
        assert screenshot in {f"{page}-{size}-{scheme}.png" for page in PAGES for size in SIZES for scheme in ("light", "dark")}
        Image.effect_noise((1280, rows + 90), 40).save(tmp_path / screenshot)
    for place in pictures.make(tmp_path, tmp_path):
        with Image.open(place) as made:
            assert made.size == (1280, pictures.SHOWN[place.name][1])
