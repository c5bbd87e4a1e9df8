"""Decoders of many families: each parameter in its place, merges that an independent sum agrees with, exports that load."""

import itertools
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hma.checkpoints.export import export
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core.partition import EMBEDDINGS, HEAD, NORM, Partition, part_of
from hma.core.recipe import Recipe
from hma.errors import CheckpointError
from tests import tiny

SMALL = {
    "vocab_size": len(tiny.WORDS),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {"num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8}
KINDS = {
    "llama": {},
    "mistral": {},
    "qwen2": {},
    "qwen3": {},
    "gemma2": {},
    "gemma3_text": {},
    "phi": {"layer_norm_eps": 1e-5},
    "gpt2": {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 64},
    "gpt_neox": {},
    "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "mixtral": EXPERTS,
    "qwen3_moe": EXPERTS | {"decoder_sparse_step": 1},
}


def model_of(kind, tied):
    from transformers import AutoConfig

    known = AutoConfig.for_model(kind)
    aliases = set(getattr(known, "attribute_map", {}))
    settings = {k: v for k, v in (SMALL | KINDS[kind]).items() if hasattr(known, k) or k in aliases or k in KINDS[kind]}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **settings, tie_word_embeddings=tied))


def written_as(kind, tied, dtype):
    return f"{kind}-{'tied' if tied else 'untied'}-{dtype}"


@pytest.fixture(
    scope="module", params=itertools.product(KINDS, (False, True), ("bfloat16", "float32")), ids=lambda p: written_as(*p)
)
def folders(request, tmp_path_factory):
    kind, tied, dtype = request.param
    folder = tmp_path_factory.mktemp(kind)
    torch.manual_seed(0)
    model = model_of(kind, tied).to(getattr(torch, dtype))
    assert (model.get_input_embeddings().weight is model.get_output_embeddings().weight) == tied
    with torch.no_grad():
        for name in ("reference", "policy"):
            model.save_pretrained(folder / name)
            tiny.tokenizer().save_pretrained(folder / name)
            for weight in model.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
    return folder / "reference", folder / "policy"


def test_every_parameter_has_its_place(folders):
    model = AutoModelForCausalLM.from_pretrained(folders[0])
    parts = {name: part_of(name) for name, _ in model.named_parameters()}
    layers = {part for part in parts.values() if isinstance(part, int)}
    assert layers == {0, 1, 2}
    embeddings = {name for name, weight in model.named_parameters() if weight is model.get_input_embeddings().weight}
    assert {parts[name] for name in embeddings} == {EMBEDDINGS}
    head = {n for n, w in model.named_parameters() if w is model.get_output_embeddings().weight} - embeddings
    assert all(parts[name] == HEAD for name in head)
    norms = [name for name, part in parts.items() if part == NORM]
    assert norms and all("norm" in name or "ln_f" in name for name in norms)


def alpha_of(name):
    """The alpha that a name should get under blocks of one layer each."""
    layer = re.search(r"\.(?:layers|h)\.(\d)\.", name)
    if layer:
        return (0.2, 0.5, 0.9)[int(layer[1])]
    return 0.2 if any(word in name for word in ("embed_tokens", "embed_positions", "embed_in", "wte", "wpe")) else 0.9


def test_a_merge_is_the_sum_that_torch_does_in_double(folders, tmp_path):
    """An oracle that shares no code with the merge: each element within eps * max(|a|, |b|)."""
    pair = open_pair(*folders)
    recipe = Recipe(Partition.at(3, (0, 1)), (0.2, 0.5, 0.9))
    live = LiveModel(pair)
    live.write(recipe)
    done = export(pair, recipe, tmp_path / "out")
    reference, policy, written = (load_file(f / "model.safetensors") for f in (*folders, done.folder))
    weights = dict(live.model.named_parameters())
    for name, made in written.items():
        alpha = alpha_of(name)
        exact = alpha * reference[name].double() + (1 - alpha) * policy[name].double()
        slack = torch.finfo(made.dtype).eps * torch.maximum(reference[name].abs(), policy[name].abs()).double()
        assert ((made.double() - exact).abs() <= slack).all(), name
        assert name not in weights or torch.equal(weights[name].data, made), name
    loaded = AutoModelForCausalLM.from_pretrained(done.folder, dtype="auto")
    for name, weight in loaded.named_parameters():
        assert torch.equal(weight.data, weights[name].data), name  # what is evaluated is what is exported
    again = export(pair, recipe, tmp_path / "live", live=live)
    assert again.files == done.files  # from its parameters, or from disk where these are not the files' tensors
    assert again.merge == done.merge


