"""Whether two checkpoints match: each difference a finding with both values and what to do."""

import json

import pytest

from hma.checkpoints.pair import open_pair
from hma.errors import CheckpointError
from tests.written import WORDS, edit, found, llama, only, write, write_json, write_weights


def test_no_model_type(folders):
    edit(folders[0], model_type=None)
    edit(folders[1], model_type=None)
    assert [subject for _, subject, _ in found(folders, "fatal")] == ["reference config", "policy config"]


def test_other_architectures_of_a_type_are_a_warning(folders):
    edit(folders[1], architectures=["LlamaForSequenceClassification"])
    level, subject, message = only(folders)
    assert (level, subject) == ("warning", "config")
    assert "LlamaForCausalLM" in message
    assert "LlamaForSequenceClassification" in message


def test_names_shapes_and_dtypes_are_one_finding_for_each_way_they_differ(folders):
    write_weights(folders[1] / "model.safetensors", llama(layers=3))
    level, subject, message = only(folders)
    assert (level, subject) == ("fatal", "tensors")
    assert "model.layers.2.input_layernorm.weight is in the policy and not in the reference, and so are 8 more" in message
    write_weights(folders[1] / "model.safetensors", llama(dtype="F32"))
    level, subject, message = only(folders)
    assert (level, subject) == ("fatal", "dtypes")
    assert "BF16 in the reference and F32 in the policy, and so are 20 more tensors. Save both" in message
    write_weights(folders[1] / "model.safetensors", llama(inner=7))
    assert [subject for _, subject, _ in found(folders)] == ["shapes", "shapes"]
    assert "gate_proj.weight is (6, 4) in the reference and (7, 4) in the policy, and so are 3 more" in found(folders)[1][2]


@pytest.mark.parametrize("larger", ["reference", "policy"])
def test_padding_rows_are_told_from_tokens(larger, tmp_path):
    sides = [
        write(tmp_path / side, llama(rows=12 if side == larger else 8), vocab_size=12 if side == larger else 8)
        for side in ("reference", "policy")
    ]
    level, subject, message = only(sides)
    assert (level, subject) == ("fatal", "embeddings")
    rows = ("12", "8") if larger == "reference" else ("8", "12")
    assert f"lm_head.weight has {rows[0]} rows in the reference and {rows[1]} in the policy, and so is 1 more" in message
    assert f"the {larger} has rows 8 to 11 more. They are padding, since the tokens end at 8" in message
    assert f"load the {larger} with transformers, model.resize_token_embeddings(8)" in message


def test_rows_that_tokens_need_are_to_be_added_to_the_other(tmp_path):
    reference = write(tmp_path / "reference")
    policy = write(tmp_path / "policy", llama(rows=10), [*WORDS, "<user>"], ("<pad>", "<user>"), vocab_size=10)
    fatal, note = found((reference, policy))
    assert fatal[:2] == ("fatal", "embeddings")
    assert "They are not all padding, since the tokens end at 9. Give the reference such rows" in fatal[2]
    assert "model.resize_token_embeddings(10)" in fatal[2]
    assert note[:2] == ("note", "tokenizer")
    assert "Added token 8 is None to the reference's tokenizer and '<user>' to the policy's" in note[2]


def test_rows_without_a_vocabulary_to_tell(tmp_path):
    sides = write(tmp_path / "reference"), write(tmp_path / "policy", llama(rows=10), vocab_size=10)
    for folder in sides:
        (folder / "tokenizer.json").unlink()
        (folder / "tokenizer.model").write_bytes(b"")
    assert "No tokenizer.json or vocab.json says which are padding" in found(sides, "fatal")[0][2]


def test_embeddings_that_their_own_config_or_tokenizer_does_not_fit(folders):
    for folder in folders:
        edit(folder, vocab_size=9)
    assert [f[:2] for f in found(folders)] == [("fatal", "reference config"), ("fatal", "policy config")]
    assert "has 8 rows in the reference, and its config says vocab_size = 9" in found(folders)[0][2]
    for folder in folders:
        edit(folder, vocab_size=8)
        write_json(folder / "tokenizer.json", {"model": {"vocab": {w: n for n, w in enumerate([*WORDS, "more"])}}})
    assert [f[:2] for f in found(folders)] == [("warning", "embeddings")] * 2
    assert "goes to token 8 ('more'), and it has embeddings for 8" in found(folders)[0][2]


def test_tied_embeddings(tmp_path):
    tied, own = llama(tied=True), llama()
    one, two = (write(tmp_path / name, tied, tie_word_embeddings=True) for name in ("one", "two"))
    assert found((one, two)) == []
    copy = write(tmp_path / "copy", own, tie_word_embeddings=True)
    fatal, warning = found((one, copy))
    assert fatal[:2] == ("fatal", "tied embeddings")
    assert "lm_head.weight is in the policy and not in the reference" in fatal[2]
    assert "load the policy with transformers and save it again, which drops the copy" in fatal[2]
    assert warning[:2] == ("warning", "tied embeddings")
    headless, beside = (write(tmp_path / name, tied, tie_word_embeddings=False) for name in ("headless", "beside"))
    assert [f[:2] for f in found((headless, beside))] == [("fatal", "tied embeddings")] * 2
    assert ("fatal", "config") in [f[:2] for f in found((one, headless))]


