"""Which way of holding is taken, by what fits, and how much the sparse one is told to take."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from hma.checkpoints.hold import Memory, changed_bytes, choose
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.checkpoints.weights import LiveWeights
from hma.errors import CheckpointError
from tests import tiny

GB = 1_000_000_000


def memory(device, free, host=200 * GB):
    """A 7B in bfloat16: a margin of 3.5 GB, 45.5 GB densely, 17.5 GB with nothing beside the live model."""
    return Memory(device, live=14 * GB, ends=28 * GB, device_free=free, host_free=host)


def never():
    raise AssertionError("nothing was to be read")


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
@pytest.mark.parametrize("free", [45_500_000_000, None])
def test_dense_is_taken_where_it_fits_without_a_look_at_the_weights(device, free):
    assert choose(memory(device, free), never) == "dense"


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_sparse_is_taken_where_few_enough_weights_changed(device):
    assert choose(memory(device, 45_499_999_999), lambda: 28 * GB - 1) == "sparse"
    assert choose(memory(device, 24 * GB), lambda: 6_500_000_000) == "sparse"


def test_host_memory_is_taken_on_cuda_where_too_many_changed():
    assert choose(memory("cuda", 24 * GB), lambda: 6_500_000_001) == "host"
    assert choose(memory("cuda", 24 * GB, host=28 * GB), lambda: 28 * GB) == "host"
    assert choose(memory("cuda", 24 * GB, host=None), lambda: 28 * GB) == "host"


def test_the_cpu_leaves_in_their_files_what_fits_in_no_way():
    assert choose(memory("cpu", 24 * GB), lambda: 28 * GB) == "dense"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (memory("cuda", 17 * GB), r"live model takes 14 GB, both checkpoints 28 GB .* 20 GB\) .* but 17 GB .* are free\. Free"),
        (memory("mps", 24 * GB), r"but 24 GB of the device's memory are free\. Free"),
        (memory("cuda", 24 * GB, host=27 * GB), r"but 24 GB of the device's memory are free, and 27 GB of the host's"),
    ],
)
def test_what_fits_in_no_way_is_refused_with_both_numbers(found, said):
    with pytest.raises(CheckpointError, match=said):
        choose(found, lambda: 20 * GB)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_what_sparse_holding_takes_is_known_from_windows_of_the_files(dtype, tmp_path):
    """The tiny tensors are read whole, so that it is exact; of a large one evenly spaced windows stand for the rest."""
    folders = tiny.write_pair(tmp_path, dtype=dtype)
    torch.manual_seed(0)
    policy = load_file(folders[1] / "model.safetensors")
    large = torch.randn(2000, 300).to(getattr(torch, dtype))
    moved = torch.where(torch.rand(large.shape) < 0.2, large + 1, large)
    for folder, tensor in zip(folders, (large, moved), strict=True):
        weights = load_file(folder / "model.safetensors")
        if folder == folders[0]:  # one in ten of the small ones differs
            weights = {n: torch.where(torch.rand(w.shape) < 0.1, w, policy[n]) for n, w in weights.items()}
        save_file({**weights, "model.layers.0.extra.weight": tensor}, folder / "model.safetensors", metadata={"format": "pt"})
    pair = open_pair(*folders)
    reference, policy = (load_file(folder / "model.safetensors") for folder in folders)
    weights = [(n, torch.nn.Parameter(p, requires_grad=False), reference[n], p.clone()) for n, p in policy.items()]
    assert changed_bytes(pair) == pytest.approx(LiveWeights(3, weights, "sparse").held_bytes, rel=0.05)


def test_the_live_model_says_what_was_taken(tiny_pair, monkeypatch):
    pair = open_pair(*tiny_pair)
    assert LiveModel(pair).hold == "dense"
    assert LiveModel(pair, hold="host").hold == "host"
    size = sum(t.end - t.start for t in pair.policy.tensors.values())
    monkeypatch.setattr("hma.checkpoints.live.available_memory", lambda: int(2.1 * size))
    monkeypatch.setattr("hma.checkpoints.live.changed_bytes", lambda pair: size // 2)
    assert LiveModel(pair).hold == "sparse"
