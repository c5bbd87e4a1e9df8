"""The app under AppTest: a real store with made-up points, and a stand-in worker."""

import contextlib
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from hma.errors import HmaError
from hma.store import Store
from hma.study import open_study
from hma.ui import access
from tests.ui import world

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """(reference, policy, suite) of the test world."""
    return world.write(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def study(place):
    return open_study(*place)


@pytest.fixture
def reporting(place):
    """The study on test items."""
    return open_study(*place, split="test")


@pytest.fixture(scope="session")
def filled(tmp_path_factory, study):
    """The path of a store with an MA sweep and a grid, to be read only."""
    path = tmp_path_factory.mktemp("filled") / "points.sqlite"
    store = Store(path)
    world.fill(store, study, grid=3)
    store.compact()
    return path


@pytest.fixture
def store_path(tmp_path, filled):
    """A store of one's own with the points of ``filled``."""
    path = tmp_path / "points.sqlite"
    Store(path).take_in(filled)
    return path


_init = PagesManager.__init__


def whole_app(manager, *arguments, **keywords):
    """Run ``app.py`` each time. AppTest, seeing a folder called pages, would go on with the page's script alone."""
    _init(manager, *arguments, **keywords)
    PagesManager.uses_pages_directory = False


@pytest.fixture
def app(monkeypatch, place, store_path):
    """Make an AppTest of the app; ``seconds`` is what a measurement takes with the stand-in worker."""
    made = []

    def make(store=store_path, seconds=0.2, link=None, **environment) -> AppTest:
        names = ("HMA_REFERENCE", "HMA_POLICY", "HMA_SUITE")
        settings = dict(zip(names, map(str, place), strict=True)) | {"HMA_STORE": str(store)} | environment
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        for name in ("WORKER", "ADVISER"):
            monkeypatch.setattr(access, name, (sys.executable, "-m", "tests.ui.worker", str(seconds)))
        monkeypatch.setattr(PagesManager, "__init__", whole_app)
        st.cache_resource.clear()
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=20)
        if link:
            test.query_params["point"] = link
        made.append(test)
        return test

    yield make
    with contextlib.suppress(HmaError):
        if made:
            access.engine().close()
    st.cache_resource.clear()


@pytest.fixture
def on_page(app):
    """Make an AppTest that stands on the page of this name."""

    def make(name, **settings):
        return app(**settings).run().switch_page(f"pages/{name}.py").run()

    return make


@pytest.fixture
def caught(monkeypatch):
    """Have modules keep the errors that they would show; the list of these."""
    errors = []

    @contextlib.contextmanager
    def keeping():
        try:
            yield
        except Exception as error:
            errors.append(error)

    def catch(*modules):
        for module in modules:
            monkeypatch.setattr(module, "shown", keeping)
        return errors

    return catch
