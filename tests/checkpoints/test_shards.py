"""Weight files and the index that names them: what is missing, damaged or hostile is named."""

import os
import shutil

import pytest

from hma.checkpoints.preflight import preflight
from tests.written import found, only, reindex, split, write_json


def test_shards_are_read_as_one(folders):
    split(folders[1], shards=3)
    assert found(folders) == []
    shutil.copy(folders[0] / "model.safetensors", folders[1])
    assert only(folders)[0] == "warning"
    assert "has both" in only(folders)[2]


def test_an_index_that_transformers_does_not_open_is_a_warning(folders):
    where = split(folders[1])
    write_json(folders[1] / "model.safetensors.index.json", {"weight_map": where})
    assert only(folders)[0] == "warning"
    assert 'has no metadata, without which transformers does not open it. Write "metadata": {} into it.' in only(folders)[2]


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
