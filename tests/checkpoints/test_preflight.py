"""The preflight: every finding of a pair at once, with both values and what to do, in a second for large models."""

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hma.checkpoints.machine import Machine
from hma.checkpoints.pair import open_pair
from hma.checkpoints.preflight import preflight
from hma.errors import CheckpointError
from tests.written import edit, found, llama, only, split, write, write_json, write_weights


def test_a_pair_that_matches_has_only_notes_of_the_machine(folders, tiny_pair):
    assert found(folders) == []
    assert found(tiny_pair) == []
    result = preflight(*folders)
    assert {f.subject for f in result.findings} - {"GPU"} == {"memory", "disk"}
    assert not result.is_fatal


def test_bytes_are_counted_from_headers(folders):
    result = preflight(*folders)
    size = 2 * (2 * 8 * 4 + 4 + 2 * (4 * 16 + 3 * 24 + 8))
    assert (result.reference_bytes, result.policy_bytes, result.export_bytes) == (size, size, size)
    assert result.needed_bytes == 3 * size
    assert result.free_bytes > 0
    assert set(result.to_dict()) == {
        *("findings", "reference_bytes", "policy_bytes", "needed_bytes", "available_bytes", "export_bytes", "free_bytes"),
        *("gpu", "gpu_bytes"),
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
    "model vocab merges added_tokens added_tokens_decoder content id normalizer chat_template quantization_config "
    "base_model_name_or_path peft_type revision r 7".split()
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


def test_too_little_memory_and_disk_are_warnings(folders):
    size = preflight(*folders).policy_bytes
    low = preflight(*folders, machine=Machine(3 * size - 1, size - 1, "Some GPU", 3 * size - 1))
    assert [(f.level, f.subject) for f in low.findings] == [("warning", what) for what in ("memory", "GPU", "disk")]
    assert f"live model take {3 * size / 1000:.3g} kB, and {(3 * size - 1) / 1000:.3g} kB of" in low.findings[0].message
    assert "use a larger machine" in low.findings[0].message
    assert "of the memory of Some GPU are free. What does not fit is kept in main memory" in low.findings[1].message
    assert "on a larger disk" in low.findings[2].message
    enough = preflight(*folders, machine=Machine(3 * size, None))
    assert [(f.level, f.subject) for f in enough.findings] == [("note", "memory")]
    assert (enough.available_bytes, enough.gpu, enough.free_bytes) == (3 * size, None, None)


def test_nothing_heavy_is_imported(folders):
    program = (
        "import sys; from hma.checkpoints.preflight import preflight; preflight(*sys.argv[1:]); "
        "print({'torch', 'transformers', 'numpy', 'safetensors', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, folders)], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout == "set()\n", done.stderr
