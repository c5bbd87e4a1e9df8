"""The arithmetic of a merge: exact ends, one rounding, and cures for deltas of one unit in the last place."""

import pytest
import torch

from hma.checkpoints.precision import DTYPES, EffectiveAlpha, merged
from hma.core.precision import Precision
from hma.errors import CheckpointError

HALVES = ("bfloat16", "float16")
EVERY = [Precision(dtype, rounding) for dtype in (None, *DTYPES) for rounding in ("nearest", "stochastic")]


def pair(dtype=torch.bfloat16, shape=(64, 257), seed=0):
    """Two ends that differ by one unit in the last place in about a fifth of their weights."""
    torch.manual_seed(seed)
    policy = torch.randn(shape).to(dtype)
    moved = torch.rand(shape) < 0.2
    reference = torch.where(moved, (policy.view(torch.int16) + 1).view(dtype), policy)
    return reference, policy


def effective(reference, policy, alpha, precision):
    found = EffectiveAlpha()
    found.add(merged(reference, policy, alpha, precision, "w"), reference, policy)
    return found.value


@pytest.mark.parametrize("precision", EVERY, ids=str)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_ends_are_exact_wherever_the_dtype_can_hold_them(dtype, precision):
    torch.manual_seed(1)
    reference, policy = torch.randn(999).to(dtype), torch.randn(999).to(dtype)
    for alpha, end in ((0.0, policy), (1.0, reference)):
        made = merged(reference, policy, alpha, precision, "w")
        if made.dtype in (dtype, torch.float32):
            assert torch.equal(made, end.to(made.dtype))
        else:
            assert (made.float() - end.float()).abs().max() <= torch.finfo(made.dtype).eps * end.float().abs().max()


@pytest.mark.parametrize("precision", EVERY, ids=str)
def test_equal_weights_stay_equal(precision):
    torch.manual_seed(2)
    same = torch.randn(5000).to(torch.bfloat16)
    assert torch.equal(merged(same, same.clone(), 0.3, precision, "w").to(torch.bfloat16), same)


@pytest.mark.parametrize("dtype", list(DTYPES))
def test_every_element_is_within_half_a_unit_of_the_exact_merge(dtype):
    torch.manual_seed(3)
    reference, policy = torch.randn(4000).to(DTYPES[dtype]), torch.randn(4000).to(DTYPES[dtype])
    exact = 0.37 * reference.double() + 0.63 * policy.double()
    made = merged(reference, policy, 0.37, Precision(dtype))
    slack = 2 * torch.finfo(torch.float32).eps * torch.maximum(reference.abs(), policy.abs()).double()
    assert ((made.double() - exact).abs() <= torch.finfo(made.dtype).eps / 2 * exact.abs() + slack).all()


def test_nearest_rounding_loses_small_alphas_of_a_delta_of_one_unit_and_each_cure_keeps_them():
    reference, policy = pair()
    assert effective(reference, policy, 0.2, Precision()) == 0  # "averaging does nothing until 0.5, then flips"
    assert effective(reference, policy, 0.8, Precision()) == 1
    assert effective(reference, policy, 0.2, Precision("float32")) == pytest.approx(0.2, abs=1e-4)
    assert effective(reference, policy, 0.2, Precision("float16")) == pytest.approx(0.2, abs=0.06)
    assert effective(reference, policy, 0.2, Precision(rounding="stochastic")) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("dtype", HALVES)
def test_stochastic_rounding_is_right_on_average_and_takes_a_neighbour(dtype):
    exact = torch.tensor([1.0 + 0.3 * torch.finfo(DTYPES[dtype]).eps, -2.7, 1e-3, -3e-8, 0.0, 1.5]).repeat(40_000, 1)
    made = merged(exact + 1, exact - 1, 0.5, Precision(dtype, "stochastic"), "w").float()
    wanted = torch.lerp(exact - 1, exact + 1, 0.5)
    low, high = made.min(0).values, made.max(0).values
    assert ((made == low) | (made == high)).all()
    assert ((low <= wanted[0]) & (wanted[0] <= high)).all()
    spread = (high - low).clamp_min(1e-12)
    assert ((made.mean(0) - wanted[0]).abs() <= 4 * spread / 2 / 200 + 1e-9).all()


@pytest.mark.parametrize("dtype", HALVES)
def test_stochastic_rounding_hangs_on_seed_name_and_place_alone(dtype):
    torch.manual_seed(4)
    reference, policy = torch.randn(3000), torch.randn(3000)
    precision = Precision(dtype, "stochastic", seed=7)
    whole = merged(reference, policy, 0.4, precision, "a")
    pieces = [merged(reference[i : i + 700], policy[i : i + 700], 0.4, precision, "a", first=i) for i in range(0, 3000, 700)]
    assert torch.equal(whole, torch.cat(pieces))
    assert not torch.equal(whole, merged(reference, policy, 0.4, precision, "b"))
    assert not torch.equal(whole, merged(reference, policy, 0.4, Precision(dtype, "stochastic", seed=8), "a"))


def test_an_overflow_of_float16_is_refused_by_name():
    big = torch.tensor([1.0, 70000.0]).to(torch.bfloat16)
    with pytest.raises(CheckpointError, match=r"model\.w holds 70144, and float16 ends at 65504"):
        merged(big, big, 0.5, Precision("float16"), "model.w")
