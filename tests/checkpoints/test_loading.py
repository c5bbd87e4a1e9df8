"""What transformers makes of a checkpoint's files: nothing random, nothing in other numbers, nothing stale."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from hma.checkpoints.export import export
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import CheckpointError, MeasureError
from hma.study import open_study
from hma.workbench import Workbench
from tests import tiny

OPEN = Path("/proc/self/fd")
SOME = Recipe(Partition.equal(3), (0.2, 0.5, 0.9))


def rewrite(folder, change):
    file = folder / "model.safetensors"
    kept = {name: change(name, tensor) for name, tensor in load_file(file).items()}
    save_file({name: tensor for name, tensor in kept.items() if tensor is not None}, file, metadata={"format": "pt"})


def configure(folder, **settings):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def test_a_weight_that_both_files_lack_is_named_and_never_random(tmp_path):
    folders = tiny.write_pair(tmp_path)
    for folder in folders:
        rewrite(folder, lambda name, tensor: None if name == "model.layers.1.mlp.up_proj.weight" else tensor)
    with pytest.raises(CheckpointError, match=r"has no model\.layers\.1\.mlp\.up_proj\.weight, which a LlamaForCausalLM needs"):
        LiveModel(open_pair(*folders))


@pytest.mark.parametrize("precision", [Precision(), Precision(None, "stochastic"), Precision("float16"), Precision("float32")])
@pytest.mark.parametrize(("stored", "said"), [("bfloat16", "float32"), ("float32", "bfloat16"), ("norms", "bfloat16")])
def test_what_is_measured_is_what_the_export_loads_as_whatever_dtype_the_config_names(tmp_path, stored, said, precision):
    folders = tiny.write_pair(tmp_path, dtype="float32" if stored == "float32" else "bfloat16")
    for folder in folders:
        configure(folder, dtype=said)
        if stored == "norms":
            rewrite(folder, lambda name, tensor: tensor.float() * 1.001 if "norm" in name else tensor)
    pair = open_pair(*folders)
    for hold in ("dense", "host", "sparse"):
        live = LiveModel(pair, hold=hold)
        for number, alphas in enumerate([(0.2, 0.5, 0.9), (0.0,) * 3, (1.0,) * 3]):
            recipe = Recipe(Partition.equal(3), alphas, precision)
            live.write(recipe)
            done = export(pair, recipe, tmp_path / f"{hold}-{number}")
            loaded = dict(AutoModelForCausalLM.from_pretrained(done.folder, dtype="auto").named_parameters())
            for name, weight in live.model.named_parameters():
                assert weight.dtype == loaded[name].dtype, name
                assert torch.equal(weight.data, loaded[name].data), (hold, alphas, name)


def test_buffers_that_are_saved_are_merged_too(tmp_path):
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    sizes = {"vocab_size": len(tiny.WORDS), "hidden_size": 16, "intermediate_size": 32, "moe_intermediate_size": 8}
    sizes |= {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "n_routed_experts": 4, "n_group": 1}
    sizes |= {"topk_group": 1, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "kv_lora_rank": 8, "q_lora_rank": 8}
    sizes |= {"qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8, "max_position_embeddings": 64}
    torch.manual_seed(0)
    model = DeepseekV3ForCausalLM(DeepseekV3Config(**sizes))
    folders = tmp_path / "reference", tmp_path / "policy"
    with torch.no_grad():
        for folder in folders:
            for weight in (*model.parameters(), *(b for n, b in model.named_buffers() if "correction" in n)):
                weight.add_(0.1 * torch.randn_like(weight))
            model.save_pretrained(folder)
            tiny.tokenizer().save_pretrained(folder)
    pair = open_pair(*folders)
    live = LiveModel(pair)
    for alpha in (0.5, 1.0):
        recipe = Recipe(Partition.equal(2, 1), (alpha,))
        live.write(recipe)
        done = export(pair, recipe, tmp_path / f"{alpha}")
        loaded = AutoModelForCausalLM.from_pretrained(done.folder, dtype="auto").state_dict()
        held = live.model.state_dict()
        assert any("correction" in name for name in held)
        assert all(torch.equal(held[name], loaded[name]) for name in held)


def test_files_that_were_written_since_are_not_measured(tmp_path, tiny_suite):
    folders = tiny.write_pair(tmp_path)
    study = open_study(*folders, tiny_suite)
    assert isinstance(study, Study)
    workbench = Workbench(study.reference, study.policy, "cpu")
    workbench.measure(study, SOME)
    file = folders[1] / "model.safetensors"
    with file.open("r+b") as stream:
        stream.seek(-4, os.SEEK_END)
        stream.write(b"\0\0\0\0")
    with pytest.raises(MeasureError, match="changed on disk"):
        workbench.measure(study, SOME)
    file.unlink()
    with pytest.raises(MeasureError, match="changed on disk"):
        workbench.export(study, SOME, tmp_path / "out")


@pytest.mark.skipif(not OPEN.is_dir(), reason="counts open files in /proc")
def test_a_file_is_opened_once_however_many_tensors_it_holds(tmp_path):
    folders = tiny.write_pair(tmp_path)
    before = len([*OPEN.iterdir()])
    live = LiveModel(open_pair(*folders))
    assert len([*OPEN.iterdir()]) <= before + 4
    assert live.held_bytes > 0
