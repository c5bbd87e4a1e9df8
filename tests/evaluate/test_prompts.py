"""Prompts and baseline answers in the formats that people have; what is wrong is named with its line."""

import gzip
import json

import pytest

from hma.errors import SuiteError
from hma.evaluate.datafiles import find_files
from hma.evaluate.prompts import Prompt, hh_rlhf_turns, read_answers, read_prompts

DIALOGUE = "\n\nHuman: who ?\n\nAssistant: me .\n\nHuman: why ?\n\nAssistant: because ."


def written(folder, name, entries):
    file = folder / name
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return file


def test_each_format_is_told_from_its_fields(tmp_path):
    own = written(tmp_path, "own.jsonl", [{"id": "a", "prompt": "red ?"}])
    hh = written(tmp_path, "hh.jsonl", [{"chosen": DIALOGUE, "rejected": DIALOGUE}])
    alpaca = tmp_path / "alpaca.json"
    alpaca.write_text(json.dumps([{"instruction": "red ?", "output": "x"}, {"instruction": "say", "input": "blue"}]))
    assert read_prompts([own]) == (Prompt("a", ("red ?",)),)
    assert read_prompts([hh]) == (Prompt("0", ("who ?", "me .", "why ?")),)
    assert read_prompts([alpaca]) == (Prompt("0", ("red ?",)), Prompt("1", ("say\n\nblue",)))
    assert read_prompts([hh, alpaca])[1] == Prompt("1", ("red ?",))  # counted over all files


def test_a_damaged_gzip_is_named(tmp_path):
    content = bytearray(gzip.compress(json.dumps({"chosen": DIALOGUE}).encode()))
    damaged = tmp_path / "damaged.jsonl.gz"
    for place in range(10, len(content)):
        damaged.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        with pytest.raises(SuiteError, match=r"damaged\.jsonl\.gz"):
            read_prompts([damaged])


def test_files_may_be_gzipped_or_parquet(tmp_path):
    from pyarrow import Table, parquet

    zipped = tmp_path / "test.jsonl.gz"
    zipped.write_bytes(gzip.compress(json.dumps({"chosen": DIALOGUE}).encode()))
    table = tmp_path / "test.parquet"
    parquet.write_table(Table.from_pylist([{"chosen": DIALOGUE}]), table)
    assert read_prompts([zipped]) == read_prompts([table]) == (Prompt("0", ("who ?", "me .", "why ?")),)


def test_the_turns_of_a_prompt_are_those_before_the_last_answer():
    assert hh_rlhf_turns("\n\nHuman: a\n\nAssistant: b") == ("a",)
    assert hh_rlhf_turns(DIALOGUE) == ("who ?", "me .", "why ?")
    assert hh_rlhf_turns("\n\nHuman: a\n\nHuman: b\n\nAssistant: c\n\nAssistant: d") == (
        "a\n\nb",
    )  # as the data have it at times
    assert hh_rlhf_turns("\n\nHuman: a\n\nAssistant: b\n\nHuman: c") == ("a",)
    for broken in ("a", "\n\nAssistant: b", "\n\nHuman: a", "hello\n\nHuman: a\n\nAssistant: b"):
        with pytest.raises(ValueError, match="expected a dialogue"):
            hh_rlhf_turns(broken)