def linear_weights(model):
    """The names of the weights that linear layers compute with, by the classes of the modules; experts by their names."""
    modules = dict(model.named_modules())
    tied = model.get_input_embeddings().weight
    return {
        name
        for name, weight in model.named_parameters()
        if weight is not tied
        and (
            (type(modules[name.rpartition(".")[0]]).__name__ in ("Linear", "Conv1D") and name.endswith(".weight"))
            or re.search(r"\.(?:gate\.weight|experts\.\w+_proj)$", name)
        )
    }


def test_linear_weights_alone_are_averaged_and_all_else_is_the_references(folders, tmp_path):
    """The scope of the original code's HMA: what is measured is what is exported, and both are what the modules say."""
    pair = open_pair(*folders)
    recipe = Recipe(Partition(3, (0, 1, 2), ("head",), linear_only=True), (0.2, 0.5, 0.9, 0.4))
    live = LiveModel(pair)
    live.write(Recipe(Partition.equal(3), (0.3,)))  # The way to a merge does not matter.
    live.write(recipe)
    done = export(pair, recipe, tmp_path / "out")
    models = [AutoModelForCausalLM.from_pretrained(f, dtype="auto") for f in (*folders, done.folder)]
    reference, policy, written = (dict(model.named_parameters()) for model in models)
    linear = linear_weights(models[0])
    assert len(linear) >= 3 * 4
    for name, weight in live.model.named_parameters():
        assert torch.equal(weight.data, written[name].data), name
        if name not in linear:
            assert torch.equal(weight.data, reference[name].data), name
            continue
        alpha = 0.4 if name == "lm_head.weight" else alpha_of(name)
        exact = alpha * reference[name].data.double() + (1 - alpha) * policy[name].data.double()
        slack = torch.finfo(weight.dtype).eps * torch.maximum(reference[name].data.abs(), policy[name].data.abs()).double()
        assert ((weight.data.double() - exact).abs() <= slack).all(), name
    told = [given if found is None else found for given, found in zip(recipe.alphas, done.merge.effective, strict=True)]
    assert live.effective_alphas(recipe) == pytest.approx(told, abs=1e-4)  # told to four decimals
    assert told == pytest.approx(recipe.alphas, abs=0.01)
    live.write(Recipe(Partition.equal(3), (0.0,)))
    assert all(torch.equal(weight.data, policy[name].data) for name, weight in live.model.named_parameters())


def test_every_way_of_holding_gives_the_same_bits(folders):
    made = []
    for hold in ("dense", "host", "sparse"):
        live = LiveModel(open_pair(*folders), hold=hold)
        live.write(Recipe(Partition.at(3, (0, 1)), (0.2, 0.5, 0.9)))
        made.append({name: weight.data for name, weight in live.model.named_parameters()})
    for name, weight in made[0].items():
        assert torch.equal(made[1][name], weight), name
        assert torch.equal(made[2][name], weight), name


@pytest.mark.parametrize("side", [0, 1])
def test_infinity_is_refused_by_the_models_own_name_where_that_is_not_the_files(folders, side, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(folders[side], dtype="auto")
    weights, stored = dict(model.named_parameters()), load_file(folders[side] / "model.safetensors").keys()
    name = next((n for n in weights if n not in stored), next(iter(weights)))
    with torch.no_grad():
        weights[name].view(-1)[3] = float("inf")
    broken = [shutil.copytree(folder, tmp_path / folder.name) for folder in folders]
    model.save_pretrained(broken[side])
    with pytest.raises(CheckpointError, match=rf"{re.escape(name)} in {broken[side]}.* holds NaN or infinity"):
        LiveModel(open_pair(*broken))
