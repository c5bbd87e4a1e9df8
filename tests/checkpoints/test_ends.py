"""Ways of holding two ends: the same bits and effective alphas from each, and no more bytes than they say."""

import pytest
import torch

from hma.checkpoints.ends import Dense, Ferry, Host
from hma.checkpoints.precision import DTYPES, merge_into
from hma.checkpoints.sparse import Sparse
from hma.core.precision import Precision
from hma.errors import CheckpointError

EVERY = [Precision(dtype, rounding, seed) for dtype in (None, *DTYPES) for rounding, seed in (("nearest", 0), ("stochastic", 3))]
STORED = [torch.bfloat16, torch.float16, torch.float32]


def two_ends(dtype, share=0.2, count=1201, scale=1.0):
    """Ends that differ in a share of their elements, with small and subnormal numbers and zeros of both signs."""
    torch.manual_seed(0)
    policy = torch.randn(count) * scale
    policy[::7] *= 1e-5
    policy[::11] *= 1e-8
    policy[3:6] = torch.tensor([0.0, -0.0, -0.0])
    reference = torch.where(torch.rand(count) < share, policy + 0.1 * torch.randn(count), policy)
    reference[3:6] = torch.tensor([-0.0, 0.0, -0.0])
    return reference.to(dtype), policy.to(dtype)


def parameter(dtype, count):
    return torch.nn.Parameter(torch.full((count,), 7.0, dtype=dtype), requires_grad=False)


def held(hold, reference, policy, own=None):
    live = parameter(own or policy.dtype, len(policy))
    if hold == "host":
        return Host(Ferry(torch.device("cpu"), 1000), "w", live, reference, policy)
    return {"dense": Dense, "sparse": Sparse}[hold]("w", live, reference, policy)


