"""The preflight: every finding of a pair at once, with both values and what to do, in a second for large models."""

import itertools
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hma.checkpoints import preflight as module
from hma.checkpoints.header import BITS
from hma.checkpoints.pair import open_pair
from hma.checkpoints.preflight import available_memory, preflight
from hma.errors import CheckpointError

WORDS = ["<pad>", "<bos>", "<eos>", "red", "green", "blue", "one", "two"]
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 8,
    "hidden_size": 4,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-6,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}


def llama(layers=2, hidden=4, inner=6, rows=8, dtype="BF16", tied=False):
    """Names of a Llama's tensors, each with dtype and shape."""
    shapes = {"model.embed_tokens.weight": (rows, hidden), "model.norm.weight": (hidden,)}
    shapes |= {} if tied else {"lm_head.weight": (rows, hidden)}
    for n in range(layers):
        layer = {f"self_attn.{p}_proj": (hidden, hidden) for p in "qkvo"}
        layer |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
        layer |= {"input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}
        shapes |= {f"model.layers.{n}.{name}.weight": shape for name, shape in layer.items()}
    return {name: (dtype, shape) for name, shape in shapes.items()}


def write_weights(file, tensors):
    """A safetensors file of zeros that takes no disk."""
    header, place = {}, 0
    for name, (dtype, shape) in tensors.items():
        count = BITS[dtype] // 8
        for n in shape:
            count *= n
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [place, place + count]}
        place += count
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(file, 8 + len(text) + place)


def write_json(file, value):
    file.write_text(json.dumps(value))


