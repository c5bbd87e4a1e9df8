"""Fixtures that are real and tiny: model folders, a suite, an SQLite file."""

import json
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest

from tests import tiny
from tests.cli import hma


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
