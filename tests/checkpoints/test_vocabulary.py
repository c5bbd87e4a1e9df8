"""Tokens, tokenizers and chat templates that differ, read from files alone."""

import json

import pytest

from tests.written import WORDS, found, only, write, write_json


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
