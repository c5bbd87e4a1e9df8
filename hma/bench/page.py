"""The page in a real browser: from the start of the app to its first chart, and from the button to a new point."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import HmaError, MeasureError
from hma.store import Store
from hma.study import SHIPPED, open_study

_BARE = """import streamlit as st

points = [i / {count} for i in range({count})]
st.plotly_chart({{"data": [{{"type": "scatter", "mode": "markers", "x": points, "y": points}}]}})
"""
"""The least that shows as many markers with Streamlit and Plotly."""

_DRAWN = ".scatterlayer .point"
_KEYS = """key => [...document.querySelectorAll('.st-key-chart .js-plotly-plot')].some(
  chart => (chart._fullData || []).some(trace => (trace.customdata || []).includes(key)))"""


def page(
    starts: Annotated[int, typer.Option(help="Starts of the app, and of the bare page, one after the other.", min=1)] = 5,
    points: Annotated[int, typer.Option(help="New points measured by the button.", min=1)] = 7,
    busy: Annotated[bool, typer.Option("--busy", help="Keep every core busy with other work meanwhile.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """In a real browser: from the app's start to its first chart, and from the button to the new point on it.

    The start is set against a page of the same libraries that does nothing but draw as many markers; the
    button against the seconds that the worker itself takes. Needs requirements-dev.txt and Chromium.
    """
    study = open_study()
    with tempfile.TemporaryDirectory() as folder, _browser() as browser, _load(busy):
        store = Path(folder) / "points.sqlite"
        Store(store).take_in(SHIPPED / "points.sqlite")
        bare = Path(folder) / "bare.py"
        bare.write_text(_BARE.format(count=len(Store(store).points(study))))
        app_starts, bare_starts = [], []
        for _ in range(starts):
            bare_starts.append(_start(browser, [sys.executable, "-m", "streamlit", "run", str(bare)], "--server.port"))
            app_starts.append(_start(browser, _app(store), "--port"))
        buttons, workers = _buttons(browser, store, study, points)
    found = {
        "start_seconds": statistics.median(app_starts),
        "bare_start_seconds": statistics.median(bare_starts),
        "start_ratio": statistics.median(a / b for a, b in zip(app_starts, bare_starts, strict=True)),
        "button_seconds": statistics.median(buttons),
        "worker_seconds": statistics.median(workers),
        "button_ratio": statistics.median(b / w for b, w in zip(buttons, workers, strict=True)),
        "all_starts": [round(s, 2) for s in app_starts],
        "all_buttons": [round(b, 2) for b in buttons],
    }
    print(json.dumps(found)) if as_json else _print(found, busy)


def _app(store: Path) -> list[str]:
    return [sys.executable, "-m", "hma", "app", "--no-browser", "--store", str(store)]


@contextlib.contextmanager
def _browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise HmaError("This benchmark drives a browser. Run: pip install -r requirements-dev.txt") from None
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path:
        raise HmaError("There is no chromium on the PATH. Install it, or name it in the variable CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextlib.contextmanager
def _load(busy: bool) -> Iterator[None]:
    """As many endless loops as cores, each in a process of its own."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)] if busy else []
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextlib.contextmanager
def _served(command: list[str], port_option: str) -> Iterator[str]:
    """The address at which a command serves, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"STREAMLIT_SERVER_HEADLESS": "true", "STREAMLIT_SERVER_ADDRESS": "127.0.0.1"}
    process = subprocess.Popen(
        [*command, f"{port_option}={port}"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if time.monotonic() > end or process.poll() is not None:
                raise MeasureError(f"{' '.join(command)} did not serve within 60 s.")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _start(browser: Any, command: list[str], port_option: str) -> float:
    """Seconds from the start of the process to the first marker drawn, in a browser that is open but has nothing cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    started = time.perf_counter()
    with _served(command, port_option) as address:
        tab.goto(address, wait_until="commit")
        tab.wait_for_selector(_DRAWN, timeout=60_000)
        seconds = time.perf_counter() - started
        context.close()
    return seconds


def _buttons(browser: Any, store: Path, study: Study, count: int) -> tuple[list[float], list[float]]:
    """Seconds from the button to the new point on the chart, and of them the worker's own, point by point."""
    buttons, workers = [], []
    with _served(_app(store), "--port") as address:
        tab = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        tab.goto(address)
        tab.get_by_text(": ready").wait_for(timeout=120_000)
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


def _print(found: dict[str, Any], busy: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    load = f"every core busy with other work ({os.cpu_count()})" if busy else f"{os.cpu_count()} cores"
    console.print(
        f"Start to first chart: {found['start_seconds']:.2f} s, {found['start_ratio']:.2f} times a bare page of the same "
        f"libraries ({found['bare_start_seconds']:.2f} s). Median of {found['all_starts']}, {load}."
    )
    console.print(
        f"Button to new point: {found['button_seconds']:.2f} s, {found['button_ratio']:.2f} times the worker's own "
        f"{found['worker_seconds']:.2f} s. Median of {found['all_buttons']}, {load}."
    )
