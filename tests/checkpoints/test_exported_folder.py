"""The folder of an export: whole or not at all, and nothing else touched."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hma.checkpoints import place
from hma.checkpoints.export import export
from hma.checkpoints.manifest import differences
from hma.checkpoints.pair import open_pair
from hma.errors import CheckpointError, ExportError
from tests import tiny
from tests.checkpoints.made import SOME, whole

ROOT = Path(__file__).parents[2]


def test_a_folder_that_is_there_is_refused_and_force_replaces_only_exports(tiny_pair, tmp_path):
    pair = open_pair(*tiny_pair)
    out = tmp_path / "out"
    first = export(pair, SOME, out)
    with pytest.raises(ExportError, match="--force"):
        export(pair, whole(0.5), out)
    second = export(pair, whole(0.5), out, replace=True)
    assert second.files["model.safetensors"] != first.files["model.safetensors"]
    assert differences(out) == []
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    with pytest.raises(ExportError, match="not an earlier export"):
        export(pair, SOME, mine, replace=True)
    assert [p.name for p in mine.iterdir()] == ["thesis.txt"]
    with pytest.raises(ExportError, match="which the export reads"):
        export(pair, SOME, tiny_pair[1], replace=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "out"]


@pytest.mark.parametrize("names", [(), ("thesis.txt",), ("recipe.json", "thesis.txt")], ids=str)
def test_a_folder_that_appears_during_the_writing_is_left_as_it_is(tiny_pair, tmp_path, names):
    out = tmp_path / "out"

    def appear(done, total):
        out.mkdir(exist_ok=True)
        for name in names:
            (out / name).write_text("mine")

    with pytest.raises(ExportError, match=r"out exists\. Choose another --out"):
        export(open_pair(*tiny_pair), SOME, out, progress=appear)
    assert {p.name: p.read_text() for p in out.iterdir()} == dict.fromkeys(names, "mine")
    if names != ("recipe.json", "thesis.txt"):
        shutil.rmtree(out)
        with pytest.raises(ExportError, match="not an earlier export"):
            export(open_pair(*tiny_pair), SOME, out, replace=True, progress=appear)
        assert sorted(p.name for p in out.iterdir()) == sorted(names)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_appears_at_the_last_moment_is_left_as_it_is(tmp_path, monkeypatch):
    out = tmp_path / "out"
    real = place._put

    def late(*given):
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
        real(*given)

    monkeypatch.setattr(place, "_put", late)
    with pytest.raises(ExportError, match=r"out exists\. Choose another --out"), place.placed(out, 0):
        pass
    assert [p.name for p in out.iterdir()] == ["thesis.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_small_files_that_are_links_out_of_their_folder_are_refused(tmp_path):
    folders = tiny.write_pair(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("hf_secret")
    (folders[1] / "token_notes.txt").symlink_to(secret)
    (folders[0] / "vocab_notes.txt").symlink_to(secret)
    for end, name in (("policy", "token_notes"), ("reference", "vocab_notes")):
        said = rf"{name}\.txt is a link out of its folder, to {secret}\. Put the file itself"
        with pytest.raises(CheckpointError, match=said):
            export(open_pair(*folders), SOME, tmp_path / "out", tokenizer=end)
    (folders[1] / "token_notes.txt").unlink()
    (folders[1] / "config.json").rename(tmp_path / "config.json")
    (folders[1] / "config.json").symlink_to(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match=r"config\.json is a link out of its folder"):
        export(open_pair(*folders), SOME, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_small_files_that_are_links_within_a_folder_or_the_hubs_cache_are_copied(tmp_path):
    folders = tiny.write_pair(tmp_path)
    repository = tmp_path / "models--organisation--model"
    snapshot = shutil.copytree(folders[1], repository / "snapshots" / "0123")
    (repository / "blobs").mkdir()
    for file in list(snapshot.iterdir()):
        file.rename(repository / "blobs" / f"blob-{file.name}")
        file.symlink_to(Path("../../blobs") / f"blob-{file.name}")
    (snapshot / "token_more.json").symlink_to("tokenizer.json")
    done = export(open_pair(folders[0], snapshot), SOME, tmp_path / "out")
    for name in ("tokenizer.json", "token_more.json"):
        assert not (done.folder / name).is_symlink()
        assert (done.folder / name).read_bytes() == (folders[1] / "tokenizer.json").read_bytes()


def test_a_name_that_would_be_pushed_as_a_pattern_is_refused_before_anything_is_written(tmp_path):
    folders = tiny.write_pair(tmp_path)
    (folders[1] / "token*").write_text("")
    with pytest.raises(ExportError, match=r"'token\*' cannot be a file of an export.*Rename"):
        export(open_pair(*folders), SOME, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["policy", "reference"]


def test_too_little_space_is_said_before_anything_is_written(tiny_pair, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(place.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ExportError, match=r"needs [\d,]+ bytes and .* has 1,000 free"):
        export(open_pair(*tiny_pair), SOME, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_replacement_that_was_killed_between_its_two_names_is_undone(tiny_pair, tmp_path):
    pair = open_pair(*tiny_pair)
    out = tmp_path / "out"
    export(pair, SOME, out)
    out.rename(tmp_path / ".out.old-999999999")
    (tmp_path / ".out.part-999999999").mkdir()
    with pytest.raises(ExportError, match="--force"):
        export(pair, SOME, out)
    assert differences(out) == []
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_two_threads_that_write_one_folder_leave_each_others_parts_alone(tiny_pair, tmp_path):
    pair, out, seen = open_pair(*tiny_pair), tmp_path / "out", []
    own = tmp_path / f".out.part-{os.getpid()}.0abc"
    own.mkdir()

    def meanwhile(done, total):
        if not seen:
            seen.append(done)
            assert not own.exists()  # this process's, of a writing that is over
            other = threading.Thread(target=lambda: seen.append(export(pair, whole(0.5), out)))
            other.start()
            other.join()

    with pytest.raises(ExportError, match=r"out exists\. Choose another --out"):
        export(pair, SOME, out, progress=meanwhile)
    assert differences(out) == []
    assert json.loads((out / "recipe.json").read_text())["alphas"] == [0.5]
    seen.clear()
    later = export(pair, SOME, out, replace=True, progress=lambda *_: place.clean(out))
    assert differences(later.folder) == []
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_a_person_named_much_like_a_part_is_no_leftover(tmp_path):
    names = [".out.part-mine", ".out.part-7.part-999999999", ".out.old-999999999.zip", ".out.part-²"]
    for name in names:
        (tmp_path / name).mkdir()
    place.clean(tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)


_KILLED = """
import sys
from hma.checkpoints import export as module
from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.recipe import Recipe
pair = open_pair(*sys.argv[1:3])
print("begun", flush=True)
while True:
    module.export(pair, Recipe(Partition.equal(3, 3), (0.2, 0.3, 0.45)), sys.argv[3], replace=True)
