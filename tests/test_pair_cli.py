"""The verbs that look at a pair, and pairs of every kind of input, as a person gives them on the command line."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.checkpoints.test_adapter import write_adapter
from tests.checkpoints.test_pickled import as_bin
from tests.cli import hma, process
from tests.tiny import write_pair


@pytest.fixture(scope="module")
def bfloat16(tmp_path_factory):
    return write_pair(tmp_path_factory.mktemp("bfloat16"), dtype="bfloat16")


def test_delta_prints_a_row_a_block_and_the_same_as_json(bfloat16):
    given = ["delta", "--reference", bfloat16[0], "--policy", bfloat16[1], "--own", "embeddings"]
    shown = hma(*given, COLUMNS="80")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert [line.split()[0] for line in lines[:6]] == ["block", "embeddings", "input", "middle", "output", "all"]
    assert max(map(len, lines)) <= 80
    said = json.loads(hma(*given, "--json").stdout)
    assert [block["name"] for block in said["blocks"]] == ["embeddings", "input", "middle", "output"]
    assert sum(block["weights"] for block in said["blocks"]) == said["total"]["weights"]
    assert sum(change["weights"] for change in said["tensors"].values()) == said["total"]["weights"]
    assert 0.5 < said["total"]["changed_share"] < 1
    assert f"{100 * said['total']['changed_share']:.1f} %" in lines[5]


def test_what_rounding_took_is_warned_of_on_standard_error_beside_the_json(tiny_suite, tmp_path):
    folders = write_pair(tmp_path, dtype="bfloat16")
    weights = load_file(folders[0] / "model.safetensors")
    neighbours = {name: (tensor.view(torch.int16) + 1).view(torch.bfloat16) for name, tensor in weights.items()}
    save_file(neighbours, folders[1] / "model.safetensors", metadata={"format": "pt"})
    given = ["--reference", folders[0], "--policy", folders[1], "--suite", tiny_suite, "--alphas", "0.3", "--json"]
    done = hma("measure", *given, "--store", tmp_path / "s.sqlite")
    assert json.loads(done.stdout)["effective_alphas"] == [0.0] * 3
    assert "input 0.3 became 0.000" in " ".join(done.stderr.split())


def test_an_adapter_is_measured_and_exported_like_any_policy(bfloat16, tiny_suite, tmp_path):
    adapter = write_adapter(bfloat16[0], tmp_path / "adapter")
    given = ["--reference", bfloat16[0], "--policy", adapter, "--alphas", "0.5", "--json"]
    measured = hma("measure", *given, "--suite", tiny_suite, "--store", tmp_path / "s.sqlite", HMA_CACHE=str(tmp_path / "cache"))
    assert measured.returncode == 0, measured.stderr
    assert f"Merging the adapter {adapter} into {bfloat16[0]}, once" in measured.stderr
    assert json.loads(measured.stdout)["scores"]["reward"]["num_items"] > 0
    exported = hma("export", *given, "--out", tmp_path / "out", HMA_CACHE=str(tmp_path / "cache"))
    assert exported.returncode == 0, exported.stderr
    assert "Merging the adapter" not in exported.stderr
    assert json.loads((tmp_path / "out" / "recipe.json").read_text())["policy"]["source"] == str(adapter)


def test_bin_files_are_measured_when_allowed_and_refused_with_the_option_otherwise(tiny_suite, tmp_path):
    folders = write_pair(tmp_path)
    for folder in folders:
        as_bin(folder, shards=2)
    given = ["measure", "--reference", folders[0], "--policy", folders[1], "--suite", tiny_suite, "--alphas", "0.5"]
    given += ["--store", tmp_path / "s.sqlite", "--json"]
    refused = hma(*given)
    assert refused.returncode == 2
    assert "--allow bin" in refused.stderr
    done = hma(*given, "--allow", "bin")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scores"]["reward"]["num_items"] > 0
    assert "'pickle' " in (wrong := hma(*given, "--allow", "pickle")).stderr or "--allow is 'pickle'" in wrong.stderr
    assert wrong.returncode == 2


def test_a_models_own_code_is_run_only_when_allowed(tmp_path, tiny_suite):
    folders = write_pair(tmp_path)
    for folder in folders:
        config = json.loads((folder / "config.json").read_text())
        config |= {
            "model_type": "homemade",
            "auto_map": {"AutoConfig": "homemade.Config", "AutoModelForCausalLM": "homemade.Model"},
        }
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "homemade.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
            "from transformers import LlamaConfig, LlamaForCausalLM\n\n\n"
            "class Config(LlamaConfig):\n    model_type = 'homemade'\n\n\n"
            "class Model(LlamaForCausalLM):\n    config_class = Config\n"
        )
    given = ["measure", "--reference", folders[0], "--policy", folders[1], "--suite", tiny_suite, "--alphas", "0.5"]
    given += ["--store", tmp_path / "s.sqlite", "--json"]
    home = {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HOME": os.environ.get("HF_HOME", str(tmp_path / "hf"))}
    refused = hma(*given, **home)
    assert refused.returncode == 2
    assert "--allow code" in refused.stderr
    assert not (tmp_path / "ran").exists()
    done = process(*given, "--allow", "code", **home)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ran").exists()
    exported = process("export", *given[1:5], "--alphas", "0.5", "--allow", "code", "--out", tmp_path / "out", **home)
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "out" / "homemade.py").read_text() == (folders[1] / "homemade.py").read_text()
    assert "trust_remote_code=True" in (tmp_path / "out" / "README.md").read_text()
    noted = json.loads(hma("preflight", "--reference", folders[0], "--policy", folders[1], "--json").stdout)["findings"]
    assert any("homemade" in f["message"] and "--allow code" in f["message"] for f in noted)
