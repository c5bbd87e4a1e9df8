"""The fitted surrogate: BoTorch's posterior and the numpy predictor agree; what it knows and which blocks do nothing."""

import numpy as np
import pytest
import torch

from hma.core.surrogate import Predictor
from hma.methods.surrogate import FEWEST, fit


def world(num_points, num_blocks, seed=0, idle=()):
    """Alphas, and a reward that falls and an ability that rises with them, but for idle blocks; with their noise."""
    draw = np.random.default_rng(seed)
    alphas = draw.random((num_points, num_blocks))
    active = [block for block in range(num_blocks) if block not in idle]
    mean = alphas[:, active].mean(axis=1)
    values = np.stack([4 - 5 * mean**2, 30 + 50 * np.tanh(2 * mean)], axis=1)
    noise = np.array([0.15, 1.5])
    return alphas, values + draw.normal(size=values.shape) * noise, np.broadcast_to(noise**2, values.shape)


@pytest.fixture(scope="module")
def fitted():
    return fit(*world(20, 3))


@pytest.mark.parametrize("num_blocks", [1, 3, 32])
def test_the_predictor_is_the_posterior(num_blocks):
    surrogate = fit(*world(15, num_blocks))
    asked = np.random.default_rng(9).random((20, num_blocks))
    posterior = surrogate.model.posterior(torch.tensor(asked))
    centre, spread = surrogate.predictor.standardisation
    means, deviations = Predictor.from_dict(surrogate.to_arrays()).predict(asked)
    assert (means - centre) / spread == pytest.approx(posterior.mean.detach().numpy(), abs=1e-6)
    assert deviations / spread == pytest.approx(posterior.stddev.detach().numpy(), abs=1e-6)


def test_one_metric_alone_is_as_it_is_beside_another(fitted):
    alphas, values, variances = world(20, 3)
    alone = fit(alphas, values[:, :1], variances[:, :1])
    assert alone.predict(alphas)[0][:, 0] == pytest.approx(fitted.predict(alphas)[0][:, 0], abs=0.02)


def test_the_points_order_changes_nothing(fitted):
    alphas, values, variances = (array[::-1] for array in world(20, 3))
    again = fit(alphas, values, variances)
    assert again.to_arrays() == fitted.to_arrays()


def test_it_predicts_points_that_it_has_not_seen(fitted):
    alphas, values, _ = world(200, 3, seed=1)
    means, deviations = fitted.predict(alphas)
    assert (np.sqrt(((means - values) ** 2).mean(axis=0)) < 0.4 * values.std(axis=0)).all()
    assert fitted.knows
    assert (deviations > 0).all()


def test_it_does_not_know_what_is_noise():
    known = 0
    for seed in range(4):
        draw = np.random.default_rng(seed)
        known += fit(draw.random((16, 3)), draw.normal(size=(16, 2)), np.full((16, 2), 0.5)).knows
    assert known == 0


def test_a_block_without_effect_is_inert_and_no_other():
    for seed in range(3):
        assert fit(*world(40, 3, seed, idle=[1])).inert == (1,)


@pytest.mark.parametrize("noise", [(0.25, 3.0), (0.2, 2.5), (0.4, 5.0)])
def test_many_small_effects_are_not_none(noise):
    """Of a plane over nine blocks that spans 5 and 50, each block's share is too little to be seen between two points.

    One of them may come out as nothing by chance; it used to be five to nine.
    """
    draw = np.random.default_rng(0)
    alphas = draw.random((29, 9))
    mean = alphas.mean(axis=1)
    values = np.stack([4 - 5 * mean, 30 + 50 * mean], axis=1) + draw.normal(size=(29, 2)) * noise
    assert len(fit(alphas, values, np.broadcast_to(np.square(noise), values.shape)).inert) <= 1


def test_effects_that_run_against_one_another_do_not_make_up_for_each_other():
    draw = np.random.default_rng(1)
    alphas = draw.random((29, 8))
    trend = alphas[:, :4].mean(axis=1) - alphas[:, 4:].mean(axis=1)
    values = np.stack([-2.5 * trend, 25 * trend], axis=1) + draw.normal(size=(29, 2)) * (0.3, 3.0)
    assert fit(alphas, values, np.broadcast_to((0.09, 9.0), values.shape)).inert == ()


def test_points_without_noise_have_blocks_without_effect():
    alphas, values, variances = world(20, 3, idle=[1])
    values = np.stack([4 - 5 * alphas[:, 0], 30 + 50 * alphas[:, 2]], axis=1)
    assert 0 not in (found := fit(alphas, values, 0 * variances).inert) and 2 not in found


def test_no_block_is_inert_where_all_have_effect(fitted):
    assert fitted.inert == ()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a, v, s: (a[:-1], v, s), "do not fit together"),
        (lambda a, v, s: (a, v, s[:, :1]), "do not fit together"),
        (lambda a, v, s: (a, v[:, 0], s[:, 0]), "values are of shape"),
        (lambda a, v, s: (a[: FEWEST - 1], v[: FEWEST - 1], s[: FEWEST - 1]), "3 points are too few"),
        (lambda a, v, s: (a + 0.5, v, s), r"alphas must be in \[0, 1\]"),
        (lambda a, v, s: (a, v, -s), "variances must not be negative"),
        (lambda a, v, s: (a, np.where(np.arange(8)[:, None] == 3, np.nan, v), s), "point 3 is not"),
    ],
)
def test_it_refuses_what_is_no_measurement(spoil, message):
    with pytest.raises(ValueError, match=message):
        fit(*spoil(*world(8, 2)))
