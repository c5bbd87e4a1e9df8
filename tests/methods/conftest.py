"""What the tests of fits share: a decided tiny pair, the workbench that holds it, and what is kept on the way."""

import pytest

from tests.methods.fits import Kept, opened


@pytest.fixture(scope="module")
def both(tiny_suite, tmp_path_factory):
    return opened(tmp_path_factory.mktemp("decided"), tiny_suite)


@pytest.fixture(scope="module")
def workbench(both):
    return both[1]


@pytest.fixture(scope="module")
def kept():
    return Kept()
