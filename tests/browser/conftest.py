"""The real page: Streamlit in a process of its own, the shipped pair and its points, a real worker, Chromium."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from hma.core.recipe import Recipe
from hma.store import Measurement, Store
from hma.study import SHIPPED, open_study
from tests.ui.world import TRAP

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "screenshots"
PATIENCE = 300
"""Seconds that a wait may take: many times what it takes, since other programs may use the same cores."""

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="session")
def study():
    """The shipped pair on quick validation items."""
    return open_study()


@pytest.fixture(scope="session")
def store(tmp_path_factory, study):
    """A store of its own with the shipped points, and one whose answers are a trap."""
    shipped = SHIPPED / "points.sqlite"
    if not shipped.exists():
        pytest.fail(f"{shipped} is missing: run `make points`.")
    store = Store(tmp_path_factory.mktemp("store") / "points.sqlite")
    store.take_in(shipped)
    if len(store.points(study)) < 10:
        pytest.fail("The shipped points are not those of the shipped pair and suite: run `make points`.")
    trap = trap_study()  # Not of the study that the pictures show.
    results = store.results(store.points(trap)[0].key, trap.num_items)
    reward = results["reward"]
    results["reward"] = replace(reward, outputs=(TRAP,) * len(reward.ids))
    store.add(trap, Measurement(trap_recipe(trap), results, "sweep"))
    return store


def trap_study():
    """The shipped pair on test items, of which one point's answers are a trap."""
    return open_study(split="test")


def trap_recipe(study):
    return Recipe(study.partition(), (0.05, 0.95, 0.95))


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not path or not Path(path).exists():
        pytest.fail("Chromium is missing: install it (apt-get install chromium), or name it in the variable CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Server:
    """The app being served as ``make run`` does it, but for its store, its exports and its port; and the worker it started."""

    def __init__(self, study, store, before=lambda port: None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        before(self.port)
        command = [sys.executable, "-m", "hma", "app", "--no-browser", "--port", str(self.port), "--store", str(store.path)]
        self.exports = Path(store.path).parent / "exports"
        command += ["--exports", str(self.exports)]
        if Path(study.suite_path).parent != SHIPPED:
            command += ["--reference", study.reference, "--policy", study.policy, "--suite", study.suite_path]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, PATIENCE, "the app to be served")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def worker(self):
        """The process id of the worker, or None."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                    if parent == self.process.pid and b"hma.worker" in (entry / "cmdline").read_bytes():
                        return int(entry.name)
                except OSError:
                    continue
        return None

    @contextlib.contextmanager
    def held(self):
        """Keep the worker from going on, so that what it is at can be seen; afterwards it goes on, whatever happened."""
        wait_until(self.worker, PATIENCE, "a worker")
        worker = self.worker()
        os.kill(worker, signal.SIGSTOP)
        try:
            yield worker
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGCONT)

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
            return True
        except OSError:
            return False


def wait_until(condition, seconds, what):
    """Wait for a condition that is asked for every tenth of a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s for {what}")


@pytest.fixture(scope="session")
def server(study, store):
    served = Server(study, store)
    yield served
    served.process.terminate()
    served.process.wait(timeout=10)


@pytest.fixture
def open_page(chromium, server):
    """Open the app in a fresh browser context; fails at the end if the page raised or asked for anything outside."""
    contexts, errors, outside = [], [], []

    def listen(page):
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda r: outside.append(r.url) if r.url.startswith("http") and "127.0.0.1" not in r.url else None)

    def opened(point="", scheme="light", size=(1280, 800)):
        context = chromium.new_context(color_scheme=scheme, viewport={"width": size[0], "height": size[1]})
        contexts.append(context)
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        listen(page)
        page.goto(server.url + (f"/?point={point}" if point else ""))
        page.wait_for_selector(".st-key-chart .scatterlayer .point")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not errors
    assert not outside
