"""Fixtures that are real and tiny: model folders, a suite, an SQLite file."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest

from tests import tiny


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
