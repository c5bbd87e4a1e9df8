"""From the button to the new point on the chart, in a real browser."""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hma.bench import serving
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import HmaError
from hma.store import Store
from hma.study import open_study

_KEYS = """key => [...document.querySelectorAll('.st-key-chart .js-plotly-plot')].some(
  chart => (chart._fullData || []).some(trace => (trace.customdata || []).includes(key)))"""
"""Whether the chart holds a point."""


def button(
    points: Annotated[int, typer.Option(help="New points to measure by the button.", min=1)] = 7,
    busy: Annotated[bool, typer.Option("--busy", help="Keep every core busy with other work meanwhile.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """In a real browser: from the button to the new point on the chart, with a warm worker and the quick suite.

    Set against the seconds that the worker itself takes. Needs requirements-dev.txt and Chromium.
    """
    with tempfile.TemporaryDirectory() as folder, serving.load(busy) as machine:
        buttons, workers = _buttons(serving.shipped_store(Path(folder)), open_study(), points)
    seconds, worker = statistics.median(buttons), statistics.median(workers)
    if as_json:
        print(json.dumps({"seconds": seconds, "worker": worker, "all": buttons, "all_worker": workers, "machine": machine}))
        return
    ratio = statistics.median(b / w for b, w in zip(buttons, workers, strict=True))
    Console(highlight=False, soft_wrap=True).print(
        f"Button to new point: {seconds:.2f} s, {ratio:.2f} times the worker's own {worker:.2f} s. "
        f"Median of {', '.join(f'{b:.2f}' for b in buttons)}; {machine}."
    )


def _buttons(store: Path, study: Study, count: int) -> tuple[list[float], list[float]]:
    """Seconds from the button to the new point on the chart, and of them the worker's own, point by point."""
    buttons, workers = [], []
    port = serving.free_port()
    with serving.served(serving.app(store, port), port) as address, _tab() as tab:
        tab.goto(address)
        tab.get_by_text(": ready").first.wait_for(timeout=120_000)
        for step in range(-1, count):  # The first warms what is built at its first use.
            key = study.point_key(_slide(tab, study, step + 2))
            started = time.perf_counter()
            tab.get_by_role("button", name="Measure this merge").click()
            tab.wait_for_function(_KEYS, arg=key, timeout=120_000, polling=20)
            seconds = time.perf_counter() - started
            point = Store(store).point(key)
            assert point is not None
            if step >= 0:
                buttons.append(seconds)
                workers.append(point.elapsed_seconds)
    return buttons, workers


@contextlib.contextmanager
def _tab() -> Iterator[Any]:
    """A tab of Playwright's."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise HmaError("This benchmark drives a browser. Run: pip install -r requirements-dev.txt") from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=serving.chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def _slide(tab: Any, study: Study, step: int) -> Recipe:
    """Set the sliders from the policy's end to alphas that nobody measured, and return their recipe."""
    tab.get_by_role("button", name="policy", exact=True).click()
    tab.get_by_text("Measured: policy").first.wait_for()
    tab.wait_for_timeout(500)
    steps = (step, 3, 7)
    for place, presses in enumerate(steps):
        tab.get_by_role("slider").nth(place).focus()
        for _ in range(presses):
            tab.keyboard.press("ArrowRight")
    tab.get_by_text(f"Not measured yet: HMA {' / '.join(f'{s * 0.05:g}' for s in steps)}").wait_for()
    return Recipe(study.partition(), tuple(round(s * 0.05, 2) for s in steps))
