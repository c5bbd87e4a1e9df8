"""The robust tax against its definition: the worst weighted mean over all weights that are near enough."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hma.core.robust import mean_weights, most, robust_tax, worst
from hma.core.tax import taxes
from tests.core.made import mean

losses = st.lists(st.floats(-100, 100), min_size=1, max_size=6).map(np.array)
radii = st.one_of(st.floats(0, 3), st.floats(0, 1e-9), st.just(0.0))


def divergence(weights, base):
    held = weights > 0
    return float((weights[held] * np.log(weights[held] / base[held])).sum())


@settings(max_examples=300, deadline=None)
@given(losses, radii)
def test_it_is_a_weighted_mean_within_reach_between_the_mean_and_the_worst(tax, rho):
    value, weights = worst(tax, rho)
    base = np.full(len(tax), 1 / len(tax))
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert divergence(weights, base) <= rho + 1e-9
    assert value == pytest.approx(weights @ tax, abs=1e-9)
    assert tax.mean() - 1e-9 <= value <= tax.max() + 1e-9


@settings(deadline=None)
@given(losses, radii, radii)
def test_it_rises_with_rho_from_the_mean_to_the_worst_task(tax, one, other):
    low, high = sorted([one, other])
    assert worst(tax, low)[0] <= worst(tax, high)[0] + 1e-7
    assert worst(tax, 0.0)[0] == pytest.approx(tax.mean(), abs=1e-12)
    for beyond in (np.log(len(tax)), 5.0):
        assert worst(tax, beyond)[0] == pytest.approx(tax.max(), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=3, max_size=3).map(np.array), st.floats(0.001, 1.5))
def test_no_weights_of_a_fine_grid_do_worse_and_no_temperature_does_better(tax, rho):
    """Every admissible w is a lower bound of the supremum, every tau > 0 an upper bound, and both come close."""
    value, _ = worst(tax, rho)
    steps = 150
    grid = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.nansum(np.where(grid > 0, grid * np.log(3 * grid), 0.0), axis=1)
    primal = (grid[far <= rho] @ tax).max()
    tau = np.logspace(-6, 8, 4000)[:, None]
    dual = (tau * rho + tax.max() + tau * np.log(np.exp((tax - tax.max()) / tau).mean(axis=1, keepdims=True))).min()
    spread = np.ptp(tax)
    assert primal - 1e-9 <= value <= dual + 1e-9 * max(1, abs(dual))
    assert dual - value <= 1e-4 * spread + 1e-5
    assert value - primal <= 0.05 * spread + 1e-9


@settings(deadline=None)
@given(losses, radii, st.floats(0.1, 10), st.floats(-50, 50))
def test_units_do_not_matter(tax, rho, scale, shift):
    assert worst(scale * tax + shift, rho)[0] == pytest.approx(scale * worst(tax, rho)[0] + shift, abs=1e-5)


@given(st.floats(-100, 100), radii, st.integers(1, 6))
def test_equal_taxes_are_their_own_worst(tax, rho, count):
    value, weights = worst(np.full(count, tax), rho)
    assert value == pytest.approx(tax, abs=1e-12)
    assert weights == pytest.approx(np.full(count, 1 / count))


@given(losses)
def test_two_tasks_that_lose_most_share_the_weight(tax):
    assume(len(tax) > 1)
    tax = np.append(tax, tax.max())
    assert worst(tax, 3.0)[1] == pytest.approx((tax == tax.max()) / (tax == tax.max()).sum())


def test_a_thousand_resamples_at_once_are_each_by_itself():
    tax = np.random.default_rng(0).normal(0, 20, (1000, 4))
    values, weights = worst(tax, 0.3)
    for row in range(0, 1000, 50):
        value, alone = worst(tax[row], 0.3)
        assert values[row] == pytest.approx(value)
        assert weights[row] == pytest.approx(alone)


@pytest.mark.parametrize("rho", [-0.1, float("nan")])
def test_a_rho_below_zero_is_refused(rho):
    with pytest.raises(ValueError, match="rho is"):
        worst(np.array([1.0, 2.0]), rho)


GROUPS = {"one": ["a", "b"], "two": ["c"]}


def results(generator, lost=(0, 0, 0), count=100):
    return {n: mean(generator.normal(50 - x, 10, count)) for n, x in zip(("reward", "a", "b", "c"), (0, *lost), strict=True)}


def test_it_begins_at_the_tax_of_the_table_and_ends_at_the_worst_task():
    generator = np.random.default_rng(1)
    before, after = results(generator), results(generator, (5, 20, 10))
    lost = taxes(before, after, GROUPS)
    assert mean_weights(GROUPS) == {"a": 0.25, "b": 0.25, "c": 0.5}
    none, half, all_of_it = (robust_tax(before, after, GROUPS, rho) for rho in (0.0, 0.3, most(GROUPS)))
    assert none.value == pytest.approx(lost["mean ability"].value)
    assert none.weights == pytest.approx(mean_weights(GROUPS))
    assert all_of_it.value == pytest.approx(lost["b"].value)
    assert all_of_it.weights == pytest.approx({"a": 0, "b": 1, "c": 0})
    assert none.value < half.value < all_of_it.value
    assert sum(half.weights[task] * lost[task].value for task in "abc") == pytest.approx(half.value)
    assert all(found.low < found.value < found.high for found in (none, half, all_of_it))


def test_its_interval_holds_the_truth_where_the_worst_task_is_the_worst_by_luck():
    """Three tasks that truly lose alike: the resamples' own quantiles would hold it in about three tries of four."""
    generator = np.random.default_rng(2)
    groups = {task: [task] for task in "abc"}
    held = 0
    for _ in range(120):
        found = robust_tax(results(generator), results(generator, (5, 5, 5)), groups, most(groups))
        held += found.low <= 5 <= found.high
    assert held / 120 >= 0.86
