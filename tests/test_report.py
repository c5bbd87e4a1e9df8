"""What the command line's tables say of a number."""

import pytest

from hma import report
from hma.core.point import Score


@pytest.mark.parametrize(
    ("low", "value", "high", "shown"),
    [(78.0, 80.0, 82.0, "80.0±2.0"), (72.0, 100.0, 100.0, "100±28"), (-0.5, 0.2, 0.8, "0.2±0.7")],
)
def test_a_value_stands_with_the_reach_of_its_interval_to_the_farther_side(low, value, high, shown):
    assert report.rounded(Score(value, 9.9, 10, low, high)) == shown
