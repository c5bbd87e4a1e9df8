"""Exports: what is evaluated is what is exported, whole or not at all, in chunks that change no bit."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from hma.checkpoints import place, plan, slices, stream
from hma.checkpoints.export import export
from hma.checkpoints.live import LiveModel
from hma.checkpoints.manifest import differences
from hma.checkpoints.pair import open_pair
from hma.checkpoints.precision import merged
from hma.core.partition import Partition
from hma.core.precision import Precision, lost_alphas
from hma.core.recipe import Recipe
from hma.errors import Cancelled, CheckpointError, ExportError
from tests import tiny

ROOT = Path(__file__).parents[2]
SOME = Recipe(Partition.equal(3, 3), (0.2, 0.3, 0.45))


def whole(alpha):
    return Recipe(Partition.equal(3, 1), (alpha,))


def weights(folder):
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def same_bits(one, other):
    return (
        one.dtype == other.dtype and one.shape == other.shape and bool((one.view(torch.uint8) == other.view(torch.uint8)).all())
    )


def sharded(folders, size="4KB"):
    for folder in folders:
        AutoModelForCausalLM.from_pretrained(folder, dtype="auto").save_pretrained(folder, max_shard_size=size)
        (folder / "model.safetensors").unlink()
    return folders


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("shards", [False, True])
def test_what_is_evaluated_is_what_is_exported(tmp_path, dtype, tied, shards):
    folders = tiny.write_pair(tmp_path, dtype=dtype, tied=tied)
    pair = open_pair(*(sharded(folders) if shards else folders))
    done = export(pair, SOME, tmp_path / "out")
    assert len(list(done.folder.glob("*.safetensors"))) == len(list(folders[1].glob("*.safetensors")))
    live = LiveModel(pair)
    live.write(SOME)
    loaded = AutoModelForCausalLM.from_pretrained(done.folder, dtype="auto")
    wanted = dict(live.model.named_parameters())
    assert wanted.keys() == dict(loaded.named_parameters()).keys()
    for name, parameter in loaded.named_parameters():
        assert same_bits(parameter.data, wanted[name].data), name
    assert AutoTokenizer.from_pretrained(done.folder).chat_template == live.tokenizer.chat_template
    assert differences(done.folder) == []
    if shards:
        index = json.loads((done.folder / "model.safetensors.index.json").read_text())
        assert index["weight_map"] == json.loads((folders[1] / "model.safetensors.index.json").read_text())["weight_map"]
        assert index["metadata"]["total_size"] == sum(t.numel() * t.element_size() for t in weights(done.folder).values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_both_ends_are_the_inputs_bit_for_bit(tmp_path, dtype):
    folders = tiny.write_pair(tmp_path, dtype=dtype)
    pair = open_pair(*folders)
    for alpha, end in ((1.0, folders[0]), (0.0, folders[1])):
        done = export(pair, whole(alpha), tmp_path / f"out-{alpha}")
        assert all(same_bits(tensor, weights(end)[name]) for name, tensor in weights(done.folder).items())
        assert done.merge.effective == (pytest.approx(alpha),)


def test_a_tied_head_that_is_stored_twice_stays_tied(tmp_path):
    folders = tiny.write_pair(tmp_path, tied=True)
    for folder in folders:
        stored = weights(folder)
        copy = stored["model.embed_tokens.weight"].clone()
        save_file({**stored, "lm_head.weight": copy}, folder / "model.safetensors", metadata={"format": "pt"})
    done = export(open_pair(*folders), SOME, tmp_path / "out")
    written = weights(done.folder)
    assert same_bits(written["lm_head.weight"], written["model.embed_tokens.weight"])


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_pieces_change_no_bit_and_the_config_names_the_dtype(tmp_path, monkeypatch, dtype, rounding):
    monkeypatch.setattr(plan, "PIECE", 1 << 10)
    monkeypatch.setattr(stream, "PIECE", 1 << 10)
    monkeypatch.setattr(slices, "SLICE", 100)
    folders = tiny.write_pair(tmp_path, dtype="bfloat16")
    recipe = replace(SOME, precision=Precision(dtype, rounding, seed=7))
    live = LiveModel(open_pair(*folders))
    live.write(recipe)
    done = export(open_pair(*folders), recipe, tmp_path / "out")
    reference, policy, written = weights(folders[0]), weights(folders[1]), weights(done.folder)
    for name, tensor in written.items():
        alpha = SOME.alphas[SOME.partition.block_of(name)]
        assert same_bits(tensor, merged(reference[name], policy[name], alpha, recipe.precision, name)), name
    for name, parameter in live.model.named_parameters():
        assert same_bits(parameter.data, written[name]), name  # what is evaluated is what is exported
    config = json.loads((done.folder / "config.json").read_text())
    assert config["dtype"] == dtype
    assert AutoModelForCausalLM.from_pretrained(done.folder, dtype="auto").dtype == getattr(torch, dtype)
    again = export(open_pair(*folders), recipe, tmp_path / "again")
    assert again.files == done.files  # from the same recipe, the same bytes


def test_what_rounding_loses_is_found_and_each_cure_keeps_it(tmp_path):
    folders = tiny.write_pair(tmp_path, hidden=64, dtype="bfloat16")
    neighbours = {n: (t.view(torch.int16) + 1).view(torch.bfloat16) for n, t in weights(folders[0]).items()}
    save_file(neighbours, folders[1] / "model.safetensors", metadata={"format": "pt"})
    pair = open_pair(*folders)
    lost = export(pair, whole(0.3), tmp_path / "lost").merge
    assert lost.effective == (0.0,)
    assert lost_alphas(lost.recipe.alphas, lost.effective) == {0: 0.0}
    for cure, error in ((Precision("float32"), 1e-4), (Precision(None, "stochastic"), 0.05)):
        kept = export(pair, replace(whole(0.3), precision=cure), tmp_path / cure.rounding).merge
        assert kept.effective == (pytest.approx(0.3, abs=error),)


def test_integers_come_from_the_policy_and_odd_sizes_stay_aligned(tmp_path):
    folders = tiny.write_pair(tmp_path, dtype="bfloat16")
    for number, folder in enumerate(folders):
        extra = {
            "model.mask": torch.full((3,), number, dtype=torch.uint8),
            "model.none": torch.empty(0, 4),
            "a": torch.tensor(1.5),
        }
        save_file({**weights(folder), **extra}, folder / "model.safetensors", metadata={"format": "pt"})
    done = export(open_pair(*folders), replace(SOME, precision=Precision("float32")), tmp_path / "out")
    written = weights(done.folder)
    assert written["model.mask"].tolist() == [1, 1, 1]
    assert written["model.none"].shape == (0, 4)
    assert written["a"] == 1.5


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("end", [0, 1])
def test_nan_and_infinity_are_refused_and_nothing_is_left(tmp_path, value, end):
    folders = tiny.write_pair(tmp_path)
    stored = weights(folders[end])
    stored["model.norm.weight"][3] = value
    save_file(stored, folders[end] / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight in .* holds NaN or infinity"):
        export(open_pair(*folders), SOME, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["policy", "reference"]


def test_of_many_files_the_one_that_fails_is_named_and_nothing_is_left(tmp_path):
    folders = sharded(tiny.write_pair(tmp_path))
    index = json.loads((folders[1] / "model.safetensors.index.json").read_text())
    file = folders[1] / index["weight_map"]["model.norm.weight"]
    stored = load_file(file)
    stored["model.norm.weight"][3] = float("nan")
    save_file(stored, file, metadata={"format": "pt"})
    for alpha in (0.0, 0.5, 1.0):
        with pytest.raises(CheckpointError, match=rf"model\.norm\.weight in .*{file.name} holds NaN or infinity"):
            export(open_pair(*folders), whole(alpha), tmp_path / "out")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["policy", "reference"]


def test_files_made_side_by_side_give_one_recipe_and_report_every_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "_AT_ONCE", 4)
    pair = open_pair(*sharded(tiny.write_pair(tmp_path, hidden=64, dtype="bfloat16"), "40KB"))
    texts = set()
    for turn in range(5):
        told = []
        done = export(pair, SOME, tmp_path / f"out-{turn}", progress=lambda done, total, told=told: told.append((done, total)))
        size = sum(tensor.nbytes for tensor in weights(done.folder).values())
        assert told[-1] == (size, size)
        assert [total for _, total in told] == [size] * len(told)
        assert sorted(told) == told
        texts.add((done.folder / "recipe.json").read_text())
    assert len(texts) == 1


def test_what_is_too_large_for_float16_is_refused(tmp_path):
    folders = tiny.write_pair(tmp_path)
    stored = weights(folders[1])
    stored["model.norm.weight"][3] = 1e6
    save_file(stored, folders[1] / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="float16 ends at 65504"):
        export(open_pair(*folders), replace(SOME, precision=Precision("float16")), tmp_path / "out")


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


def test_killed_at_any_moment_it_leaves_a_whole_checkpoint_or_none(tmp_path):
    folders = tiny.write_pair(tmp_path, hidden=256)
    out = tmp_path / "out"
    draw = random.Random(0)
    for _ in range(5):
        command = [sys.executable, "-c", _KILLED, *map(str, (*folders, out))]
        running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert running.stdout.readline() == "begun\n"
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


def both_ways(folders, recipe, tmp_path):
    """recipe.json of an export from disk, and of one from the live model, which had other merges in it before."""
    pair = open_pair(*folders)
    live = LiveModel(pair)
    live.write(whole(0.9))
    ways = {"disk": None, "live": live}
    for name, source in ways.items():
        done = export(pair, recipe, tmp_path / name, live=source)
        assert differences(done.folder) == []
    return [json.loads((tmp_path / name / "recipe.json").read_text()) for name in ways]


LIVE_CASES = [
    ("float32", False, Precision()),
    ("bfloat16", False, Precision()),
    ("bfloat16", True, Precision()),
    ("bfloat16", False, Precision(None, "stochastic", 7)),
    ("float32", False, Precision("float16", "stochastic", 7)),
    ("bfloat16", False, Precision("float32")),
]


@pytest.mark.parametrize(("dtype", "tied", "precision"), LIVE_CASES)
@pytest.mark.parametrize("shards", [False, True])
def test_the_live_model_gives_the_same_files_without_reading_the_ends(tmp_path, monkeypatch, dtype, tied, precision, shards):
    folders = tiny.write_pair(tmp_path, dtype=dtype, tied=tied)
    folders = sharded(folders) if shards else folders
    read = []
    monkeypatch.setattr(os, "preadv", lambda *given, preadv=os.preadv: read.append(given) or preadv(*given))
    disk, live = both_ways(folders, replace(SOME, precision=precision), tmp_path)
    assert live == disk
    before = len(read)
    export(open_pair(*folders), SOME, tmp_path / "out", live=LiveModel(open_pair(*folders)))
    assert before
    assert len(read) == before


def test_what_is_no_parameter_comes_from_disk_beside_the_live_model(tmp_path):
    folders = tiny.write_pair(tmp_path, dtype="bfloat16", tied=True)
    for number, folder in enumerate(folders):
        stored = weights(folder)
        extra = {
            "lm_head.weight": stored["model.embed_tokens.weight"].clone(),
            "model.mask": torch.full((3,), number, dtype=torch.uint8),
            "model.layers.1.scale": torch.full((4,), 1.0 + number),
        }
        save_file({**stored, **extra}, folder / "model.safetensors", metadata={"format": "pt"})
    disk, live = both_ways(folders, SOME, tmp_path)
    assert live == disk
    assert weights(tmp_path / "live")["model.layers.1.scale"][0] == pytest.approx(0.3 * 1 + 0.7 * 2)


def test_an_end_of_equal_weights_is_told_alike_by_both_ways(tmp_path):
    folders = tiny.write_pair(tmp_path)
    stored = [weights(folder) for folder in folders]
    mixed = {n: stored[0][n] if SOME.partition.block_of(n) == 1 else t for n, t in stored[1].items()}
    save_file(mixed, folders[1] / "model.safetensors", metadata={"format": "pt"})
    disk, live = both_ways(folders, SOME, tmp_path)
    assert live == disk
    assert live["effective_alphas"] == [0.2, None, 0.45]


@pytest.mark.parametrize("is_live", [False, True])
def test_progress_counts_up_to_the_whole_and_may_stop_the_export(tiny_pair, tmp_path, is_live):
    pair, seen = open_pair(*tiny_pair), []
    live = LiveModel(pair) if is_live else None
    recipe = replace(SOME, precision=Precision("bfloat16"))
    export(pair, recipe, tmp_path / "out", live=live, progress=lambda done, total: seen.append(done / total))
    assert seen == sorted(seen)
    assert seen[-1] == 1

    def stop(done, total):
        if done > total / 2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        export(pair, recipe, tmp_path / "half", live=live, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_replaced_folder_holds_nothing_of_the_persons_own(tmp_path):
    pair = open_pair(*tiny.write_pair(tmp_path))
    done = export(pair, SOME, tmp_path / "out")
    (done.folder / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"holds notes\.txt, which is not of the export in it"):
        export(pair, SOME, tmp_path / "out", replace=True)
    assert (done.folder / "notes.txt").read_text() == "mine"
    (done.folder / "notes.txt").unlink()
    export(pair, SOME, tmp_path / "out", replace=True)
