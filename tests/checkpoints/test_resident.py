"""Exports from the live model: the same files as from disk."""

import json
import os
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from hma.checkpoints.export import export
from hma.checkpoints.live import LiveModel
from hma.checkpoints.manifest import differences
from hma.checkpoints.pair import open_pair
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.errors import Cancelled
from tests import tiny
from tests.checkpoints.made import SOME, sharded, weights, whole


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


@pytest.mark.parametrize("precision", [Precision(), Precision(None, "stochastic", 7), Precision("float16")])
def test_extrapolated_weights_are_exported_as_they_were_measured(tmp_path, precision):
    folders = tiny.write_pair(tmp_path, dtype="bfloat16")
    recipe = Recipe(SOME.partition, (1.2, 0.5, -0.3), precision)
    disk, live = both_ways(folders, recipe, tmp_path)
    assert live == disk
    assert live["effective_alphas"] == pytest.approx([1.2, 0.5, -0.3], abs=0.05)


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
