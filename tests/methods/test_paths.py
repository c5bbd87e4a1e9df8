"""Alphas by rule: paths pass their stops at rising means, and go where a front has its widest gap."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.errors import AlphasError
from hma.methods import paths

alphas = st.lists(st.floats(0, 1), min_size=3, max_size=3)


@given(st.lists(alphas, max_size=6), st.integers(0, 100))
def test_a_path_has_the_mean_that_is_asked_for(stops, percent):
    found = paths.between(stops, percent / 100)
    assert np.mean(found) == pytest.approx(percent / 100, abs=1e-5)
    assert min(found) >= 0 and max(found) <= 1


def test_a_path_passes_its_stops_and_runs_straight_between_them():
    stops = [(0.6, 0.3, 0.9), (0.2, 0.1, 0.3)]
    assert paths.between(stops, 0.6) == pytest.approx((0.6, 0.3, 0.9))
    assert paths.between(stops, 0.2) == pytest.approx((0.2, 0.1, 0.3))
    assert paths.between(stops, 0.4) == pytest.approx((0.4, 0.2, 0.6))
    assert paths.between(stops, 0.1) == pytest.approx((0.1, 0.05, 0.15))
    assert paths.between(stops, 0.0) == (0.0,) * 3
    assert paths.between(stops, 1.0) == (1.0,) * 3


def test_the_next_mean_halves_the_gap_that_leaves_most_of_the_box_open():
    assert paths.next_mean([(0, 4, 40), (1, 0, 80), (0.5, 3.9, 78)]) == 0.75
    assert paths.next_mean([(0, 4, 40), (1, 0, 80), (0.5, 0.2, 79)]) == 0.25


def test_a_path_that_stands_still_is_not_walked_for_ever():
    rows = [(0.0, 4.0, 40.0), (1.0, 0.0, 80.0), (0.5, 2.0, 60.0)]
    for _ in range(30):
        mean = paths.next_mean(rows)
        assert mean not in {m for m, *_ in rows}
        rows.append((mean, 4.0 if mean < 0.3 else 0.0, 40.0 if mean < 0.3 else 80.0))  # A step: its gap never closes.
    assert min(np.diff(sorted(m for m, *_ in rows))) > 1e-4


def test_a_path_is_known_at_its_ends_first():
    with pytest.raises(ValueError, match="both its ends"):
        paths.next_mean([(0.0, 4, 40), (0.5, 3, 50)])


def test_alphas_at_random_have_both_ends_and_one_seed_one_drawing():
    found = paths.at_random(3, 10, 4)
    assert found[:2] == [(0.0,) * 3, (1.0,) * 3]
    assert len(set(found)) == 10
    assert found == paths.at_random(3, 10, 4) != paths.at_random(3, 10, 5)
    assert all(0 <= a <= 1 for some in found for a in some)


@pytest.mark.parametrize("text", ["nan|inf|0", "nan|0|0", "0|-inf|0", "1e999|0|0"])
def test_differences_are_finite(text):
    with pytest.raises(AlphasError, match=re.escape(f"'{text}' has a difference that is no finite number")):
        paths.offsets(text, 3)


def test_differences_move_model_averaging_and_leave_the_ends():
    assert paths.moved(0.4, paths.offsets("0|0|-0.1", 3)) == (0.4, 0.4, 0.3)
    assert paths.moved(0.05, (0.0, 0.0, -0.1)) == (0.05, 0.05, 0.0)
    assert paths.moved(0.0, (0.0, 0.1)) == (0.0, 0.0)
    assert paths.moved(1.0, (0.0, -0.1)) == (1.0, 1.0)
