"""The gradient with respect to alphas: a dot product a tensor equals autograd through the merge, however the ends are held."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.checkpoints.weights import LiveWeights
from hma.core.partition import Partition, place_of
from hma.core.recipe import Recipe
from tests import tiny

IDS = torch.tensor([[1, 4, 5, 10, 11, 12], [1, 7, 5, 13, 14, 2]])


def loss_of(model, weights=None):
    inputs = {"input_ids": IDS, "labels": IDS, "use_cache": False}
    return model(**inputs).loss if weights is None else functional_call(model, weights, (), inputs).loss


def by_autograd(model, ends, recipe):
    """d loss / d alpha by differentiating through the merge itself."""
    alphas = torch.tensor(recipe.alphas, dtype=torch.float64, requires_grad=True)
    merged = {}
    for name, (reference, policy) in ends.items():
        block = recipe.partition.block_of(name, reference.shape)
        merged[name] = reference if block is None else policy + alphas[block] * (reference - policy)
    loss = loss_of(model, merged)
    return torch.autograd.grad(loss, alphas)[0].numpy()


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def wide(request, tmp_path_factory):
    """A model in float64, and its parameters' two ends."""
    folders = tiny.write_pair(tmp_path_factory.mktemp("pair"), tied=request.param)
    live = LiveModel(open_pair(*folders))
    both = []
    for share in (1.0, 0.0):
        live.write(Recipe(Partition.equal(3, 1), (share,)))
        both.append({name: weight.detach().double().clone() for name, weight in live.model.named_parameters()})
    model = live.model.double()
    return model, {name: (both[0][name], both[1][name]) for name in both[0]}


@pytest.mark.parametrize("hold", ["dense", "host", "sparse"])
@pytest.mark.parametrize(
    "partition",
    [Partition.equal(3), Partition.equal(3, 1), Partition(3, (0, 1), ("embeddings", "norm", "head")), "linear only"],
    ids=["thirds", "one", "own", "linear"],
)
def test_dot_products_equal_autograd_through_the_merge(wide, hold, partition):
    model, ends = wide
    if partition == "linear only":
        partition = Partition(3, (0, 1, 2), ("head",), linear_only=True)
    recipe = Recipe(partition, tuple(np.linspace(0.2, 0.7, partition.num_blocks)))
    weights = LiveWeights(3, [(n, p, *ends[n]) for n, p in model.named_parameters()], hold)
    weights.write(recipe)
    with weights.slopes(partition) as slopes:
        loss_of(model).backward()
    expected = by_autograd(model, ends, recipe)
    assert np.abs(expected).max() > 1e-3
    assert slopes.values == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_two_passes_add_up_and_nothing_is_left_behind(wide):
    model, ends = wide
    partition = Partition.equal(3)
    weights = LiveWeights(3, [(n, p, *ends[n]) for n, p in model.named_parameters()])
    weights.write(Recipe(partition, (0.1, 0.5, 0.9)))
    with weights.slopes(partition) as once:
        loss_of(model).backward()
    with weights.slopes(partition) as twice:
        for _ in range(2):
            loss_of(model).backward()
            assert all(parameter.grad is None for parameter in model.parameters())
    assert twice.values == pytest.approx(2 * once.values)
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_live_model_of_a_pair_has_slopes(dtype, tmp_path):
    """Of a pair as it is stored, after a write in other numbers too; each way of holding gives the same."""
    pair = open_pair(*tiny.write_pair(tmp_path, dtype=dtype))
    partition = Partition.equal(3)
    found = []
    for hold in ("dense", "host", "sparse"):
        live = LiveModel(pair, hold=hold)
        live.write(Recipe(partition, (0.3, 0.3, 0.3)))
        with live.slopes(partition) as slopes:
            loss_of(live.model).backward()
        found.append(slopes.values)
    assert np.abs(found[0]).max() > 0.01
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-4, abs=1e-6)
    step = 0.05
    losses = []
    for share in (0.3 - step, 0.3 + step):
        live.write(Recipe(partition, (share,)))
        losses.append(loss_of(live.model).item())
    assert found[0].sum() == pytest.approx((losses[1] - losses[0]) / (2 * step), rel=0.1, abs=0.02)


def test_a_block_whose_ends_are_equal_has_no_slope(wide):
    model, ends = wide
    partition = Partition.equal(3)
    same = {n: (p, p) if place_of(n, p.shape).part == 1 else (r, p) for n, (r, p) in ends.items()}
    weights = LiveWeights(3, [(n, p, *same[n]) for n, p in model.named_parameters()])
    weights.write(Recipe(partition, (0.4, 0.4, 0.4)))
    with weights.slopes(partition) as slopes:
        loss_of(model).backward()
    assert slopes.values[1] == 0
    assert slopes.values[0] != 0