"""


def test_killed_at_any_moment_it_leaves_a_whole_checkpoint_or_none(tmp_path, forks):
    folders = tiny.write_pair(tmp_path, hidden=256)
    out = tmp_path / "out"
    draw = random.Random(0)
    for _ in range(5):
        command = [sys.executable, "-c", _KILLED, *map(str, (*folders, out))]
        running = forks.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert running.stdout.readline() == b"begun\n"
        time.sleep(draw.uniform(0, 0.4))
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
        if out.exists():
            assert differences(out) == []
    export(open_pair(*folders), SOME, out, replace=True)
    assert differences(out) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "policy", "reference"]


def test_verify_names_what_is_not_as_it_was(tiny_pair, tmp_path):
    folder = export(open_pair(*tiny_pair), SOME, tmp_path / "out").folder
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x7f")
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").unlink()
    (folder / "model-extra.safetensors").write_bytes(b"")
    found = differences(folder)
    assert [line.split()[0] for line in found] == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "model-extra.safetensors",
    ]
    assert "has 2 bytes" in found[0]
    assert "SHA-256" in found[1]
    (folder / "recipe.json").write_text('{"files": {"../secret": {"size": 1, "sha256": ""}}}')
    with pytest.raises(ExportError, match="outside its folder"):
        differences(folder)


def test_a_replaced_folder_holds_nothing_of_the_persons_own(tmp_path):
    pair = open_pair(*tiny.write_pair(tmp_path))
    done = export(pair, SOME, tmp_path / "out")
    (done.folder / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"holds notes\.txt, which is not of the export in it"):
        export(pair, SOME, tmp_path / "out", replace=True)
    assert (done.folder / "notes.txt").read_text() == "mine"
    (done.folder / "notes.txt").unlink()
    export(pair, SOME, tmp_path / "out", replace=True)