def same_bits(one, other):
    assert one.dtype == other.dtype
    kind = torch.int16 if one.element_size() == 2 else torch.int32
    return torch.equal(one.view(kind), other.view(kind))


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("own", STORED, ids=str)
@pytest.mark.parametrize("stored", STORED, ids=str)
@pytest.mark.parametrize("hold", ["host", "sparse"])
def test_every_way_gives_the_bits_of_the_dense_one_whatever_was_written_before(hold, stored, own, share):
    """Through every dtype and rounding and back: what a dtype cannot hold of equal weights is not lost for the next."""
    reference, policy = two_ends(stored, share)
    dense, other = held("dense", reference, policy, own), held(hold, reference, policy, own)
    for precision in (*EVERY, *reversed(EVERY)):
        for alpha in (0.3, 0.0, 1.2, 1.0, -0.3):
            dense.write(alpha, precision)
            other.write(alpha, precision)
            assert same_bits(other.parameter.data, dense.parameter.data), (alpha, precision)
            found, wanted = other.effective(), dense.effective()
            assert (found.value is None) == (wanted.value is None)
            assert wanted.value is None or found.value == pytest.approx(wanted.value, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("hold", ["dense", "host", "sparse"])
@pytest.mark.parametrize("stored", STORED, ids=str)
def test_both_ends_are_exact(stored, hold):
    reference, policy = two_ends(stored)
    ends = held(hold, reference.clone(), policy.clone())
    for alpha, end in ((0.0, policy), (0.4, None), (1.0, reference), (0.0, policy)):
        ends.write(alpha, Precision())
        assert end is None or same_bits(ends.parameter.data, end)


def test_pieces_of_many_elements_and_sparse_spans_meet_without_a_seam():
    reference, policy = two_ends(torch.bfloat16, share=0.4, count=1_500_000)
    precision = Precision(rounding="stochastic", seed=5)
    wanted = torch.empty_like(policy)
    merge_into(wanted, reference, policy, 0.3, precision, "w")
    for ends in (
        held("sparse", reference, policy),
        Host(Ferry(torch.device("cpu")), "w", parameter(policy.dtype, len(policy)), reference, policy),
    ):
        ends.write(0.3, precision)
        assert same_bits(ends.parameter.data, wanted)


def test_a_sparse_weight_starts_as_the_policy_and_holds_changed_elements_alone():
    reference, policy = two_ends(torch.bfloat16)
    ends = held("sparse", reference, policy)
    assert same_bits(ends.parameter.data, policy)
    bits = [end.view(torch.int16) for end in (reference, policy)]
    touched = int(((bits[0] != bits[1]) | (bits[1] == -(1 << 15))).sum())
    assert ends.held_bytes == touched * (4 + 2 + 2)
    before = ends.parameter.data.data_ptr()
    ends.write(0.3, Precision(rounding="stochastic"))
    assert ends.parameter.data.data_ptr() == before


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_a_sparse_weight_never_holds_more_than_both_ends(share):
    reference, policy = two_ends(torch.bfloat16, share)
    ends = held("sparse", reference, policy)
    assert ends.held_bytes == reference.nbytes + policy.nbytes == held("dense", reference, policy).held_bytes


def test_what_a_dtype_cannot_hold_is_kept_beside_until_the_way_back():
    reference, policy = two_ends(torch.bfloat16)
    ends = held("sparse", reference, policy)
    before = ends.held_bytes
    ends.write(0.0, Precision("float32"))
    assert ends.held_bytes == before  # float32 holds every bfloat16
    ends.write(0.0, Precision("float16"))
    assert before < ends.held_bytes < before + policy.nbytes / 2  # only the smallest numbers are lost
    ends.write(0.0, Precision())
    assert ends.held_bytes == before
    assert same_bits(ends.parameter.data, policy)


@pytest.mark.parametrize("hold", ["dense", "host", "sparse"])
@pytest.mark.parametrize("place", ["equal", "changed"])
def test_after_an_overflow_the_next_write_is_right(hold, place):
    reference, policy = two_ends(torch.bfloat16)
    differs = reference != policy
    at = int((differs if place == "changed" else ~differs).nonzero()[-1])
    policy[at] = 70000.0
    reference[at] = 60000.0 if place == "changed" else 70000.0
    ends = held(hold, reference, policy)
    ends.write(0.2, Precision())
    with pytest.raises(CheckpointError, match="w holds 70144, and float16 ends at 65504"):
        ends.write(0.0, Precision("float16"))
    if place == "changed":  # what counts is the merge, not the ends
        ends.write(0.9, Precision("float16"))
        assert torch.isfinite(ends.parameter.data).all()
    ends.write(0.0, Precision())
    assert same_bits(ends.parameter.data, policy)


def test_host_pieces_are_as_large_as_the_rooms_and_one_end_is_enough_at_an_end():
    ferry = Ferry(torch.device("cpu"), 1000)
    reference, policy = two_ends(torch.bfloat16, count=1200)
    pieces = [(first, [piece.numel() for piece in ends]) for first, ends in ferry.pieces([reference, policy])]
    assert pieces == [(0, [500, 500]), (500, [500, 500]), (1000, [200, 200])]
    assert [len(ends) for _, ends in ferry.pieces([policy])] == [1, 1, 1]


def test_ends_of_no_elements_are_held_in_every_way():
    nothing = torch.empty(0, dtype=torch.bfloat16)
    for hold in ("dense", "host", "sparse"):
        ends = held(hold, nothing, nothing)
        ends.write(0.5, Precision("float32", "stochastic"))
        assert ends.parameter.numel() == 0
        assert ends.effective().value is None


@pytest.mark.parametrize("hold", ["dense", "host", "sparse"])
@pytest.mark.parametrize("stored", STORED, ids=str)
def test_beyond_an_end_a_weight_goes_on_along_the_line_and_equal_weights_stay(stored, hold):
    reference, policy = two_ends(stored)
    ends = held(hold, reference, policy)
    for alpha in (1.2, -0.5, 2.0):
        ends.write(alpha, Precision("float32"))
        wanted = policy.double() + alpha * (reference.double() - policy.double())
        assert torch.allclose(ends.parameter.data.double(), wanted, rtol=1e-5, atol=1e-6)
        assert ends.effective().value == pytest.approx(alpha, abs=1e-4)
        ends.write(alpha, Precision())
        assert torch.equal(ends.parameter.data[reference == policy], policy[reference == policy])


@pytest.mark.parametrize("hold", ["dense", "host", "sparse"])
@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16], ids=str)
def test_what_does_not_fit_beyond_an_end_is_refused_and_the_next_write_is_right(stored, hold):
    reference, policy = two_ends(stored)
    reference[0], policy[0] = torch.finfo(stored).max, -1.0
    ends = held(hold, reference, policy)
    with pytest.raises(CheckpointError, match=f"At alpha 1.5 a number of w does not fit into {str(stored)[6:]}"):
        ends.write(1.5, Precision())
    ends.write(1.0, Precision())
    assert same_bits(ends.parameter.data, reference)
