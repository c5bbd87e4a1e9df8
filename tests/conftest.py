"""Fixtures that are real and tiny: model folders, a suite, an SQLite file."""

import contextlib
import json
import os
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from unittest import mock

import pytest
from hypothesis import settings

from tests import forking, tiny
from tests.cli import hma

settings.register_profile("tests", deadline=None)  # How long an example takes says what else the machine does.
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def forks():
    """The module ``subprocess``, which forks our own programs where that is safe; see ``forking``."""
    used = forking.Subprocess() if sys.platform == "linux" else subprocess
    with contextlib.ExitStack() as stack:
        for module in ("process", "checkpoints.pickled", "checkpoints.adapter"):
            stack.enter_context(mock.patch(f"hma.{module}.subprocess", used))
        yield used


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory):
    """(reference folder, policy folder) of a three-layer Llama."""
    return tiny.write_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="session")
def tiny_suite(tmp_path_factory):
    """The suite.json of a three-task suite with 8 quick and 12 full items."""
    return tiny.write_suite(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="session")
def tiny_study(tiny_pair, tiny_suite):
    """The study of the tiny pair and suite."""
    from hma.study import open_study

    return open_study(*tiny_pair, tiny_suite)


@pytest.fixture(scope="session")
def options(tiny_pair, tiny_suite):
    """The tiny pair and suite as the command line's options."""
    return ["--reference", tiny_pair[0], "--policy", tiny_pair[1], "--suite", tiny_suite]


@pytest.fixture(scope="session")
def swept(options, tmp_path_factory):
    """A store with the MA sweep in five steps, and what the sweep printed."""
    store = tmp_path_factory.mktemp("swept") / "points.sqlite"
    done = hma("sweep", "--steps", 5, "--json", "--store", store, *options)
    assert done.returncode == 0, done.stderr
    return store, json.loads(done.stdout)


@pytest.fixture(scope="module")
def live(tiny_pair):
    """The tiny pair's live model, with a merge of both ends in it, for tests that write no other."""
    from hma.checkpoints.live import LiveModel
    from hma.checkpoints.pair import open_pair
    from hma.core.partition import Partition
    from hma.core.recipe import Recipe

    live = LiveModel(open_pair(*tiny_pair))
    live.write(Recipe(Partition.equal(3), (0.3, 0.3, 0.3)))
    return live


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An engine with a store and a worker of its own."""
    from hma.engine import Engine
    from hma.store import Store

    with Engine(Store(tmp_path_factory.mktemp("store") / "points.sqlite")) as engine:
        yield engine
