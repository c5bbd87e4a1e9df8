"""PyTorch's ``.bin`` files: read where they are allowed, by places alone, and never run."""

import json
import os
import shutil
import zipfile

import pytest
import torch
from safetensors.torch import load_file

from hma.checkpoints import pickled
from hma.checkpoints.export import export
from hma.checkpoints.pair import open_pair
from hma.checkpoints.preflight import preflight
from hma.checkpoints.source import BIN
from hma.checkpoints.tensors import read_tensors
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import CheckpointError
from tests import tiny


def only(file):
    (found,) = pickled.headers([file])
    return found


def as_bin(folder, shards=1, tie=False):
    """The folder's weights as PyTorch saves them, with the head in the embeddings' memory if ``tie``."""
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    if tie:
        state = {"lm_head.weight": state["model.embed_tokens.weight"], **state}
    if shards == 1:
        torch.save(state, folder / "pytorch_model.bin")
        return
    names = [f"pytorch_model-{k + 1:05}-of-{shards:05}.bin" for k in range(shards)]
    where = {name: names[0 if "lm_head" in name or "embed" in name else k % shards] for k, name in enumerate(state)}
    for file in names:
        torch.save({n: t for n, t in state.items() if where[n] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def test_a_tensors_place_holds_its_bytes(tmp_path):
    state = {}
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool):
        draw, whole = torch.randint(0, 2, (3, 5)).to(dtype), torch.arange(40).to(dtype)
        made = {"a": draw, "part": whole[7:19].view(3, 4), "none": torch.empty(0, 4, dtype=dtype), "scalar": draw[1, 2]}
        state |= {f"{name} {dtype}": tensor for name, tensor in made.items()}
    torch.save(state, tmp_path / "x.bin")
    found = dict(read_tensors(only(tmp_path / "x.bin").items()))
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("shards", [1, 2])
def test_a_tied_head_that_shares_the_embeddings_memory_is_one_with_them(tmp_path, shards):
    folders = tiny.write_pair(tmp_path, tied=True)
    for folder in folders:
        as_bin(folder, shards, tie=True)
    pair = open_pair(*folders, allow=[BIN])
    assert "lm_head.weight" not in pair.policy.tensors
    assert "model.embed_tokens.weight" in pair.policy.tensors


def test_a_compressed_file_and_a_tensor_beyond_the_end_are_refused(tmp_path):
    torch.save({"a": torch.zeros(200)}, tmp_path / "x.bin")
    with (
        zipfile.ZipFile(tmp_path / "x.bin") as plain,
        zipfile.ZipFile(tmp_path / "packed.bin", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert "it is compressed" in str(only(tmp_path / "packed.bin"))
    with zipfile.ZipFile(tmp_path / "x.bin") as plain, zipfile.ZipFile(tmp_path / "short.bin", "w") as short:
        for name in plain.namelist():
            short.writestr(name, b"" if name.endswith("/data/0") else plain.read(name))
    assert isinstance(only(tmp_path / "short.bin"), CheckpointError)


class Hostile:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch '{self.file}'",)


def test_code_in_a_pickle_is_not_run(tmp_path):
    torch.save({"w": Hostile(tmp_path / "ran")}, tmp_path / "x.bin")
    assert "holds more than plain weights, such as code, which is not run" in str(only(tmp_path / "x.bin"))
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "x.bin", weights_only=False)
    assert (tmp_path / "ran").exists()  # it would have run


def test_what_is_no_plain_weights_is_refused_with_its_reason(tmp_path):
    torch.save({"a": torch.randn(3, 5).t()}, tmp_path / "turned.bin")
    torch.save([torch.randn(2)], tmp_path / "list.bin")
    torch.save({"a": torch.randn(2)}, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    torch.save({"a": torch.randn(200)}, tmp_path / "cut.bin")
    cut = (tmp_path / "cut.bin").read_bytes()
    (tmp_path / "cut.bin").write_bytes(cut[:-40])
    files = [tmp_path / f"{name}.bin" for name in ("turned", "list", "old", "cut")]
    reasons = ("not stored row by row", "something else than tensors", "before PyTorch 1.6", "cut short")
    for file, reason, error in zip(files, reasons, pickled.headers(files), strict=True):
        assert isinstance(error, CheckpointError)
        assert str(file) in str(error)
        assert reason in str(error)


def test_names_that_cannot_be_written_are_refused(tmp_path):
    torch.save({"w": torch.randn(2), "a\ud800": torch.randn(2)}, tmp_path / "x.bin")
    error = only(tmp_path / "x.bin")
    assert isinstance(error, CheckpointError)
    assert r"'a\ud800' cannot be written as UTF-8" in str(error)
    folders = tiny.write_pair(tmp_path)
    for folder in folders:
        as_bin(folder)
        torch.save({**torch.load(folder / "pytorch_model.bin"), "a\ud800": torch.randn(2)}, folder / "pytorch_model.bin")
    assert preflight(*folders, allow=[BIN]).is_fatal
    with pytest.raises(CheckpointError, match="cannot be written as UTF-8"):
        open_pair(*folders, allow=[BIN])


@pytest.mark.parametrize("shards", [1, 3])
def test_a_pair_in_bin_files_is_merged_to_the_same_weights(tmp_path, shards):
    plain = tiny.write_pair(tmp_path, dtype="bfloat16")
    recipe = Recipe(Partition.equal(3), (0.2, 0.5, 0.9))
    expected = load_file(export(open_pair(*plain), recipe, tmp_path / "expected").folder / "model.safetensors")
    folders = [shutil.copytree(folder, tmp_path / f"{folder.name}-bin") for folder in plain]
    for folder in folders:
        as_bin(folder, shards)
    pair = open_pair(*folders, allow=[BIN])
    done = export(pair, recipe, tmp_path / "out")
    written = sorted(file.name for file in done.folder.glob("*model*"))
    if shards == 1:
        assert written == ["model.safetensors"]
    else:
        assert written == [*(f"model-{k + 1:05}-of-00003.safetensors" for k in range(3)), "model.safetensors.index.json"]
    got = {name: t for file in done.folder.glob("*.safetensors") for name, t in load_file(file).items()}
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name], expected[name]) for name in got)


def test_they_are_read_only_when_allowed(tmp_path):
    folders = tiny.write_pair(tmp_path)
    as_bin(folders[1])
    with pytest.raises(CheckpointError, match="or read them as they are with --allow bin"):
        open_pair(*folders)
    assert preflight(*folders).is_fatal
    assert not preflight(*folders, allow=[BIN]).is_fatal
