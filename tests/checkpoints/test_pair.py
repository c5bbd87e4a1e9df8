"""Opening a pair: what does not fit is named, from headers alone."""

import json
import shutil
import struct

import pytest

from hma.checkpoints import fingerprint
from hma.checkpoints.header import Tensor, read_header
from hma.checkpoints.pair import open_checkpoint, open_pair
from hma.errors import CheckpointError
from tests import tiny


def copied(folder, tmp_path, name="copy"):
    return shutil.copytree(folder, tmp_path / name)


def test_a_pair_of_one_model_is_refused(tiny_pair):
    with pytest.raises(CheckpointError, match="hold the same model"):
        open_pair(tiny_pair[0], tiny_pair[0])


def test_a_pair_opens_with_a_fingerprint_of_its_contents(tiny_pair, tmp_path):
    reference, policy = tiny_pair
    pair = open_pair(reference, policy)
    assert pair.num_layers == 3
    assert pair.fingerprint == open_pair(copied(reference, tmp_path, "a"), copied(policy, tmp_path, "b")).fingerprint
    assert pair.fingerprint != open_pair(policy, reference).fingerprint


def test_the_fingerprint_sees_a_changed_weight(tiny_pair, tmp_path):
    folder = copied(tiny_pair[0], tmp_path)
    before = open_checkpoint(folder).fingerprint
    tensor = read_header(folder / "model.safetensors")["model.norm.weight"]
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[tensor.start] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert open_checkpoint(folder).fingerprint != before


def test_the_fingerprint_sees_a_changed_tokenizer(tiny_pair, tmp_path):
    folder = copied(tiny_pair[0], tmp_path)
    before = open_checkpoint(folder).fingerprint
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "padding_side": "right"}))
    assert open_checkpoint(folder).fingerprint != before


@pytest.mark.parametrize("size", [1, 1 << 18, (1 << 18) + 1, 10_000_019])
def test_the_windows_of_a_large_tensor_span_it_evenly_and_stay_inside(size, tmp_path):
    windows = fingerprint._windows(Tensor("F32", (size,), tmp_path, 100, 100 + size))
    assert windows[0][0] == 100
    assert windows[-1][1] == 100 + size
    assert sum(end - start for start, end in windows) == min(size, 1 << 18)


def test_two_shapes_are_named_with_both_values(tiny_pair, tmp_path):
    other, _ = tiny.write_pair(tmp_path / "wide", hidden=32)
    with pytest.raises(CheckpointError, match=r"weight is \(.*16.*\) in the reference and \(.*32.*\) in the policy"):
        open_pair(tiny_pair[0], other)


def test_two_depths_are_named(tiny_pair, tmp_path):
    deep, _ = tiny.write_pair(tmp_path / "deep", num_layers=4)
    with pytest.raises(CheckpointError, match=r"layers\.3\..* is in the policy and not in the reference"):
        open_pair(tiny_pair[0], deep)


def test_two_dtypes_are_named(tiny_pair, tmp_path):
    half, _ = tiny.write_pair(tmp_path / "half", dtype="bfloat16")
    with pytest.raises(CheckpointError, match="F32 in the reference and BF16 in the policy"):
        open_pair(tiny_pair[0], half)


def test_two_configs_that_compute_differently_are_named(tiny_pair, tmp_path):
    folder = copied(tiny_pair[0], tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5, "use_cache": False}))
    with pytest.raises(CheckpointError, match=r"differ in rms_norm_eps: 0\.5 in the reference and 1e-06 in the policy"):
        open_pair(folder, tiny_pair[1])


def test_folders_that_are_no_checkpoint(tiny_pair, tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        open_checkpoint(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors"):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="is not a folder"):
        open_checkpoint(tmp_path / "config.json")


def test_a_shard_that_is_missing_is_named(tiny_pair, tmp_path):
    folder = copied(tiny_pair[0], tmp_path)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors, which the folder lacks"):
        open_checkpoint(folder)


@pytest.mark.parametrize("damage", ["cut", "length", "json", "offsets", "empty"])
def test_damaged_weights_are_named(tiny_pair, tmp_path, damage):
    folder = copied(tiny_pair[0], tmp_path)
    file = folder / "model.safetensors"
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = data[8 : 8 + length]
    damaged = {
        "cut": data[:-100],
        "length": struct.pack("<Q", 2**60) + data[8:],
        "json": data[:8] + b"x" + data[9:],
        "offsets": data[:8] + header.replace(b"data_offsets", b"data_offsetz") + data[8 + length :],
        "empty": b"",
    }[damage]
    file.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        open_checkpoint(folder)