def test_a_prompt_of_several_turns_has_them_all_in_its_text():
    assert Prompt("", ("a",)).text == "a"
    assert Prompt("", ("a", "b", "c")).text == "Human: a\n\nAssistant: b\n\nHuman: c"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"id": "a", "prompt": "x"}', '{"id": "b"}'], "line 2: the field 'prompt' is missing. It has: id"),
        (['{"id": "a", "prompt": "x"}', '{"prompt": "x"}'], "line 2: the field 'id' is missing"),
        (['{"id": "a", "prompt": 5}'], "line 1: 'prompt' is 5, expected a text"),
        (['{"id": "a", "prompt": "x"}', "", '{"id": "b", "prompt": "x"}'], "line 2: no JSON"),
        (["[1]", "[2]"], "cannot be read as JSON"),
        (["[1]"], "entry 1: expected an object with named fields, found 1"),
        (['{"text": "x"}'], "line 1 is of no known format"),
        (['{"chosen": "x"}'], "line 1: expected a dialogue that begins with"),
        (['{"id": "a", "prompt": "x"}', '{"id": "a", "prompt": "y"}'], "holds the prompt id 'a' twice"),
    ],
)
def test_a_broken_row_is_named_with_its_line(tmp_path, lines, said):
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(lines))
    with pytest.raises(SuiteError, match="prompts.jsonl.*" + said):
        read_prompts([file])


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.parquet").write_text("no parquet")
    (tmp_path / "broken.jsonl").write_bytes(b"\xff\xfe\x00")
    for name in ("broken.parquet", "broken.jsonl"):
        with pytest.raises(SuiteError, match=f"{name} cannot be read"):
            read_prompts([tmp_path / name])
    with pytest.raises(SuiteError, match=r"There is no file .*gone\.jsonl"):
        find_files("gone.jsonl", tmp_path)
    with pytest.raises(SuiteError, match="format of prompts 'csv' is unknown"):
        read_prompts([tmp_path / "broken.jsonl"], "csv")


def test_a_file_of_a_data_set_on_the_hub(tmp_path, monkeypatch):
    """The hub client's own cache, laid out as it lays it out, stands in for the hub."""
    import huggingface_hub

    repository = tmp_path / "datasets--organisation--data"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "v1").write_text("0" * 40)
    (repository / "snapshots" / ("0" * 40) / "helpful").mkdir(parents=True)
    written(repository / "snapshots" / ("0" * 40) / "helpful", "test.jsonl", [{"chosen": DIALOGUE}])
    real = huggingface_hub.hf_hub_download
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **k: real(*a, **k, cache_dir=tmp_path))
    (file,) = find_files({"dataset": "organisation/data@v1", "file": "helpful/test.jsonl"}, tmp_path)
    assert [prompt.turns[-1] for prompt in read_prompts([file])] == ["why ?"]
    with pytest.raises(SuiteError, match=r"no\.jsonl of the data set organisation/data@v1 could not be fetched"):
        find_files({"dataset": "organisation/data@v1", "file": "no.jsonl"}, tmp_path)


PROMPTS = (Prompt("a", ("red ?",)), Prompt("b", ("blue ?",)), Prompt("c", ("red ?",)))


def test_answers_by_id_and_by_instruction(tmp_path):
    by_id = written(tmp_path, "own.jsonl", [{"id": i, "answer": f"to {i}"} for i in "cab"])
    assert read_answers([by_id], PROMPTS) == {"a": "to a", "b": "to b", "c": "to c"}
    by_text = written(tmp_path, "alpaca.jsonl", [{"instruction": f"{c} ?", "output": c} for c in ("blue", "red")])
    assert read_answers([by_text], PROMPTS) == {"a": "red", "b": "blue", "c": "red"}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            [{"id": "a", "answer": "x"}, {"id": "b", "answer": "x"}],
            "2 rows that answer 2 of the 3 prompts, told by .id.; the first without one is 'c'",
        ),
        ([{"id": i, "answer": "x"} for i in "abcd"], "line 4 answers the id 'd', which none of the 3 prompts has"),
        ([{"id": "a", "answer": "x"}, {"id": "a", "answer": "y"}], "line 2 answers the id 'a' a second time"),
        ([{"id": "a", "answer": "x"}, {"id": "b"}], "line 2: the field 'answer' is missing"),
        ([], "0 rows that answer 0 of the 3 prompts"),
        (
            [{"instruction": "red ?", "output": "x"}],
            "1 row that answers 2 of the 3 prompts, told by .instruction.; the first without one is 'blue \\?'",
        ),
    ],
)
def test_answers_that_are_not_one_to_each_prompt(tmp_path, entries, said):
    file = written(tmp_path, "answers.json", entries)
    with pytest.raises(SuiteError, match=r"answers\.json.* " + said if entries else "answer 0|no JSON"):
        read_answers([file], PROMPTS)
