"""Every parameter is in exactly one block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hma.core.partition import OWN, Partition, layer_of
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
    with pytest.raises(ValueError, match="names layer 6"):
        Partition.equal(6).block_of("model.layers.6.mlp.weight")


def test_layer_numbers_are_read_from_names():
    assert layer_of("model.layers.11.self_attn.q_proj.weight") == 11
    assert layer_of("lm_head.weight") is None
    assert layer_of("model.players.3.weight") is None


@given(st.integers(1, 40), st.data())
def test_every_part_takes_its_blocks_alpha_whatever_is_a_block_of_its_own(num_layers, data):
    pivots = tuple(sorted(data.draw(st.sets(st.integers(0, num_layers - 2), max_size=5)))) if num_layers > 1 else ()
    own = tuple(part for part in OWN if data.draw(st.booleans()))
    partition = Partition.at(num_layers, pivots, own)
    alphas = tuple(k / 100 for k in range(partition.num_blocks))
    shares = partition.shares(alphas)
    assert len(partition.block_names()) == partition.num_blocks
    for name in (
        "model.embed_tokens.weight",
        *(f"model.layers.{i}.w" for i in range(num_layers)),
        "model.norm.weight",
        "lm_head.weight",
    ):
        assert shares[partition.place_of(name)] == alphas[partition.block_of(name)]
    assert (partition.block_of("lm_head.weight") == partition.block_of(f"model.layers.{num_layers - 1}.w")) == ("head" not in own)
    assert [layer for k in range(partition.num_blocks) for layer in partition.layers(k)] == list(range(num_layers))


def test_the_original_codes_worked_example():
    """``split|10#20|0.4|0.3|0.2`` with alpha 0.5: final norm and head take the alpha [HMA, code]."""
    partition = Partition.at(26, (10, 20), ("norm", "head"))
    shares = partition.shares((0.4, 0.3, 0.2, 0.5, 0.5))
    assert shares == (0.4, *[0.4] * 11, *[0.3] * 10, *[0.2] * 5, 0.5, 0.5)


@pytest.mark.parametrize("own", [("head", "norm"), ("tail",), ("head", "head")])
def test_parts_of_their_own_are_named_in_order(own):
    with pytest.raises(ValueError, match="own"):
        Partition(3, (0,), own)
