"""A pair of checkpoint folders without data."""

import pytest

from tests.written import write


@pytest.fixture
def folders(tmp_path):
    return write(tmp_path / "reference"), write(tmp_path / "policy")
