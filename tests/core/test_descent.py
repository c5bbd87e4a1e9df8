"""Projected gradient descent: it falls at every step, ends at the minimum within Omega, and goes on from where it was."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.core.descent import Step, descend
from hma.core.omega import Omega, PaperForm


def bowl(centre, curvature):
    centre, curvature = np.array(centre), np.array(curvature)

    def objective(alphas):
        away = alphas - centre
        return float((curvature * away**2).sum()), 2 * curvature * away

    return objective


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


def test_a_symmetric_objective_keeps_equal_alphas():
    assert last(bowl([0.9] * 4, [3.0] * 4), Omega(4, 0.3)).alphas == pytest.approx([0.3] * 4)


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
