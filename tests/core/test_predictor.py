"""Predictions and leave-one-out from plain arrays, against a fit without the point, and refusals."""

import json

import numpy as np
import pytest

from hma.core.surrogate import Predictor

DRAW = np.random.default_rng(0)
ALPHAS = DRAW.random((12, 3))
VALUES = np.stack([5 - 6 * ALPHAS.mean(1), 30 + 50 * np.tanh(3 * ALPHAS[:, 2])], axis=1)
MADE = Predictor(
    ALPHAS,
    VALUES,
    np.full((12, 2), [0.04, 4.0]),
    length_scales=[[0.8, 1.5, 0.9], [1.2, 3.0, 0.5]],
    output_scales=[2.0, 1.3],
    constants=[0.1, -0.2],
)


def dense(predictor, asked):
    """The posterior by the textbook: explicit kernel, explicit inverse."""
    centre, spread = predictor.standardisation
    means, deviations = [], []
    for metric in range(2):

        def kernel(a, b, metric=metric):
            r = np.sqrt(5 * (((a[:, None] - b[None]) / predictor.length_scales[metric]) ** 2).sum(-1))
            return predictor.output_scales[metric] * (1 + r + r**2 / 3) * np.exp(-r)

        noisy = kernel(predictor.alphas, predictor.alphas) + np.diag(predictor.variances[:, metric]) / spread[metric] ** 2
        inverse, cross = np.linalg.inv(noisy), kernel(asked, predictor.alphas)
        residual = (predictor.values[:, metric] - centre[metric]) / spread[metric] - predictor.constants[metric]
        means.append(centre[metric] + spread[metric] * (predictor.constants[metric] + cross @ inverse @ residual))
        left = predictor.output_scales[metric] - np.einsum("ij,jk,ik->i", cross, inverse, cross)
        deviations.append(spread[metric] * np.sqrt(left))
    return np.stack(means, 1), np.stack(deviations, 1)


def test_it_predicts_as_the_textbook_does():
    asked = DRAW.random((7, 3))
    for ours, theirs in zip(MADE.predict(asked), dense(MADE, asked), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


def test_leave_one_out_is_a_prediction_without_the_point():
    found, (centre, spread) = MADE.leave_one_out, MADE.standardisation
    for place in range(12):
        rest = np.arange(12) != place

        class Rest(Predictor):
            standardisation = (centre, spread)  # As all points have it: only the point is left out.

        without = Rest(ALPHAS[rest], VALUES[rest], MADE.variances[rest], MADE.length_scales, MADE.output_scales, MADE.constants)
        means, deviations = without.predict(ALPHAS[place : place + 1])
        assert found.means[place] == pytest.approx(means[0], rel=1e-9)
        assert found.deviations[place] ** 2 == pytest.approx(deviations[0] ** 2 + MADE.variances[place], rel=1e-9)


def test_json_keeps_what_it_predicts():
    again = Predictor.from_dict(json.loads(json.dumps(MADE.to_dict(), allow_nan=False)))
    asked = DRAW.random((5, 3))
    assert (again.predict(asked)[0] == MADE.predict(asked)[0]).all()
    assert (again.predict(asked)[1] == MADE.predict(asked)[1]).all()


def test_change_is_that_of_one_block_alone():
    moved = MADE.change(np.array([[0.5, 0.5, 0.5]]), steps=3)
    means = MADE.predict([[0.5, 0.5, alpha] for alpha in (0, 0.5, 1)])[0]
    assert moved.shape == (2, 3)
    assert moved[:, 2] == pytest.approx(np.ptp(means, axis=0))


def test_a_constant_metric_is_predicted_as_it_is():
    flat = Predictor(ALPHAS, np.full((12, 1), 7.0), np.full((12, 1), 0.1), np.ones((1, 3)), [1.0], [0.0])
    assert flat.predict(ALPHAS)[0] == pytest.approx(7.0)


@pytest.mark.parametrize("asked", [[0.5, 0.5, 0.5], [[0.5, 0.5]], [[0.5, np.nan, 0.5]]])
def test_it_refuses_alphas_of_another_shape(asked):
    with pytest.raises(ValueError, match="alphas"):
        MADE.predict(asked)


def test_it_refuses_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match=r"length_scales is \(2, 2\), must be \(2, 3\)"):
        Predictor(ALPHAS, VALUES, MADE.variances, np.ones((2, 2)), [1, 1], [0, 0])


def test_blocks_move_it_together_each_in_its_own_direction():
    one, many = MADE.change(ALPHAS), MADE.change_together
    for block in range(3):
        assert many(ALPHAS, [block]) == pytest.approx(one[:, block], rel=1e-9)
    both = many(ALPHAS, [0, 2])
    assert (both > np.maximum(one[:, 0], one[:, 2])).all()
    mirrored = Predictor(
        np.stack([ALPHAS[:, 0], ALPHAS[:, 1], 1 - ALPHAS[:, 2]], axis=1),
        VALUES, MADE.variances, MADE.length_scales, MADE.output_scales, MADE.constants,
    )  # fmt: skip
    assert mirrored.change_together(mirrored.alphas, [0, 2]) == pytest.approx(both, rel=1e-9)
