"""A LoRA adapter as the policy: merged once by PEFT, and refused or warned of when it is not the reference's."""

import json
import shutil
import warnings

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hma.checkpoints.adapter import cache
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.checkpoints.preflight import preflight
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import CheckpointError
from tests import tiny

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HMA_CACHE", str(tmp_path / "cache"))


def write_adapter(reference, folder, **settings):
    """An adapter with random weights on a saved model."""
    model = AutoModelForCausalLM.from_pretrained(reference, dtype="auto")
    settings = {"r": 4, "target_modules": ["q_proj", "down_proj"], **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = get_peft_model(model, LoraConfig(**settings))
    torch.manual_seed(5)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.2)
    adapted.save_pretrained(folder)
    edit(folder, base_model_name_or_path=str(reference))
    return folder


def edit(folder, **settings):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


@pytest.fixture
def reference(tmp_path):
    return tiny.write_pair(tmp_path / "pair", dtype="bfloat16")[0]


@pytest.fixture
def adapter(reference, tmp_path):
    return write_adapter(reference, tmp_path / "adapter")


def said(reference, adapter, level):
    return [f.message for f in preflight(reference, adapter).findings if f.level == level and f.subject == "policy adapter"]


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True, "rank_pattern": {"q_proj": 2}}, {"use_dora": True}])
def test_its_policy_is_what_the_adapted_model_computes(reference, tmp_path, settings):
    adapter = write_adapter(reference, tmp_path / "adapter", **settings)
    pair = open_pair(reference, adapter)
    assert pair.policy.folder.is_relative_to(tmp_path / "cache")
    assert pair.policy.source == pair.policy.place == str(adapter)
    live = LiveModel(pair)
    live.write(Recipe(Partition.equal(3), (0.0, 0.0, 0.0)))
    model = AutoModelForCausalLM.from_pretrained(reference, dtype=torch.float32)
    words = torch.arange(3, 12)[None]
    with torch.inference_mode():
        expected = PeftModel.from_pretrained(model, str(adapter))(words).logits
        got = live.model.float()(words).logits
    assert (got - expected).abs().max() < 0.02 * expected.abs().max()  # what one rounding to bfloat16 leaves


def test_each_weight_is_rounded_once(reference, adapter):
    policy, before = (load_file(f / "model.safetensors") for f in (open_pair(reference, adapter).policy.folder, reference))
    lora = load_file(adapter / "adapter_model.safetensors")
    changed = "model.layers.1.mlp.down_proj"
    a, b = (lora[f"base_model.model.{changed}.lora_{x}.weight"] for x in "AB")
    exact = before[f"{changed}.weight"].float() + 2.0 * (b @ a)  # lora_alpha / r = 8 / 4
    assert torch.equal(policy[f"{changed}.weight"], exact.to(torch.bfloat16))
    same = [name for name in before if torch.equal(before[name], policy[name])]
    assert {name.split(".")[-2] for name in before.keys() - set(same)} == {"q_proj", "down_proj"}


def test_it_is_merged_once_and_again_when_it_changed(reference, adapter):
    first = open_pair(reference, adapter)
    stamp = (first.policy.folder / "model.safetensors").stat().st_mtime_ns
    again = open_pair(reference, adapter)
    assert (again.policy.folder / "model.safetensors").stat().st_mtime_ns == stamp
    assert again.fingerprint == first.fingerprint
    edit(adapter, lora_alpha=16)
    assert open_pair(reference, adapter).fingerprint != first.fingerprint


def test_the_preflight_reads_headers_alone(reference, adapter):
    found = preflight(reference, adapter)
    assert not found.is_fatal
    assert not cache().exists()
    assert found.policy_bytes == found.reference_bytes
    (note,) = said(reference, adapter, "note")
    assert "LoRA adapter of rank 4" in note
    assert str(cache()) in note


def test_its_own_model_must_be_the_reference(reference, adapter, tmp_path):
    copy = shutil.copytree(reference, tmp_path / "copy")
    assert not preflight(copy, adapter).is_fatal  # the same model elsewhere
    other = tiny.write_pair(tmp_path / "other", dtype="bfloat16")[1]
    (message,) = said(other, adapter, "fatal")
    assert f"was trained on {reference}, which holds other weights than {other}" in message
    with pytest.raises(CheckpointError, match="holds other weights"):
        open_pair(other, adapter)
    edit(adapter, base_model_name_or_path="organisation/model")
    (message,) = said(reference, adapter, "warning")
    assert f"trained on organisation/model, and the reference is {reference}" in message
    edit(adapter, base_model_name_or_path=None)
    assert "does not say which model" in said(reference, adapter, "note")[0]


def test_an_adapter_of_another_shape_names_both(reference, adapter, tmp_path):
    edit(adapter, base_model_name_or_path="organisation/model")
    wide = tiny.write_pair(tmp_path / "wide", hidden=32, dtype="bfloat16")[0]
    (message,) = said(wide, adapter, "fatal")
    assert "is (32, 64) in the reference, and the adapter's matrices for it are A (4, 32) and B (16, 4)" in message
    shallow = tiny.write_pair(tmp_path / "shallow", num_layers=1, dtype="bfloat16")[0]
    assert any("changes model.layers.1" in message for message in said(shallow, adapter, "warning"))


def test_what_is_no_lora_or_has_no_weights_says_what_to_do(reference, adapter):
    edit(adapter, peft_type="IA3")
    assert "kind IA3, and only LoRA is merged" in said(reference, adapter, "fatal")[0]
    edit(adapter, peft_type="LORA", megatron_config={"a": 1})  # would have PEFT import what the file names
    assert "kind megatron_config" in said(reference, adapter, "fatal")[0]
    (adapter / "adapter_model.safetensors").rename(adapter / "gone")
    assert "has no adapter_model.safetensors" in said(reference, adapter, "fatal")[0]
    (adapter / "adapter_config.json").write_text("[")
    assert "cannot be read as JSON" in said(reference, adapter, "fatal")[0]


def test_a_merge_that_peft_refuses_is_an_error_with_its_reason_and_leaves_nothing(reference, adapter):
    edit(adapter, target_modules=["no_such_module"])
    with pytest.raises(CheckpointError, match=r"cannot be merged into .*no_such_module"):
        open_pair(reference, adapter)
    assert list((cache() / "adapters").iterdir()) == []


@pytest.mark.parametrize("home", ["adapter", "reference"])
def test_a_tokenizer_file_that_is_a_link_out_of_its_folder_is_refused(reference, adapter, tmp_path, home):
    secret = tmp_path / "secret"
    secret.write_text("hf_secret")
    if home == "adapter":
        shutil.copy(reference / "tokenizer.json", adapter / "tokenizer.json")
    ({"adapter": adapter, "reference": reference}[home] / "token_notes.txt").symlink_to(secret)
    with pytest.raises(CheckpointError, match=r"token_notes\.txt is a link out of its folder, to "):
        open_pair(str(reference), str(adapter))
    assert not list(cache().glob("*/*"))


def test_an_adapter_is_no_reference(reference, adapter):
    with pytest.raises(CheckpointError, match="Give the adapter as the policy"):
        open_pair(adapter, reference)


def test_its_own_tokenizer_is_taken(reference, adapter):
    tiny.tokenizer().save_pretrained(adapter)
    (adapter / "chat_template.jinja").write_text("{{ messages[0].content }}")
    folder = open_pair(reference, adapter).policy.folder
    assert (folder / "chat_template.jinja").read_text() == "{{ messages[0].content }}"
    assert json.loads((folder / "config.json").read_text()) == json.loads((reference / "config.json").read_text())
