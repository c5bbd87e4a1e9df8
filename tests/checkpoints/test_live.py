"""The laws of merging: exact ends, plain averaging, one block at a time, equal weights untouched."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.checkpoints.precision import merged
from hma.core.partition import Partition
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.errors import CheckpointError
from tests import tiny

DTYPES = [("float32", False), ("float32", True), ("bfloat16", False), ("float16", False)]
HOLDS = ("dense", "host", "sparse")
KINDS = [(*dtype, hold) for dtype in DTYPES for hold in HOLDS]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: f"{kind[0]}{'-tied' if kind[1] else ''}-{kind[2]}")
def opened(request, tmp_path_factory):
    dtype, tied, hold = request.param
    folders = tiny.write_pair(tmp_path_factory.mktemp("pair"), dtype=dtype, tied=tied)
    weights = [load_file(folder / "model.safetensors") for folder in folders]
    return LiveModel(open_pair(*folders), hold=hold), *weights


def recipe(*alphas):
    return Recipe(Partition.equal(3, len(alphas)), alphas)


def live_weights(live):
    return {name: weight.detach().clone() for name, weight in live.model.named_parameters()}


def test_both_ends_are_exact(opened):
    live, reference, policy = opened
    live.write(recipe(0.4, 0.1, 0.7))
    for alpha, end in ((0.0, policy), (1.0, reference), (0.0, policy)):
        live.write(recipe(alpha, alpha, alpha))
        for name, weight in live_weights(live).items():
            assert weight.dtype == end[name].dtype
            assert torch.equal(weight, end[name]), name


def test_equal_alphas_are_plain_averaging_with_one_rounding(opened):
    live, reference, policy = opened
    live.write(recipe(0.3, 0.3, 0.3))
    for name, weight in live_weights(live).items():
        exact = 0.3 * reference[name].double() + 0.7 * policy[name].double()
        scale = torch.maximum(reference[name].abs(), policy[name].abs()).double()
        eps = torch.finfo(weight.dtype).eps
        assert ((weight.double() - exact).abs() <= eps * scale).all(), name


def test_changing_one_alpha_changes_one_block(opened):
    live, *_ = opened
    partition = Partition.equal(3)
    live.write(recipe(0.5, 0.5, 0.5))
    before = live_weights(live)
    for block in range(3):
        alphas = [0.5] * 3
        alphas[block] = 0.9
        live.write(recipe(*alphas))
        changed = {partition.block_of(n) for n, w in live_weights(live).items() if not torch.equal(w, before[n])}
        assert changed == {block}


@pytest.mark.parametrize("hold", HOLDS)
def test_moving_one_slider_rewrites_one_block(hold, tiny_pair):
    """Seen by marks in all weights: those of the other blocks are still there."""
    live = LiveModel(open_pair(*tiny_pair), hold=hold)
    partition = Partition.equal(3)
    for block in range(3):
        live.write(recipe(0.5, 0.5, 0.5))
        for weight in live.model.parameters():
            weight.data.fill_(9.0)
        live.write(recipe(*(0.9 if k == block else 0.5 for k in range(3))))
        assert {partition.block_of(n) for n, w in live_weights(live).items() if not (w == 9.0).all()} == {block}


def test_tied_weights_are_held_and_written_once(opened):
    live, *_ = opened
    output, embeddings = live.model.get_output_embeddings().weight, live.model.get_input_embeddings().weight
    live.write(Recipe(Partition.equal(3), (0.3, 0.5, 0.5), Precision("float32")))
    live.write(recipe(0.3, 0.5, 0.5))
    assert (output is embeddings) == live.model.config.tie_word_embeddings
    if live.hold != "sparse":  # which holds less: o_proj is equal in both
        assert live.held_bytes == 2 * sum(weight.nbytes for weight in live.model.parameters())
    else:
        assert 0 < live.held_bytes < 2 * sum(weight.nbytes for weight in live.model.parameters())


@pytest.mark.parametrize("hold", HOLDS)
def test_a_write_that_breaks_off_leaves_nothing_that_the_next_one_does_not_mend(hold, tmp_path):
    folders = tiny.write_pair(tmp_path, dtype="bfloat16")
    name = "model.layers.1.self_attn.o_proj.weight"  # equal in both
    for folder in folders:
        weights = load_file(folder / "model.safetensors")
        weights[name][0, 0] = 70000.0
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    reference, policy = (load_file(folder / "model.safetensors") for folder in folders)
    live = LiveModel(open_pair(*folders), hold=hold)
    narrow = Recipe(Partition.equal(3), (0.2, 0.2, 0.2), Precision("float16"))
    live.write(recipe(0.2, 0.5, 0.8))
    with pytest.raises(CheckpointError, match=rf"{name} holds 70144"):
        live.write(narrow)
    assert live.model.lm_head.weight.dtype == torch.bfloat16  # it broke off in the middle
    assert live.model.model.embed_tokens.weight.dtype == torch.float16
    with pytest.raises(ValueError, match="do not hold"):
        live.effective_alphas(narrow)
    live.write(recipe(0.2, 0.5, 0.8))
    for name, weight in live_weights(live).items():
        alpha = (0.2, 0.5, 0.8)[Partition.equal(3).block_of(name)]
        assert torch.equal(weight, merged(reference[name], policy[name], alpha)), name


def test_every_way_of_holding_has_the_same_effective_alphas(tmp_path):
    pair = open_pair(*tiny.write_pair(tmp_path, dtype="bfloat16"))
    some = Recipe(Partition.equal(3), (0.2, 0.5, 0.8), Precision("bfloat16", "stochastic", 1))
    found = []
    for hold in HOLDS:
        live = LiveModel(pair, hold=hold)
        live.write(some)
        found.append(live.effective_alphas(some))
    assert found[1] == pytest.approx(found[0], abs=1e-6)
    assert found[2] == pytest.approx(found[0], abs=1e-6)


def test_equal_weights_stay_equal(opened):
    live, reference, policy = opened
    same = [name for name in reference if torch.equal(reference[name], policy[name])]
    assert any("o_proj" in name for name in same)
    live.write(recipe(0.123, 0.456, 0.789))
    for name in same:
        assert torch.equal(live_weights(live)[name], reference[name]), name


def test_the_way_to_a_merge_does_not_matter(opened):
    live, *_ = opened
    live.write(recipe(0.2, 0.5, 0.8))
    direct = live_weights(live)
    live.write(recipe(0.9, 0.5, 0.1))
    live.write(recipe(0.2, 0.5, 0.8))
    assert all(torch.equal(weight, direct[name]) for name, weight in live_weights(live).items())


def test_a_merged_model_computes_with_the_merged_weights(opened):
    live, *_ = opened
    ids = torch.tensor([[1, 5, 9, 12]])
    live.write(recipe(0, 0, 0))
    policy = live.model(ids).logits.clone()
    live.write(recipe(0.5, 0, 0))
    assert not torch.equal(live.model(ids).logits, policy)


def test_a_reference_with_another_vocabulary_is_refused(tiny_pair, tmp_path):
    folder = shutil.copytree(tiny_pair[0], tmp_path / "reference")
    text = (folder / "tokenizer.json").read_text()
    swapped = text.replace('"red"', '"?"').replace('"blue"', '"red"').replace('"?"', '"blue"')
    assert swapped != text
    (folder / "tokenizer.json").write_text(swapped)
    with pytest.raises(CheckpointError, match="Token 17 is 'blue' to the reference's tokenizer and 'red' to the policy's"):
        LiveModel(open_pair(folder, tiny_pair[1]))


def test_a_setting_that_only_one_config_names_counts_by_its_default(tiny_pair, tmp_path):
    folder = shutil.copytree(tiny_pair[0], tmp_path / "reference")
    config = json.loads((folder / "config.json").read_text())
    del config["rms_norm_eps"]
    (folder / "config.json").write_text(json.dumps(config))
    LiveModel(open_pair(folder, tiny_pair[1]))  # the default is what the other names
    policy = shutil.copytree(tiny_pair[1], tmp_path / "policy")
    (policy / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}))
    with pytest.raises(CheckpointError, match="differ in rms_norm_eps"):
        LiveModel(open_pair(folder, policy))


def test_nan_is_refused_with_the_tensors_name(tmp_path):
    reference, policy = tiny.write_pair(tmp_path)
    weights = load_file(policy / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, policy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight .* NaN"):
        LiveModel(open_pair(reference, policy))


@pytest.mark.parametrize(
    "precision", [Precision("float16"), Precision("float32"), Precision(None, "stochastic"), Precision("bfloat16")]
)
def test_the_live_model_takes_the_recipes_numbers_and_gives_them_back(opened, precision):
    """What is measured is what is exported: the live model's weights are the merge in the asked dtype and rounding."""
    live, reference, policy = opened
    partition = Partition.equal(3)
    live.write(Recipe(partition, (0.2, 0.5, 0.8), precision))
    for name, weight in live_weights(live).items():
        alpha = (0.2, 0.5, 0.8)[partition.block_of(name)]
        assert torch.equal(weight, merged(reference[name], policy[name], alpha, precision, name)), name
    assert torch.isfinite(live.model(torch.tensor([[1, 4, 5]])).logits).all()
    effective = live.effective_alphas(Recipe(partition, (0.2, 0.5, 0.8), precision))
    assert effective == pytest.approx((0.2, 0.5, 0.8), abs=0.02)
    live.write(recipe(0.0, 0.0, 0.0))
    for name, weight in live_weights(live).items():
        assert torch.equal(weight, policy[name]), name


def test_embeddings_norm_and_head_can_have_alphas_of_their_own(opened):
    live, reference, policy = opened
    live.write(Recipe(Partition.at(3, (1,), ("embeddings", "norm", "head")), (1.0, 0.0, 0.3, 0.0, 1.0)))
    weights = live_weights(live)
    assert torch.equal(weights["model.embed_tokens.weight"], reference["model.embed_tokens.weight"])
    assert torch.equal(weights["model.norm.weight"], policy["model.norm.weight"])
    assert torch.equal(weights["model.layers.1.mlp.up_proj.weight"], policy["model.layers.1.mlp.up_proj.weight"])
    if "lm_head.weight" in weights:
        assert torch.equal(weights["lm_head.weight"], reference["lm_head.weight"])


def test_effective_alphas_are_only_told_of_what_is_written(opened):
    live, *_ = opened
    live.write(recipe(0.2, 0.2, 0.2))
    with pytest.raises(ValueError, match="do not hold"):
        live.effective_alphas(recipe(0.3, 0.2, 0.2))