def write(folder, tensors=None, words=WORDS, added=("<pad>",), **config):
    """A checkpoint folder without data: config, weights, tokenizer and chat template."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {**CONFIG, **config})
    write_weights(folder / "model.safetensors", tensors or llama())
    vocab = {word: number for number, word in enumerate(words)}
    extra = [{"id": vocab[word], "content": word} for word in added]
    write_json(folder / "tokenizer.json", {"model": {"type": "WordLevel", "vocab": vocab}, "added_tokens": extra})
    write_json(folder / "tokenizer_config.json", {"chat_template": "{{ messages }}"})
    return folder


@pytest.fixture
def folders(tmp_path):
    return write(tmp_path / "reference"), write(tmp_path / "policy")


def edit(folder, **config):
    file = folder / "config.json"
    write_json(file, {**json.loads(file.read_text()), **config})


def found(folders, level=None):
    """(level, subject, message) of all findings but those of the machine."""
    findings = [f for f in preflight(*folders).findings if f.subject not in ("memory", "disk")]
    return [(f.level, f.subject, f.message) for f in findings if level in (None, f.level)]


def only(folders):
    (finding,) = found(folders)
    return finding


def split(folder, tensors=None, shards=2):
    """Write the weights as shards with an index, and return the index."""
    tensors = tensors or llama()
    (folder / "model.safetensors").unlink()
    names = [f"model-{k + 1:05}-of-{shards:05}.safetensors" for k in range(shards)]
    where = {name: names[k % shards] for k, name in enumerate(tensors)}
    for shard in names:
        write_weights(folder / shard, {n: t for n, t in tensors.items() if where[n] == shard})
    write_json(folder / "model.safetensors.index.json", {"weight_map": where})
    return where


def reindex(folder, where):
    write_json(folder / "model.safetensors.index.json", {"weight_map": where})


def test_a_pair_that_matches_has_only_notes_of_the_machine(folders, tiny_pair):
    assert found(folders) == []
    assert found(tiny_pair) == []
    result = preflight(*folders)
    assert {f.subject for f in result.findings} == {"memory", "disk"}
    assert not result.is_fatal


def test_bytes_are_counted_from_headers(folders):
    result = preflight(*folders)
    size = 2 * (2 * 8 * 4 + 4 + 2 * (4 * 16 + 3 * 24 + 8))
    assert (result.reference_bytes, result.policy_bytes, result.export_bytes) == (size, size, size)
    assert result.needed_bytes == 3 * size
    assert result.free_bytes > 0
    assert set(result.to_dict()) == {
        *("findings", "reference_bytes", "policy_bytes", "needed_bytes", "available_bytes", "export_bytes", "free_bytes")
    }


def test_a_pair_of_7b_is_looked_at_in_a_second(tmp_path):
    """Llama 2 7B as it is on the hub: 291 tensors in two shards, 32,000 tokens with merges, 13.5 GB, none of it on disk."""
    tensors = llama(32, 4096, 11008, 32000)
    words = [f"token{n}" for n in range(32000)]
    sides = [write(tmp_path / side, tensors, words, added=(), vocab_size=32000) for side in ("reference", "policy")]
    for folder in sides:
        split(folder, tensors)
        whole = json.loads((folder / "tokenizer.json").read_text())
        whole["model"]["merges"] = [f"{a} {b}" for a, b in itertools.pairwise(words)]
        write_json(folder / "tokenizer.json", {**whole, "side": folder.name})
    started = time.perf_counter()
    result = preflight(*sides)
    taken = time.perf_counter() - started
    assert len(tensors) == 291
    assert result.policy_bytes == 13_476_831_232
    assert not result.is_fatal
    assert taken < 1


def test_what_is_fatal_stands_first_and_is_what_opening_says(folders):
    reference, policy = folders
    edit(policy, model_type="qwen2", rms_norm_eps=0.5, max_position_embeddings=128)
    write_weights(policy / "model.safetensors", llama(dtype="F32", hidden=8))
    findings = found(folders)
    levels = [level for level, _, _ in findings]
    assert levels == sorted(levels, key=["fatal", "warning", "note"].index)
    assert {"architecture", "shapes", "dtypes", "config"} <= {subject for _, subject, _ in findings}
    with pytest.raises(CheckpointError) as caught:
        open_pair(reference, policy)
    assert str(caught.value) == findings[0][2]
    assert "The reference is a llama model and the policy a qwen2 model" in findings[0][2]


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


def test_ordinary_tokens_that_differ_are_fatal_and_added_ones_a_note(tmp_path):
    sides = (
        write(tmp_path / "reference"),
        write(tmp_path / "policy", words=["<nil>", *WORDS[1:3], "green", "red", *WORDS[5:]], added=()),
    )
    fatal, note = found(sides)
    assert fatal[:2] == ("fatal", "tokenizer")
    assert "Token 3 is 'red' to the reference's tokenizer and 'green' to the policy's, and so is 1 more token" in fatal[2]
    assert note[:2] == ("note", "tokenizer")
    assert "Added token 0 is '<pad>' to the reference's tokenizer and '<nil>' to the policy's" in note[2]


def test_vocabularies_of_other_files_and_forms_are_the_same(folders):
    for folder in folders:
        (folder / "tokenizer.json").unlink()
    write_json(folders[0] / "vocab.json", {w: n for n, w in enumerate(WORDS)})
    (folders[1] / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    assert found(folders) == []
    write_json(folders[0] / "tokenizer.json", {"model": {"type": "Unigram", "vocab": [[w, 0.5] for w in WORDS]}})
    assert found(folders) == []
    (folders[1] / "vocab.txt").unlink()
    (folders[1] / "tokenizer.model").write_bytes(b"")
    assert only(folders)[0] == "note"
    assert "not compared here" in only(folders)[2]


def test_added_tokens_listed_outside_a_shared_tokenizer_count(folders):
    file = folders[1] / "tokenizer_config.json"
    write_json(file, {**json.loads(file.read_text()), "added_tokens_decoder": {"7": {"content": "<two>"}, "x": 5}})
    assert only(folders)[:2] == ("note", "tokenizer")
    assert "Added token 7 is 'two' to the reference's tokenizer and '<two>' to the policy's" in only(folders)[2]


def test_other_ways_to_cut_a_text_are_a_note(folders):
    file = folders[1] / "tokenizer.json"
    write_json(file, {**json.loads(file.read_text()), "normalizer": {"type": "Lowercase"}})
    assert only(folders)[0] == "note"
    assert "The tokenizers differ in normalizer." in only(folders)[2]


def test_a_missing_tokenizer_is_a_warning_in_the_policy_and_a_note_in_the_reference(folders):
    (folders[0] / "tokenizer.json").unlink()
    (folders[0] / "tokenizer_config.json").unlink()
    assert only(folders)[:2] == ("note", "tokenizer")
    level, subject, message = only(folders[::-1])
    assert (level, subject) == ("warning", "tokenizer")
    assert "Copy the reference's tokenizer files" in message


@pytest.mark.parametrize(
    "broken",
    [
        *(b"{", b"[]", b"\xff", b"[" * 100_000),
        b'{"model": {"vocab": 5}}',
        b'{"model": {"vocab": {"a": -1}}}',
        b'{"model": {"vocab": {"a": "b"}}}',
        b'{"model": {"vocab": {}}, "added_tokens": [5]}',
        b'{"model": {"vocab": {}, "merges": [[["a"], "b"]]}}',
        b'{"model": {"vocab": {}, "merges": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"model": {"vocab": {}}, "normalizer": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
)
def test_a_broken_tokenizer_is_named(broken, folders):
    (folders[1] / "tokenizer.json").write_bytes(broken)
    level, subject, message = only(folders)
    assert (level, subject) == ("fatal", "tokenizer")
    assert str(folders[1] / "tokenizer.json") in message


def test_chat_templates(folders):
    (folders[0] / "chat_template.jinja").write_text("{{ messages }}")  # another place for the same
    assert found(folders) == []
    (folders[0] / "chat_template.jinja").write_text("other")
    assert only(folders)[:2] == ("note", "chat template")
    assert "5 characters in the reference, 14 in the policy" in only(folders)[2]
    write_json(folders[1] / "tokenizer_config.json", {})
    assert only(folders)[:2] == ("warning", "chat template")
    assert "The reference has a chat template and the policy has none." in only(folders)[2]
    assert "The policy has a chat template and the reference has none." in only(folders[::-1])[2]


def test_shards_are_read_as_one(folders):
    split(folders[1], shards=3)
    assert found(folders) == []
    shutil.copy(folders[0] / "model.safetensors", folders[1])
    assert only(folders)[0] == "warning"
    assert "has both" in only(folders)[2]


def test_all_that_an_index_and_its_shards_do_not_agree_on(folders):
    where = split(folders[1])
    first, second = sorted(set(where.values()))
    reindex(folders[1], where | {"x": first, "y": first})
    assert "names x in model-00001-of-00002.safetensors, which holds no such tensor (nor 1 more)" in only(folders)[2]
    reindex(folders[1], {n: s for n, s in where.items() if n != "model.norm.weight"})
    assert only(folders)[0] == "warning"
    assert "holds model.norm.weight, which model.safetensors.index.json does not name" in only(folders)[2]
    reindex(folders[1], where | {"model.norm.weight": first})
    assert only(folders)[0] == "warning"
    assert f"names model.norm.weight in {first}, and {second} holds it" in only(folders)[2]
    reindex(folders[1], where)
    shutil.copy(folders[1] / first, folders[1] / second)
    assert "is in both model-00001-of-00002.safetensors and model-00002-of-00002.safetensors" in only(folders)[2]


def test_every_missing_and_damaged_shard_is_named(folders):
    split(folders[1], shards=4)
    (folders[1] / "model-00001-of-00004.safetensors").unlink()
    os.truncate(folders[1] / "model-00003-of-00004.safetensors", 20)
    one, three = found(folders)
    assert "names model-00001-of-00004.safetensors, which the folder lacks. Fetch the missing file" in one[2]
    assert "model-00003-of-00004.safetensors is not a whole safetensors file" in three[2]
    assert preflight(*folders).needed_bytes is None


@pytest.mark.parametrize(
    "name",
    [
        *("../reference/model.safetensors", "/etc/passwd", "..", ".", "", "sub/x", "a\\b"),
        *("a\0b", "\ud800", "n" * 5000, 5, None, ["x"]),
    ],
    ids=str,
)
def test_a_name_that_leaves_the_folder_or_cannot_be_is_refused(name, folders):
    split(folders[1])
    reindex(folders[1], {"a": name})
    ((level, subject, message),) = found(folders)
    assert (level, subject) == ("fatal", "policy weights")
    assert "model.safetensors.index.json names" in message
    assert message.isprintable()


@pytest.mark.parametrize("text", ['{"weight_map": []}', "{}", "[]", "{", '{"weight_map": {"a": "x", "a": "y"}}', "[" * 100_000])
def test_an_index_that_is_none(text, folders):
    (folders[1] / "model.safetensors.index.json").write_text(text)
    assert only(folders)[:2] == ("fatal", "policy weights")


def test_a_link_out_of_the_folder_is_refused_and_one_in_the_hubs_cache_is_not(folders, tmp_path):
    where = split(folders[1])
    repository = tmp_path / "models--organisation--model"
    snapshot = shutil.copytree(folders[1], repository / "snapshots" / "0123")
    (repository / "blobs").mkdir()
    for folder, home in ((folders[1], tmp_path), (snapshot, repository / "blobs")):
        for shard in set(where.values()):
            shutil.move(folder / shard, home / f"blob{shard}")
            (folder / shard).symlink_to(home / f"blob{shard}")
    assert [level for level, _, _ in found(folders)] == ["fatal"] * 2
    assert "is a link out of its folder" in found(folders)[0][2]
    assert found((folders[0], snapshot)) == []


def test_a_link_that_goes_in_a_circle_and_a_pipe_are_missing_files(folders):
    where = split(folders[1])
    first, second = (folders[1] / shard for shard in sorted(set(where.values())))
    first.unlink()
    first.symlink_to(first)
    second.unlink()
    os.mkfifo(second)
    assert ["which the folder lacks" in message for _, _, message in found(folders)] == [True, True]


def test_weights_of_other_formats_say_what_to_do(folders):
    (folders[1] / "model.safetensors").unlink()
    assert "Save the model with safetensors." in only(folders)[2]
    for number in (1, 2):
        (folders[1] / f"pytorch_model-0000{number}-of-00002.bin").write_bytes(b"")
    level, _, message = only(folders)
    assert level == "fatal"
    assert "Its weights are in pytorch_model-00001-of-00002.bin, and so is 1 more file" in message
    assert "save it with save_pretrained, which writes safetensors" in message


def test_the_same_folder_twice_is_fatal_and_a_copy_is_not_looked_into(folders):
    assert only((folders[0], folders[0]))[:2] == ("fatal", "pair")
    assert found(folders) == []


def test_no_numbered_layers(tmp_path):
    sides = [write(tmp_path / side, {"w": ("F32", (2,))}) for side in ("reference", "policy")]
    assert "no numbered layers" in found(sides, "fatal")[-1][2]


def test_both_folders_are_looked_at_when_neither_can_be_opened(tmp_path):
    result = preflight(tmp_path / "nowhere", "organisation/no-such-model")
    assert [f.subject for f in result.findings] == ["reference folder", "policy folder"]
    assert "hf download organisation/no-such-model" in result.findings[1].message
    assert result.needed_bytes is result.export_bytes is None
    for strange in ("", "~nobody-there/x", "a\0b", "x" * 5000, "a/" + "x" * 5000):
        assert preflight(strange, tmp_path).is_fatal


@pytest.mark.parametrize("config", ["[]", "{", '{"a": NaN', "\ud800", "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900])
def test_a_config_that_is_none(config, folders):
    (folders[1] / "config.json").write_text(config, errors="surrogatepass")
    assert only(folders)[:2] == ("fatal", "policy config")


KEYS = st.sampled_from(
    "model_type architectures vocab_size text_config tie_word_embeddings rope_theta rope_scaling rope_parameters type weight_map "
    "model vocab merges added_tokens added_tokens_decoder content id normalizer chat_template quantization_config 7".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.floats() | st.text(max_size=3) | st.just("model.safetensors"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
FILES = st.sampled_from(
    "config.json tokenizer.json tokenizer_config.json added_tokens.json vocab.json chat_template.json adapter_config.json "
    "model.safetensors.index.json".split()
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(FILES, st.dictionaries(KEYS, VALUES, max_size=4) | VALUES, min_size=1, max_size=3))
def test_any_json_in_a_folders_files_gives_findings(changes, folders):
    before = {file: file.read_bytes() for file in folders[1].iterdir()}
    for name, value in changes.items():
        write_json(folders[1] / name, value)
    try:
        for sides in (folders, folders[::-1]):
            assert all(f.message.isprintable() for f in preflight(*sides).findings)
    finally:
        for file in folders[1].iterdir():
            if file not in before:
                file.unlink()
        for file, content in before.items():
            file.write_bytes(content)


def test_names_out_of_files_cannot_speak_to_the_terminal(folders):
    edit(folders[1], **{"\x1b[2J": 1, "long": "x" * 10_000, "\ud800": [1]})
    write_weights(folders[1] / "model.safetensors", {**llama(), "\x1b]0;\u202e": ("F32", (1,))})
    assert len(found(folders)) == 2
    for _, _, message in found(folders):
        assert message.isprintable()
        assert len(message) < 1000


def test_too_little_memory_and_disk_are_warnings(folders, monkeypatch):
    size = preflight(*folders).policy_bytes
    monkeypatch.setattr(module, "available_memory", lambda: 3 * size - 1)
    monkeypatch.setattr(module, "_free_disk", lambda: size - 1)
    low = preflight(*folders)
    assert [(f.level, f.subject) for f in low.findings] == [("warning", "memory"), ("warning", "disk")]
    assert f"live model take {3 * size / 1000:.3g} kB, and {(3 * size - 1) / 1000:.3g} kB of" in low.findings[0].message
    assert "use a larger machine" in low.findings[0].message
    assert "on a larger disk" in low.findings[1].message
    monkeypatch.setattr(module, "available_memory", lambda: 3 * size)
    monkeypatch.setattr(module, "_free_disk", lambda: None)
    assert [(f.level, f.subject) for f in preflight(*folders).findings] == [("note", "memory")]


def test_memory_is_known_with_and_without_psutil(monkeypatch):
    with_psutil = available_memory()
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert available_memory() == pytest.approx(with_psutil, rel=0.2)


def test_nothing_heavy_is_imported(folders):
    program = (
        "import sys; from hma.checkpoints.preflight import preflight; preflight(*sys.argv[1:]); "
        "print({'torch', 'transformers', 'numpy', 'safetensors', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, folders)], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout == "set()\n", done.stderr
