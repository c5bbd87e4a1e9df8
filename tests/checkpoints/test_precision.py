"""The arithmetic of a merge: exact ends, one rounding, and cures for deltas of one unit in the last place."""

import pytest
import torch

from hma.checkpoints import precision as module
from hma.checkpoints.precision import DTYPES, EffectiveAlpha, merge_into, merged
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


def at_random(exact, dtype, first=0):
    return merged(exact, exact, 0.5, Precision(dtype, "stochastic"), "w", first)


def every(dtype):
    """Every finite number of a dtype of 16 bits, from the lowest up: both zeros and all subnormals among them."""
    numbers = torch.arange(-(1 << 15), 1 << 15).to(torch.int16).view(DTYPES[dtype])
    return numbers[numbers.isfinite()].float().sort(stable=True).values


def same_bits(one, other):
    return one.dtype == other.dtype and bool((one.view(torch.uint8) == other.view(torch.uint8)).all())


@pytest.mark.parametrize("dtype", HALVES)
def test_stochastic_rounding_keeps_what_the_dtype_can_hold(dtype):
    numbers = every(dtype).repeat(8)
    assert same_bits(at_random(numbers, dtype), numbers.to(DTYPES[dtype]))


@pytest.mark.parametrize("dtype", HALVES)
def test_stochastic_rounding_takes_a_neighbour_from_the_smallest_subnormal_to_the_largest_number(dtype):
    numbers = every(dtype)
    low, high = numbers[:-1].double(), numbers[1:].double()
    torch.manual_seed(5)
    for share in (1e-6, 0.1, 0.5, 0.9, 1 - 1e-6, torch.rand(len(low), dtype=torch.float64)):
        exact = (low + share * (high - low)).float().clamp(low.float(), high.float())
        made = at_random(exact, dtype)
        assert ((made.double() == low) | (made.double() == high)).all()
        assert (made.signbit() == exact.signbit()).all()


@pytest.mark.parametrize("dtype", HALVES)
def test_over_every_random_number_the_average_of_stochastic_rounding_is_exact(dtype, monkeypatch):
    bits = {"bfloat16": 16, "float16": 13}[dtype]
    monkeypatch.setattr(module, "_hashed", lambda count, start, first, device: torch.arange(count, dtype=torch.int32))
    normal = [1.0 + 0.37 * torch.finfo(DTYPES[dtype]).eps, -2.7, 1e-3, -6.2e-5, 3.0e4]
    small = [6.1e-5, -3e-5, 5.97e-8, -3e-8, 1e-9, -1e-11, 1e-40]
    for number in (*normal, *small):
        exact = torch.full((1 << bits,), number)
        error = abs(at_random(exact, dtype).double().mean() - exact[0].double())
        assert error <= (2.0**-38 if dtype == "float16" and number in small else 0)


def test_stochastic_rounding_is_drawn_anew_at_every_place():
    made = at_random(torch.full((1 << 16,), 1 + 2.0**-11), "float16") == 1
    for step in (1, 2, 3, 64, 1 << 15):
        agree = (made[step:] == made[:-step]).double().mean()
        assert agree == pytest.approx(0.5, abs=5 * 0.5 / len(made[step:]) ** 0.5)


@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("alpha", [0.0, 1e-3, 0.3, 0.5, 0.7, 1.0])
def test_merging_in_place_and_in_pieces_gives_the_same_bits_for_numbers_of_every_size(dtype, alpha):
    torch.manual_seed(6)
    kind = torch.int32 if dtype == "float32" else torch.int16
    bound = torch.iinfo(kind).max
    ends = [torch.randint(-bound, bound, (300_007,), dtype=kind).view(DTYPES[dtype]) for _ in range(2)]
    reference, policy = (torch.where(end.isfinite(), end, torch.zeros_like(end)) for end in ends)
    whole, pieces = torch.empty_like(policy), torch.empty_like(policy)
    merge_into(whole, reference, policy, alpha)
    assert same_bits(whole, merged(reference, policy, alpha))
    step = 1013
    for first in range(0, len(policy), step):
        span = slice(first, first + step)
        merge_into(pieces[span], reference[span], policy[span], alpha, first=first)
    assert same_bits(whole, pieces)


@pytest.mark.parametrize("dtype", HALVES)
def test_stochastic_rounding_hangs_on_seed_name_and_place_alone(dtype):
    torch.manual_seed(4)
    reference, policy = torch.randn(3000), torch.randn(3000)
    precision = Precision(dtype, "stochastic", seed=7)
    whole = merged(reference, policy, 0.4, precision, "a")
    for step in (700, 333, 1):
        spans = [slice(first, first + step) for first in range(0, 3000, step)]
        pieces = [merged(reference[span], policy[span], 0.4, precision, "a", first=span.start) for span in spans]
        assert torch.equal(whole, torch.cat(pieces))
    assert not torch.equal(whole, merged(reference, policy, 0.4, precision, "b"))
    assert not torch.equal(whole, merged(reference, policy, 0.4, Precision(dtype, "stochastic", seed=8), "a"))


def test_an_overflow_of_float16_is_refused_by_name():
    big = torch.tensor([1.0, 70000.0]).to(torch.bfloat16)
    with pytest.raises(CheckpointError, match=r"model\.w holds 70144, and float16 ends at 65504"):
        merged(big, big, 0.5, Precision("float16"), "model.w")


def test_float64_ends_are_averaged_in_float64():
    reference, policy = torch.randn(2, 1000, dtype=torch.float64)
    made = merged(reference, policy, 0.3)
    assert (made - (0.3 * reference + 0.7 * policy)).abs().max() < 1e-15
    assert torch.equal(made, torch.lerp(policy, reference, 0.3))
