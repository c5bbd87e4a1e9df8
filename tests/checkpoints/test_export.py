"""Exports: what is evaluated is what is exported, in chunks that change no bit."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from hma.checkpoints import plan, slices, stream
from hma.checkpoints.export import export
from hma.checkpoints.live import LiveModel
from hma.checkpoints.manifest import differences
from hma.checkpoints.pair import open_pair
from hma.checkpoints.precision import merged
from hma.core.precision import Precision, lost_alphas
from hma.errors import CheckpointError
from tests import tiny
from tests.checkpoints.made import SOME, same_bits, sharded, weights, whole


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("shards", [False, True])
def test_what_is_evaluated_is_what_is_exported(tmp_path, dtype, tied, shards):
    folders = tiny.write_pair(tmp_path, dtype=dtype, tied=tied)
    pair = open_pair(*(sharded(folders) if shards else folders))
    done = export(pair, SOME, tmp_path / "out")
    assert len(list(done.folder.glob("*.safetensors"))) == len(list(folders[1].glob("*.safetensors")))
    live = LiveModel(pair)
    live.write(SOME)
    loaded = AutoModelForCausalLM.from_pretrained(done.folder, dtype="auto")
    wanted = dict(live.model.named_parameters())
    assert wanted.keys() == dict(loaded.named_parameters()).keys()
    for name, parameter in loaded.named_parameters():
        assert same_bits(parameter.data, wanted[name].data), name
    assert AutoTokenizer.from_pretrained(done.folder).chat_template == live.tokenizer.chat_template
    assert differences(done.folder) == []
    if shards:
        index = json.loads((done.folder / "model.safetensors.index.json").read_text())
        assert index["weight_map"] == json.loads((folders[1] / "model.safetensors.index.json").read_text())["weight_map"]
        assert index["metadata"]["total_size"] == sum(t.numel() * t.element_size() for t in weights(done.folder).values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_both_ends_are_the_inputs_bit_for_bit(tmp_path, dtype):
    folders = tiny.write_pair(tmp_path, dtype=dtype)
    pair = open_pair(*folders)
    for alpha, end in ((1.0, folders[0]), (0.0, folders[1])):
        done = export(pair, whole(alpha), tmp_path / f"out-{alpha}")
        assert all(same_bits(tensor, weights(end)[name]) for name, tensor in weights(done.folder).items())
        assert done.merge.effective == (pytest.approx(alpha),)


def test_a_tied_head_that_is_stored_twice_stays_tied(tmp_path):
    folders = tiny.write_pair(tmp_path, tied=True)
    for folder in folders:
        stored = weights(folder)
        copy = stored["model.embed_tokens.weight"].clone()
        save_file({**stored, "lm_head.weight": copy}, folder / "model.safetensors", metadata={"format": "pt"})
    done = export(open_pair(*folders), SOME, tmp_path / "out")
    written = weights(done.folder)
    assert same_bits(written["lm_head.weight"], written["model.embed_tokens.weight"])


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_pieces_change_no_bit_and_the_config_names_the_dtype(tmp_path, monkeypatch, dtype, rounding):
    monkeypatch.setattr(plan, "PIECE", 1 << 10)
    monkeypatch.setattr(stream, "PIECE", 1 << 10)
    monkeypatch.setattr(slices, "SLICE", 100)
    folders = tiny.write_pair(tmp_path, dtype="bfloat16")
    recipe = replace(SOME, precision=Precision(dtype, rounding, seed=7))
    live = LiveModel(open_pair(*folders))
    live.write(recipe)
    done = export(open_pair(*folders), recipe, tmp_path / "out")
    reference, policy, written = weights(folders[0]), weights(folders[1]), weights(done.folder)
    for name, tensor in written.items():
        alpha = SOME.alphas[SOME.partition.block_of(name)]
        assert same_bits(tensor, merged(reference[name], policy[name], alpha, recipe.precision, name)), name
    for name, parameter in live.model.named_parameters():
        assert same_bits(parameter.data, written[name]), name  # what is evaluated is what is exported
    config = json.loads((done.folder / "config.json").read_text())
    assert config["dtype"] == dtype
    assert AutoModelForCausalLM.from_pretrained(done.folder, dtype="auto").dtype == getattr(torch, dtype)
    again = export(open_pair(*folders), recipe, tmp_path / "again")
    assert again.files == done.files  # from the same recipe, the same bytes


def test_what_rounding_loses_is_found_and_each_cure_keeps_it(tmp_path):
    folders = tiny.write_pair(tmp_path, hidden=64, dtype="bfloat16")
    neighbours = {n: (t.view(torch.int16) + 1).view(torch.bfloat16) for n, t in weights(folders[0]).items()}
    save_file(neighbours, folders[1] / "model.safetensors", metadata={"format": "pt"})
    pair = open_pair(*folders)
    lost = export(pair, whole(0.3), tmp_path / "lost").merge
    assert lost.effective == (0.0,)
    assert lost_alphas(lost.recipe.alphas, lost.effective) == {0: 0.0}
    for cure, error in ((Precision("float32"), 1e-4), (Precision(None, "stochastic"), 0.05)):
        kept = export(pair, replace(whole(0.3), precision=cure), tmp_path / cure.rounding).merge
        assert kept.effective == (pytest.approx(0.3, abs=error),)


def test_integers_come_from_the_policy_and_odd_sizes_stay_aligned(tmp_path):
    folders = tiny.write_pair(tmp_path, dtype="bfloat16")
    for number, folder in enumerate(folders):
        extra = {
            "model.mask": torch.full((3,), number, dtype=torch.uint8),
            "model.none": torch.empty(0, 4),
            "a": torch.tensor(1.5),
        }
        save_file({**weights(folder), **extra}, folder / "model.safetensors", metadata={"format": "pt"})
    done = export(open_pair(*folders), replace(SOME, precision=Precision("float32")), tmp_path / "out")
    written = weights(done.folder)
    assert written["model.mask"].tolist() == [1, 1, 1]
    assert written["model.none"].shape == (0, 4)
    assert written["a"] == 1.5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("end", [0, 1])
def test_nan_and_infinity_are_refused_and_nothing_is_left(tmp_path, value, end):
    folders = tiny.write_pair(tmp_path)
    stored = weights(folders[end])
    stored["model.norm.weight"][3] = value
    save_file(stored, folders[end] / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight in .* holds NaN or infinity"):
        export(open_pair(*folders), SOME, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["policy", "reference"]


def test_of_many_files_the_one_that_fails_is_named_and_nothing_is_left(tmp_path):
    folders = sharded(tiny.write_pair(tmp_path))
    index = json.loads((folders[1] / "model.safetensors.index.json").read_text())
    file = folders[1] / index["weight_map"]["model.norm.weight"]
    stored = load_file(file)
    stored["model.norm.weight"][3] = float("nan")
    save_file(stored, file, metadata={"format": "pt"})
    for alpha in (0.0, 0.5, 1.0):
        with pytest.raises(CheckpointError, match=rf"model\.norm\.weight in .*{file.name} holds NaN or infinity"):
            export(open_pair(*folders), whole(alpha), tmp_path / "out")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["policy", "reference"]


def test_files_made_side_by_side_give_one_recipe_and_report_every_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "_AT_ONCE", 4)
    pair = open_pair(*sharded(tiny.write_pair(tmp_path, hidden=64, dtype="bfloat16"), "40KB"))
    texts = set()
    for turn in range(5):
        told = []
        done = export(pair, SOME, tmp_path / f"out-{turn}", progress=lambda done, total, told=told: told.append((done, total)))
        size = sum(tensor.nbytes for tensor in weights(done.folder).values())
        assert told[-1] == (size, size)
        assert [total for _, total in told] == [size] * len(told)
        assert sorted(told) == told
        texts.add((done.folder / "recipe.json").read_text())
    assert len(texts) == 1


def test_what_is_too_large_for_float16_is_refused(tmp_path):
    folders = tiny.write_pair(tmp_path)
    stored = weights(folders[1])
    stored["model.norm.weight"][3] = 1e6
    save_file(stored, folders[1] / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="float16 ends at 65504"):
        export(open_pair(*folders), replace(SOME, precision=Precision("float16")), tmp_path / "out")