def test_settings_that_compute_are_fatal_and_others_notes(folders):
    edit(folders[1], rms_norm_eps=1e-5, rope_theta=5e5, max_position_embeddings=128, eos_token_id=7, transformers_version="9")
    edit(folders[0], eos_token_id=2, transformers_version="4", head_dim=2)
    assert [f[:2] for f in found(folders)] == [("fatal", "config")] * 2 + [("note", "config")] * 3
    said = " ".join(message for _, _, message in found(folders))
    assert "differ in rms_norm_eps: 1e-06 in the reference and 1e-05 in the policy" in said
    assert "differ in rope_theta: 10000.0 in the reference and 500000.0 in the policy" in said
    assert "differ in max_position_embeddings: 64 in the reference and 128 in the policy. The policy's is used" in said
    assert "Only the reference's config names head_dim = 2." in said


def test_rotary_positions_in_two_forms_are_compared_by_what_they_say(folders):
    def policy(**rope):
        edit(folders[1], **rope)
        file = folders[1] / "config.json"
        config = json.loads(file.read_text())
        config.pop("rope_theta", None)
        write_json(file, config)
        return found(folders)

    assert policy(rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}) == []
    ((level, subject, message),) = policy(rope_parameters={"rope_theta": 5e5, "rope_type": "default"})
    assert (level, subject) == ("fatal", "config")
    assert "rope_theta = 10000.0 in the reference and rope_theta = 500000.0 in the policy" in message
    ((level, _, message),) = policy(rope_parameters={"rope_theta": 10000.0, "type": "yarn", "factor": 2.0})
    assert level == "fatal"
    assert "rope_type = 'default' in the reference and rope_type = 'yarn' in the policy" in message
    ((level, _, message),) = policy(rope_parameters={"rope_type": "default"})
    assert level == "warning"
    assert "said in part" in message


def test_quantised_weights_are_refused(folders):
    edit(folders[1], quantization_config={"quant_method": "gptq", "bits": 4})
    assert "is quantised" in found(folders, "fatal")[0][2]


def without(layer, tensors):
    """The tensors without those of a layer."""
    return {name: told for name, told in tensors.items() if f".layers.{layer}." not in name}


def test_layers_with_gaps_are_fatal(folders):
    for gap, tensors in ((2, {**llama(), "model.layers.999999999.x": ("BF16", (4,))}), (0, without(0, llama(3)))):
        for folder in folders:
            write_weights(folder / "model.safetensors", tensors)
        assert [f[:2] for f in found(folders)] == [("fatal", "reference weights"), ("fatal", "policy weights")]
        assert f"{folders[0]} has no tensors of layer {gap}, and has them of layer " in found(folders)[0][2]
        with pytest.raises(CheckpointError, match=f"no tensors of layer {gap}"):
            open_pair(*folders)


def test_a_number_too_large_for_a_layer_is_not_one(folders):
    for digits in (12, 5000):
        for folder in folders:
            write_weights(folder / "model.safetensors", {**llama(), f"model.layers.{'9' * digits}.x": ("BF16", (4,))})
        assert found(folders) == []


@pytest.mark.parametrize(
    "config",
    [{"num_hidden_layers": 3}, {"n_layer": 3}, {"num_layers": 3}, {"text_config": {"num_hidden_layers": 3, "vocab_size": 8}}],
)
def test_fewer_layers_than_the_config_says_are_fatal(folders, config):
    for folder in folders:
        edit(folder, **config)
    assert [f[:2] for f in found(folders)] == [("fatal", "reference config"), ("fatal", "policy config")]
    assert (
        f"has tensors of 2 layers, and its config says {next(iter(config.get('text_config', config)))} = 3"
        in found(folders)[0][2]
    )


def test_more_layers_than_the_config_says_are_a_warning(folders):
    """As where a layer above the last predicts further tokens."""
    for folder in folders:
        edit(folder, num_hidden_layers=1)
    assert [f[:2] for f in found(folders)] == [("warning", "reference config"), ("warning", "policy config")]
    assert "has tensors of 2 layers, and its config says num_hidden_layers = 1" in found(folders)[0][2]
    for folder in folders:
        edit(folder, num_layers=2)  # one of the names is right
    assert found(folders) == []
    for folder in folders:
        edit(folder, num_hidden_layers="2", num_layers=True)
    assert found(folders) == []


def test_more_layers_than_any_model_has_are_fatal(folders):
    for folder in folders:
        write_weights(folder / "model.safetensors", {f"model.layers.{n}.x": ("BF16", (1,)) for n in range(10_001)})
        edit(folder, num_hidden_layers=10_001)
    assert [f[:2] for f in found(folders)] == [("fatal", "reference weights"), ("fatal", "policy weights")]
    assert "has tensors of 10,001 layers" in found(folders)[0][2]
