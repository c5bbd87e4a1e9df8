"""Every page in light and dark, wide and narrow: nothing overflows, nothing fails, and axe finds no fault; kept as pictures."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import SCREENSHOTS

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
  const app = document.querySelector('[data-testid="stApp"]');
  return app && app.dataset.testScriptState === 'notRunning' && !document.querySelector('[data-testid="stSkeleton"]');
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_screen_and_has_no_fault(chromium, server, name, size, scheme):
    width, height = SIZES[size]
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server.url}/{'' if name == 'explore' else name}")
    page.wait_for_selector(".st-key-study_bar", timeout=60_000)
    page.wait_for_timeout(1500)
    page.wait_for_function(STILL, timeout=60_000)
    page.wait_for_timeout(500)
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{scheme}.png", full_page=True)
    assert not errors
    assert page.locator('[data-testid="stAlertContentError"]').count() == 0
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{wide} px stick out"
    faults = Axe().run(page, options={"runOnly": {"type": "rule", "values": RULES}})
    context.close()
    told = [
        f"{v['id']}: {n['html'][:160]} {n['any'][0]['message'] if n['any'] else ''}"
        for v in faults.response["violations"]
        for n in v["nodes"]
    ]
    assert not told, "\n".join(told)
