"""What a fit lets fall: its slopes are those of its values, and it moves with alphas in half precision too."""

import numpy as np
import pytest
import torch

from hma.checkpoints import live as live_models
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core.fit import Fit
from hma.core.partition import Partition
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe
from hma.methods.objective import FitObjective
from hma.methods.texts import Text
from tests import tiny

THIRDS = Partition.equal(3)


def texts(seed, count=6):
    """Texts of random tokens, of several lengths."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(2, 9, size=(count, 2))
    made = [[tuple(map(int, draw.integers(4, len(tiny.WORDS), size=n))) for n in both] for both in lengths]
    return [Text(str(i), prompt, answer, "") for i, (prompt, answer) in enumerate(made)]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A pair in float64, both ends decided."""
    return LiveModel(open_pair(*tiny.write_pair(tmp_path_factory.mktemp("wide"), dtype="float64", decided=True)))


@pytest.mark.parametrize("whole", [False, True], ids=["answers", "whole"])
@pytest.mark.parametrize("l1", [0.0, 0.003], ids=["plain", "l1"])
@pytest.mark.parametrize("weights", [(1.0,), (0.7, 0.3)], ids=["one", "two"])
def test_slopes_are_those_of_the_values(wide, whole, l1, weights):
    fit = Fit(THIRDS, mean=0.4, l1=l1, whole=whole)
    objective = FitObjective(fit, wide, [(weight, texts(seed)) for seed, weight in enumerate(weights)])
    at, step = np.array([0.15, 0.62, 0.33]), 1e-3  # Likelihoods are in float32: less would lose its digits.
    _, slopes = objective(at)
    assert np.abs(slopes).min() > 1e-3
    for k in range(3):
        move = step * np.eye(3)[k]
        assert slopes[k] == pytest.approx((objective(at + move)[0] - objective(at - move)[0]) / (2 * step), rel=1e-3, abs=3e-4)


def test_a_text_that_weighs_more_counts_more(wide):
    fit, alphas = Fit(THIRDS, mean=0.4), np.full(3, 0.4)
    one, other = (FitObjective(fit, wide, [(1.0, texts(seed))])(alphas)[0] for seed in (0, 1))
    both, _ = FitObjective(fit, wide, [(0.7, texts(0)), (0.3, texts(1))])(alphas)
    assert both == pytest.approx(0.7 * one + 0.3 * other)
    assert abs(one - other) > 0.01


@pytest.fixture(scope="module")
def one_ulp(tmp_path_factory):
    """A pair in bfloat16 of which each weight differs by one unit in the last place: there is no number between."""
    from transformers import AutoModelForCausalLM

    reference, policy = tiny.write_pair(tmp_path_factory.mktemp("ulp"), dtype="bfloat16", decided=True)
    model = AutoModelForCausalLM.from_pretrained(reference, dtype="auto")
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            bits = weight.view(torch.int16)
            bits.add_(torch.randint(0, 2, weight.shape, generator=draw, dtype=torch.int16) * 2 - 1)
    model.save_pretrained(policy)
    return open_pair(reference, policy)


@pytest.mark.parametrize("hold", ["dense", "host", "sparse"])
@pytest.mark.parametrize("room", [None, 0], ids=["float32", "no room for it"])
def test_a_pair_of_one_unit_in_the_last_place_has_an_objective_that_moves(one_ulp, monkeypatch, hold, room):
    live = LiveModel(one_ulp, hold=hold)
    if room is not None:
        monkeypatch.setattr(live_models, "available_memory", lambda: room)
    assert live.fine == (Precision("float32") if room is None else Precision(rounding="stochastic"))
    objective = FitObjective(Fit(THIRDS, mean=0.4), live, [(1.0, texts(0))])
    assert ("at random" in objective.note) == (room is not None)
    shares = np.linspace(0, 0.49, 8)
    found = [objective(np.full(3, share)) for share in shares]
    values = np.array([value for value, _ in found])
    assert len(set(values)) == len(values)
    if room is None:  # And as its slopes say: rounded at random it does so only about.
        slopes = np.array([slopes.sum() for _, slopes in found])
        promised = np.diff(shares) * (slopes[1:] + slopes[:-1]) / 2
        assert np.diff(values) == pytest.approx(promised, rel=0.05, abs=2e-6)
    recipe = Recipe(THIRDS, (0.3,) * 3, live.fine)
    live.write(recipe)
    assert live.effective_alphas(recipe) == pytest.approx([0.3] * 3, abs=0.02 if room is None else 0.1)


def test_what_was_fitted_is_then_written_as_its_recipe_says(one_ulp):
    live = LiveModel(one_ulp)
    FitObjective(Fit(THIRDS, mean=0.4), live, [(1.0, texts(0))])(np.full(3, 0.4))
    assert live.model.dtype == torch.float32
    live.write(Recipe(THIRDS, (0.4,) * 3))
    assert live.model.dtype == torch.bfloat16
    assert live.effective_alphas(Recipe(THIRDS, (0.4,) * 3)) == (0.0,) * 3  # The step that a fit must not see.


def test_a_pair_in_float32_is_fitted_as_it_is(live):
    assert live.fine == NEAREST
