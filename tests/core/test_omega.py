"""Where alphas may lie: the projection keeps mean and box for any input, and the paper's form is its equation."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hma.core.omega import Omega, PaperForm, rounded
from hma.errors import AlphasError

numbers = st.floats(-1e15, 1e15)


@given(st.lists(numbers, min_size=1, max_size=33), st.floats(0, 1))
def test_mean_and_box_are_kept_for_any_input(values, mean):
    found = Omega(len(values), mean).project(values)
    assert found.min() >= 0 and found.max() <= 1
    assert abs(found.mean() - mean) <= 1e-9


@given(st.lists(st.floats(-2, 3), min_size=1, max_size=9), st.floats(0.1, 0.8), st.randoms(use_true_random=False))
def test_the_projection_is_the_nearest(values, mean, draw):
    omega = Omega(len(values), mean, 0.1, 0.8)
    found = omega.project(values)
    other = omega.project([draw.uniform(-1, 2) for _ in values])  # Any other alphas of this mean.
    assert ((found - values) ** 2).sum() <= ((other - values) ** 2).sum() + 1e-9


def test_a_projection_is_a_shift_and_a_clip():
    assert Omega(3, 0.8).project([1.2, 0.8, 0.4]) == pytest.approx([1, 0.9, 0.5])
    assert Omega(2, 0.2).project([0.1, 0.3]) == pytest.approx([0.1, 0.3])
    assert Omega(3, 0.6).project([0, -1000, -1000.3]) == pytest.approx([1, 0.55, 0.25])
    assert Omega(2).project([1.2, -0.3]) == pytest.approx([1, 0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((3, 1.2), "mean alpha is 1.2"),
        ((3, -0.1), "mean alpha is -0.1"),
        ((3, math.nan), "mean alpha is nan"),
        ((3, 0.5, 0.6, 0.9), "No alphas from 0.6 to 0.9 have the mean 0.5"),
        ((3, 0.5, 0.9, 0.6), "bounds are 0.9 and 0.6"),
        ((3, 0.5, -0.2, 0.6), "bounds are -0.2 and 0.6"),
    ],
)
def test_what_no_alphas_can_be_is_refused(arguments, said):
    with pytest.raises(AlphasError, match=said):
        Omega(*arguments)


def test_values_must_be_one_a_block_and_finite():
    for values in ([0.1, 0.2], [0.1, 0.2, math.inf]):
        with pytest.raises(ValueError, match="3 finite numbers"):
            Omega(3, 0.5).project(values)


def test_the_papers_form_starts_at_plain_averaging_and_keeps_the_mean():
    form = PaperForm(3, 0.4, 0.2)
    assert form.alphas(form.start) == pytest.approx([0.4] * 3)
    drawn = np.array([2.0, -1.0, 0.3])
    sigmoid = 1 / (1 + np.exp(-drawn))
    assert form.free_alphas(drawn) == pytest.approx(3 * 0.4 * (sigmoid + 0.2) / (sigmoid + 0.2).sum())
    assert form.free_alphas(drawn).mean() == pytest.approx(0.4)


def test_the_papers_form_leaves_the_box_and_is_put_back():
    form = PaperForm(3, 0.6, 0.0)
    far = np.array([5.0, -5.0, -5.0])
    assert form.free_alphas(far).max() > 1.5
    assert form.alphas(far).max() <= 1
    assert form.alphas(far).mean() == pytest.approx(0.6, abs=1e-12)


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=6), st.floats(0.05, 0.95), st.floats(0, 0.9))
@example([0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 0.8827835181833421, 0.0)  # The last is put back to a last digit below 1.
def test_the_papers_gradient_is_the_slope(scores, mean, epsilon):
    """Of the alphas that are put back where they leave the box, too."""
    form, weights = PaperForm(len(scores), mean, epsilon), np.arange(1.0, len(scores) + 1)
    scores = np.array(scores)
    alphas, free = form.alphas(scores), form.free_alphas(scores)
    inner = (alphas > 1e-9) & (alphas < 1 - 1e-9)
    assume(inner.any())
    shifted = free + (alphas - free)[inner][0]
    assume(min(abs(shifted).min(), abs(shifted - 1).min()) > 1e-4)  # Where an alpha meets a bound there are two slopes.
    pulled = form.pulled(scores, weights)
    for k in range(len(scores)):
        step = np.zeros(len(scores))
        step[k] = 1e-6
        slope = (form.alphas(scores + step) - form.alphas(scores - step)) @ weights / 2e-6
        assert pulled[k] == pytest.approx(slope, abs=1e-6)


def test_the_papers_gradient_leaves_what_was_put_back():
    form, scores = PaperForm(3, 0.6, 0.0), np.array([1.5, -1.0, -1.2])
    assert form.free_alphas(scores)[0] > 1 and form.alphas(scores)[0] == 1
    assert form.pulled(scores, np.array([1.0, 0.0, 0.0])) == pytest.approx([0, 0, 0], abs=1e-12)
    assert np.abs(form.pulled(scores, np.array([0.0, 1.0, 0.0]))).max() > 0.05


def test_the_papers_form_refuses_what_it_cannot_start_from():
    for mean in (0.0, 1.0):
        with pytest.raises(AlphasError, match="starts at infinity"):
            PaperForm(3, mean)
    with pytest.raises(AlphasError, match="epsilon is -1"):
        PaperForm(3, 0.5, -1)


@given(st.lists(st.floats(-2, 3), min_size=1, max_size=9), st.integers(0, 1000))
def test_rounding_keeps_the_mean(values, thousandths):
    mean = thousandths / 1000
    found = rounded(Omega(len(values), mean).project(values), 6)
    assert sum(found) == pytest.approx(len(values) * mean, abs=1e-9)
    assert all(round(alpha, 6) == alpha and 0 <= alpha <= 1 for alpha in found)
