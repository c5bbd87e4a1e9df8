"""Projected gradient descent: it falls at every step, ends at the minimum within Omega, and goes on from where it was."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hma.core.descent import Step, descend
from hma.core.fit import l1_slopes
from hma.core.omega import Omega, PaperForm


def bowl(centre, curvature):
    centre, curvature = np.array(centre), np.array(curvature)

    def objective(alphas):
        away = alphas - centre
        return float((curvature * away**2).sum()), 2 * curvature * away

    return objective


class Begun(Omega):
    """Omega with another start."""

    def __init__(self, num_blocks, mean, start):
        super().__init__(num_blocks, mean)
        object.__setattr__(self, "_begun", np.array(start))

    start = property(lambda self: self._begun)


def last(objective, space, **options):
    return list(descend(objective, space, **options))[-1]


@given(
    st.integers(1, 9).flatmap(
        lambda k: st.tuples(*[st.lists(st.floats(low, high), min_size=k, max_size=k) for low, high in ((-0.5, 1.5), (0.1, 30))])
    ),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_it_falls_keeps_omega_and_ends_at_the_minimum(shape, mean):
    omega, objective = Omega(len(shape[0]), mean), bowl(*shape)
    steps = list(descend(objective, omega, 500))
    values = [step.objective for step in steps]
    assert all(after <= before for before, after in itertools.pairwise(values))
    assert steps[-1].settled
    for step in steps:
        assert min(step.alphas) >= 0 and max(step.alphas) <= 1
        if mean is not None:
            assert np.mean(step.alphas) == pytest.approx(mean, abs=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(50):  # No other alphas of this box and mean are better by a hundredth.
        other = omega.project(np.array(steps[-1].alphas) + rng.normal(scale=rng.choice([0.01, 0.1, 1]), size=omega.num_blocks))
        assert objective(other)[0] >= values[-1] - max(0.005, 0.01 * abs(values[-1]))


@pytest.mark.parametrize("start", [(0.9, 0.1, 0.1, 0.1), (0.0, 0.0, 0.6, 0.6), (0.3, 0.3, 0.3, 0.3)])
def test_a_symmetric_objective_has_equal_alphas(start):
    """From wherever it begins."""
    found = last(bowl([0.9] * 4, [3.0] * 4), Begun(4, 0.3, start=start))
    assert found.settled
    assert found.alphas == pytest.approx([0.3] * 4, abs=0.01)


def test_it_goes_on_from_a_step_as_if_it_had_never_stopped():
    objective, omega = bowl([0.9, -0.2, 0.4], [5, 0.3, 11]), Omega(3, 0.5)
    whole = list(descend(objective, omega))
    assert len(whole) > 3
    for stop in range(1, len(whole)):
        kept = Step.from_dict(whole[stop - 1].to_dict())
        assert [*whole[:stop], *descend(objective, omega, begun=kept)] == whole


def test_the_papers_form_gets_there_too():
    objective = bowl([0.7, 0.3, 0.2], [1, 1, 1])
    found, best = last(objective, PaperForm(3, 0.4, 0.0), max_steps=300), last(objective, Omega(3, 0.4))
    assert found.alphas == pytest.approx(best.alphas, abs=0.03)
    assert np.mean(found.alphas) == pytest.approx(0.4)


def test_it_ends_where_nothing_moves():
    flat = last(lambda alphas: (1.0, np.zeros(3)), Omega(3, 0.2))
    assert flat.settled
    assert flat.measured == 1


def test_it_is_stuck_where_the_slope_promises_a_fall_that_no_move_brings():
    """Its objective does not move: that is told apart from a minimum, and goes no further."""
    steps = list(descend(lambda alphas: (1.0, np.array([1.0, 0.0, -1.0])), Omega(3, 0.4)))
    assert len(steps) == 2
    assert steps[-1].stuck and not steps[-1].settled and steps[-1].ending == "stuck"
    assert steps[-1].alphas == steps[0].alphas == (0.4,) * 3
    assert steps[-1].measured > 5
    kept = Step.from_dict(steps[-1].to_dict())
    assert list(descend(lambda alphas: (0.0, np.zeros(3)), Omega(3, 0.4), begun=kept)) == []


@settings(max_examples=20)
@given(
    st.lists(st.floats(-0.5, 1.5), min_size=3, max_size=3),
    st.lists(st.floats(0.1, 3), min_size=3, max_size=3),
    st.lists(st.floats(0, 2), min_size=3, max_size=3),
    st.floats(0.05, 0.95),
    st.booleans(),
)
def test_a_regulariser_with_a_kink_is_no_obstacle(centre, curvature, weights, mean, is_paper):
    """It starts in its kink, and ends at the best alphas of a grid, or where a heavy one holds all at their mean."""
    smooth, weights = bowl(centre, curvature), np.array(weights)

    def objective(alphas):
        value, slopes = smooth(alphas)
        away = alphas - mean
        return value + float(weights @ np.abs(away)), slopes + l1_slopes(slopes, weights, away)

    steps = list(descend(objective, PaperForm(3, mean, 0.0) if is_paper else Omega(3, mean)))
    moves = np.linspace(-1, 1, 41)
    grid = [mean + np.array([a, b, -a - b]) for a in moves for b in moves]
    best = min(objective(alphas)[0] for alphas in grid if alphas.min() >= 0 and alphas.max() <= 1)
    assert steps[-1].objective <= best + 0.01 * max(1, abs(best))


def test_a_heavy_regulariser_is_settled_where_it_starts():
    weights = np.array([2.0, 5.0, 2.0])
    smooth = bowl([0.9, 0.1, 0.2], [1, 1, 1])

    def objective(alphas):
        value, slopes = smooth(alphas)
        return value + float(weights @ np.abs(alphas - 0.4)), slopes + l1_slopes(slopes, weights, alphas - 0.4)

    steps = list(descend(objective, Omega(3, 0.4)))
    assert [step.settled for step in steps] == [False, True]
    assert steps[-1].measured == 1
