"""What RLHF changed, against counts and norms made one weight at a time."""

import math
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from hma.checkpoints import delta
from hma.checkpoints.delta import changes, in_blocks, total
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import CheckpointError
from tests import tiny


def rewrite(folder, change):
    """Give each of the folder's tensors to ``change`` and save what it returns."""
    file = folder / "model.safetensors"
    save_file({name: change(name, tensor) for name, tensor in load_file(file).items()}, file, metadata={"format": "pt"})


def neighbour(tensor, steps=1):
    """The floats so many units in the last place farther from zero."""
    bits = {2: torch.int16, 4: torch.int32}[tensor.element_size()]
    return (tensor.view(bits) + steps).view(tensor.dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_counts_and_norms_are_those_of_the_weights_themselves(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(delta, "_SLICE", 50)
    folders = tiny.write_pair(tmp_path, dtype=dtype)
    found = changes(open_pair(*folders))
    before, after = (load_file(folder / "model.safetensors") for folder in folders)
    assert found.keys() == before.keys()
    for name, change in found.items():
        a, b = before[name].double(), after[name].double()
        assert change.weights == a.numel()
        assert change.changed == int((a != b).sum())
        assert change.relative_norm == pytest.approx(float((b - a).norm() / a.norm()), rel=1e-5)
    assert all(found[name].changed == 0 for name in found if "o_proj" in name)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_reading_what_changed_changes_nothing(tmp_path, dtype):
    pair = open_pair(*tiny.write_pair(tmp_path, dtype=dtype))
    live, recipe = LiveModel(pair, torch.device("cpu")), Recipe(Partition.equal(pair.num_layers, 1), (0.0,))
    live.write(recipe)
    before = {name: weights.clone() for name, weights in live.model.state_dict().items()}
    assert changes(pair) == changes(pair)
    live.write(Recipe(recipe.partition, (0.5,)))  # From the pages of both ends, which the live model shares with all readers.
    live.write(recipe)
    assert all(torch.equal(weights, before[name]) for name, weights in live.model.state_dict().items())
    assert all(
        torch.equal(weights, load_file(pair.policy.folder / "model.safetensors")[name]) for name, weights in before.items()
    )


def test_whoever_writes_on_a_files_pages_is_stopped_and_the_file_stays(tmp_path):
    _, policy = tiny.write_pair(tmp_path)
    file = policy / "model.safetensors"
    content = file.read_bytes()
    program = (
        "import sys; from hma.checkpoints.pair import open_checkpoint; from hma.checkpoints.tensors import read_tensor\n"
        "name, tensor = next(iter(open_checkpoint(sys.argv[1]).tensors.items())); pages = read_tensor(name, tensor)\n"
        "print(float(pages.float().sum()), flush=True); pages.zero_(); print('written', flush=True)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program, str(policy)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGSEGV and done.stdout and "written" not in done.stdout
    assert file.read_bytes() == content


def test_neighbours_are_told_from_weights_that_moved_farther(tmp_path):
    reference, policy = tiny.write_pair(tmp_path, dtype="bfloat16")
    start = load_file(reference / "model.safetensors")
    steps = {"model.norm.weight": 1, "lm_head.weight": 2, "model.layers.1.self_attn.q_proj.weight": -1}
    rewrite(policy, lambda name, _: neighbour(start[name], steps.get(name, 0)))
    found = changes(open_pair(reference, policy))
    moved = {name: (change.changed_share, change.by_one_share) for name, change in found.items() if change.changed}
    assert moved == {name: (1.0, 0.0 if name == "lm_head.weight" else 1.0) for name in steps}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_floats_in_their_order_are_one_apart(dtype):
    floats = torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)
    floats = floats[torch.isfinite(floats)]
    order = delta._ordered(floats.view(torch.int16))
    by_value = floats[order.argsort()].float()
    assert (by_value.diff() >= 0).all()
    steps = order.sort().values.diff()
    assert steps.unique().tolist() == [0, 1]
    assert int((steps == 0).sum()) == 1  # the two zeros


def test_blocks_add_up_to_the_whole_and_tied_heads_count_once(tmp_path):
    folders = tiny.write_pair(tmp_path, tied=True)
    for folder in folders:
        stored = load_file(folder / "model.safetensors")
        copy = stored["model.embed_tokens.weight"].clone()
        save_file({**stored, "lm_head.weight": copy}, folder / "model.safetensors", metadata={"format": "pt"})
    found = changes(open_pair(*folders))
    assert "lm_head.weight" not in found
    whole = total(found.values())
    assert whole.weights == sum(t.numel() for n, t in stored.items() if n != "lm_head.weight")
    for partition in (Partition.equal(3), Partition.equal(3, 1), Partition(3, (0, 1), ("embeddings", "norm"))):
        blocks = in_blocks(found, partition)
        assert len(blocks) == partition.num_blocks
        again = total(blocks)
        assert (again.weights, again.changed, again.by_one) == (whole.weights, whole.changed, whole.by_one)
        assert again.delta_squared == pytest.approx(whole.delta_squared)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_nan_and_infinity_are_named(tmp_path, side, value):
    folders = tiny.write_pair(tmp_path)

    def spoil(name, tensor):
        if "layers.1.mlp.up_proj" in name:
            tensor[3, 2] = value
        return tensor

    rewrite(folders[side], spoil)
    with pytest.raises(CheckpointError, match=rf"layers\.1\.mlp\.up_proj\.weight in {folders[side]}.* holds NaN or infinity"):
        changes(open_pair(*folders))


def test_large_weights_are_no_infinity(tmp_path):
    folders = tiny.write_pair(tmp_path)
    rewrite(folders[1], lambda _, tensor: tensor + 1e30)
    found = total(changes(open_pair(*folders)).values())
    assert found.delta_squared == pytest.approx(found.weights * 1e60, rel=1e-3)
