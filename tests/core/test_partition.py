"""Every parameter is in exactly one block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.core.partition import OWN, Partition, Place, layer_of, place_of
from hma.core.recipe import Recipe
from hma.core.study import Axis, Study


@given(st.integers(1, 120), st.data())
def test_equal_blocks_cover_every_layer_once_and_differ_by_at_most_one(num_layers, data):
    num_blocks = data.draw(st.integers(1, num_layers))
    partition = Partition.equal(num_layers, num_blocks)
    layers = [layer for k in range(num_blocks) for layer in partition.layers(k)]
    sizes = [len(partition.layers(k)) for k in range(num_blocks)]
    assert layers == list(range(num_layers))
    assert max(sizes) - min(sizes) <= 1


def test_the_papers_thirds_of_26_layers():
    """Layers 1-8, 9-17 and 18-26, counted from 1 [HMA §5]."""
    spans = [Partition.equal(26).layers(k) for k in range(3)]
    assert [(s[0] + 1, s[-1] + 1) for s in spans] == [(1, 8), (9, 17), (18, 26)]


@pytest.mark.parametrize(("num_layers", "num_blocks"), [(1, 1), (2, 2), (3, 3), (26, 3)])
def test_a_shallow_model_has_a_block_a_layer(num_layers, num_blocks):
    study = Study("", "", "", "pair", "", "suite", "test", "full", 1, num_layers, Axis("reward", "", ""), ())
    assert study.partition().num_blocks == num_blocks


def test_embeddings_are_input_head_and_final_norm_are_output():
    partition = Partition.equal(6)
    names = {
        "model.embed_tokens.weight": 0,
        "transformer.wte.weight": 0,
        "model.layers.0.mlp.up_proj.weight": 0,
        "model.layers.3.input_layernorm.weight": 1,
        "transformer.h.5.attn.c_attn.bias": 2,
        "model.norm.weight": 2,
        "lm_head.weight": 2,
        "gpt_neox.embed_in.weight": 0,
        "embed_out.weight": 2,
        "transformer.word_embeddings.weight": 0,
        "transformer.word_embeddings_layernorm.weight": 0,
        "tok_embeddings.weight": 0,
        "gpt_neox.layers.4.attention.rotary_emb.inv_freq": 2,
    }
    assert {name: partition.block_of(name) for name in names} == names


@given(st.integers(1, 60), st.data())
def test_layer_alphas_give_each_layer_its_blocks_alpha(num_layers, data):
    num_blocks = data.draw(st.integers(1, num_layers))
    partition = Partition.equal(num_layers, num_blocks)
    alphas = tuple(k / num_blocks for k in range(num_blocks))
    per_layer = partition.layer_alphas(alphas)
    for layer in range(num_layers):
        assert per_layer[layer] == alphas[partition.block_of(f"model.layers.{layer}.mlp.weight")]


@pytest.mark.parametrize("starts", [(), (1,), (0, 0), (0, 3, 2), (0, 6)])
def test_impossible_starts_are_refused(starts):
    with pytest.raises(ValueError, match="starts"):
        Partition(6, starts)


def test_a_layer_beyond_the_model_is_refused():
    with pytest.raises(ValueError, match="layer 6, and the model has 6"):
        Partition.equal(6).block_of("model.layers.6.mlp.weight")


def test_layer_numbers_are_read_from_names():
    assert layer_of("model.layers.11.self_attn.q_proj.weight") == 11
    assert layer_of("lm_head.weight") is None
    assert layer_of("model.players.3.weight") is None


@pytest.mark.parametrize("digits", [10, 5000])
def test_a_number_that_no_model_reaches_is_no_layer(digits):
    assert layer_of(f"model.layers.{'9' * (digits - 1)}.x") == (999_999_999 if digits == 10 else None)
    assert layer_of(f"model.layers.{'9' * digits}.x") is None


LAYER = {
    "self_attn.q_proj.weight": ((16, 16), True),
    "self_attn.q_proj.bias": ((16,), False),
    "self_attn.q_norm.weight": ((2, 8), False),
    "mlp.experts.gate_up_proj": ((4, 16, 32), True),
    "mlp.experts.gate_up_proj_bias": ((4, 32), False),
    "mlp.gate.weight": ((4, 16), True),
    "norm_attn_norm.attn.Wqkv.weight": ((48, 16), True),
    "attn.bias": ((1, 1, 64, 64), False),
    "mixer.conv1d.weight": ((16, 1, 4), False),
    "ln_1.weight": ((16,), False),
    "input_layernorm.weight": ((16,), False),
}
OUTSIDE = {
    "model.embed_tokens.weight": ((21, 16), False),
    "model.decoder.project_in.weight": ((16, 8), False),
    "model.norm.weight": ((16,), False),
    "lm_head.weight": ((21, 16), True),
    "lm_head.bias": ((21,), False),
    "embed_out.weight": ((21, 16), True),
}
"""Names with their shapes, and whether they are linear weights."""


def parameters(num_layers):
    inside = {f"model.layers.{i}.{name}": told for i in range(num_layers) for name, told in LAYER.items()}
    return [(name, shape, linear) for name, (shape, linear) in (inside | OUTSIDE).items()]


@st.composite
def partitions(draw):
    num_layers = draw(st.integers(1, 12))
    pivots = tuple(sorted(draw(st.sets(st.integers(0, num_layers - 2), max_size=5)))) if num_layers > 1 else ()
    linear_only = draw(st.booleans())
    own = ("head",) if linear_only else tuple(part for part in OWN if draw(st.booleans()))
    return Partition(num_layers, (0, *(pivot + 1 for pivot in pivots)), own, linear_only)


@given(partitions())
def test_every_parameter_is_in_exactly_one_block_or_stays_the_references(partition):
    alphas = tuple((k + 1) / 100 for k in range(partition.num_blocks))
    recipe, found = Recipe(partition, alphas), set()
    for name, shape, linear in parameters(partition.num_layers):
        place, block = place_of(name, shape), partition.block_of(name, shape)
        assert place.is_linear == linear, name
        assert (block is None) == (partition.linear_only and not linear), name
        assert recipe.alpha_at(place) == (1.0 if block is None else alphas[block])
        layer = layer_of(name)
        assert layer is None or block is None or layer in partition.layers(block)
        found.add(block)
    assert found - {None} == set(range(partition.num_blocks))
    assert len(partition.block_names()) == partition.num_blocks
    assert [layer for k in range(partition.num_blocks) for layer in partition.layers(k)] == list(range(partition.num_layers))


@given(partitions())
def test_shares_are_the_alphas_of_embeddings_layers_norm_and_head(partition):
    recipe = Recipe(partition, tuple((k + 1) / 100 for k in range(partition.num_blocks)))
    outside = {part: recipe.alpha_at(Place(part, part == "head")) for part in OWN}
    assert recipe.shares == (outside["embeddings"], *recipe.layer_alphas, outside["norm"], outside["head"])
    assert len(recipe.shares) == partition.num_layers + 3


def test_what_is_a_linear_weight_is_not_told_by_the_name_alone():
    partition = Partition(3, (0,), ("head",), linear_only=True)
    with pytest.raises(ValueError, match=r"shape of model\.layers\.0\.mlp\.weight"):
        partition.block_of("model.layers.0.mlp.weight")


@pytest.mark.parametrize("own", [(), ("embeddings", "head"), ("norm",)])
def test_the_head_is_a_block_of_its_own_where_only_linear_weights_are_averaged(own):
    with pytest.raises(ValueError, match="only linear weights"):
        Partition(3, (0,), own, linear_only=True)


@pytest.mark.parametrize("own", [("head", "norm"), ("tail",), ("head", "head")])
def test_parts_of_their_own_are_named_in_order(own):
    with pytest.raises(ValueError, match="own"):
        Partition(3, (0,), own)
