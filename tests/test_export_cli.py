"""The verbs ``export``, ``verify`` and ``push`` as people and programs use them."""

import json
import re
import shlex
import struct

import pytest

from hma.checkpoints.manifest import differences
from tests import tiny
from tests.cli import hma, process


def test_export_writes_a_folder_with_the_measured_scores_and_verify_finds_it_whole(swept, options, tmp_path):
    store, _ = swept
    out = tmp_path / "out"
    given = ["export", "--alphas", "0.25", "--out", out, "--store", store, *options]
    done = hma(*given, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    printed = json.loads(done.stdout)
    assert printed["recipe"]["alphas"] == [0.25, 0.25, 0.25]
    assert printed["effective_alphas"] == pytest.approx([0.25] * 3, abs=1e-4)
    assert set(printed["files"]) == {p.name for p in out.iterdir()} - {"recipe.json"}
    card = (out / "README.md").read_text()
    assert "| score | unit | reference | policy | this merge | tax |" in card
    rows = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("| ")]
    cells = {row[0]: row[1:] for row in rows}
    assert re.fullmatch(r"points( \| [−0-9.]+ \([−0-9.]+ to [−0-9.]+\)){3} \| –", " | ".join(cells["Alignment reward"]))
    assert re.fullmatch(r"[−+]?[0-9.]+ \([−0-9.]+ to [−0-9.]+\)", cells["Mean ability"][-1])
    assert "Reward against the reference: " in card
    assert "8 validation items of each task (quick)" in card
    assert "not measured" not in card
    assert "A ring marks this merge.](front.png)" in card
    width, _ = struct.unpack(">II", (out / "front.png").read_bytes()[16:24])
    assert width > 1000
    again = hma(*given)
    assert again.returncode == 2
    assert "exists" in again.stderr
    assert "--force" in again.stderr
    forced = hma(*given, "--force")
    assert forced.returncode == 0
    assert "alpha 0.25, effective 0.250" in forced.stdout
    whole = hma("verify", out, "--json")
    assert json.loads(whole.stdout) == {"folder": str(out), "whole": True, "files": len(printed["files"]), "differences": []}
    (out / "config.json").write_text("{}")
    broken = hma("verify", out)
    assert broken.returncode == 2
    assert "config.json has 2 bytes" in broken.stderr
    assert broken.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dtype", "int8"], "--dtype is 'int8'. Choose one of: bfloat16, float16, float32"),
        (["--rounding", "up"], "--rounding is 'up'. Choose one of: nearest, stochastic"),
        (["--blocks", "9"], "9 blocks were asked for and the model has 3 layers"),
        (["--tokenizer", "both"], "--tokenizer is 'both'. Choose one of: policy, reference"),
        (["--push", "nowhere"], "'nowhere' is not a repository of the hub. Expected ORG/NAME"),
        (["--store", "/no/such.sqlite"], "There is no store at /no/such.sqlite"),
        (["--out", "/proc/none/out"], "cannot be written"),
    ],
)
def test_an_export_that_cannot_be_exits_2_with_its_reason(options, tmp_path, arguments, said):
    done = hma("export", "--alphas", "0.2", "--out", tmp_path / "out", *options, *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_help_says_that_a_forced_push_replaces_all_that_the_repository_holds():
    said = " ".join(hma("export", "--help").stdout.replace("│", " ").split())
    assert "Replace an earlier export; with --push, also all that the repository holds." in said


def test_verify_of_what_is_no_export_exits_2(tiny_pair):
    done = hma("verify", tiny_pair[0])
    assert done.returncode == 2
    assert "has no recipe.json" in done.stderr


def test_the_cards_command_makes_the_folder_again_to_the_last_byte(swept, options, tmp_path):
    """Alphas that no six digits hold, in numbers of their own; whether they were measured or not."""
    given = ["--alphas", f"{1 / 3!r},0.1,{2 / 3!r}", "--pivots", "1", "--own", "embeddings", "--dtype", "bfloat16"]
    given += ["--rounding", "stochastic", "--seed", "5", "--tokenizer", "reference", "--store", swept[0], *options]
    done = hma("export", *given, "--out", tmp_path / "first" / "out")
    assert done.returncode == 0, done.stderr
    first = tmp_path / "first" / "out"
    card = (first / "README.md").read_text()
    assert "not measured" in card
    assert "](front.png)" in card
    assert "not on it" in card
    command = shlex.split(next(line for line in card.splitlines() if line.startswith("python -m hma export")))
    assert command[-2:] == ["--out", "DIR"]
    # Which scores the card shows hangs on the store; the rest on nothing but the command.
    bare = hma(*command[3:-1], tmp_path / "bare" / "out", HMA_STORE=str(tmp_path / "empty.sqlite"))
    assert bare.returncode == 0, bare.stderr
    again = hma(*command[3:-1], tmp_path / "again" / "out", *options[-2:], "--store", swept[0])
    assert again.returncode == 0, again.stderr
    recipe, other, whole = (json.loads((tmp_path / n / "out" / "recipe.json").read_text()) for n in ("first", "bare", "again"))
    assert whole == recipe
    shown = {"README.md", "front.png"}
    assert other["files"].keys() == recipe["files"].keys() - {"front.png"}
    assert all(other["files"][name] == recipe["files"][name] for name in other["files"].keys() - shown)
    assert {k: v for k, v in other.items() if k != "files"} == {k: v for k, v in recipe.items() if k != "files"}


@pytest.mark.parametrize("content", ["{", "[]", '{"files": 3}', '{"files": {"a": {}}}', "\xff"])
def test_a_recipe_that_no_export_wrote_is_told_without_pythons_words(tmp_path, content):
    (tmp_path / "recipe.json").write_bytes(content.encode("latin-1"))
    done = hma("verify", tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"Error: {tmp_path / 'recipe.json'} is not as an export writes it, with each file's size and sha256. "
        "Export the merge again.\n"
    )


@pytest.mark.parametrize(
    "given",
    [
        ["--alphas", "0.2,0.6", "--blocks", "2", "--linear-only"],
        ["--alphas", "0.2,0.6,0.4", "--pivots", "1", "--own", "embeddings"],
    ],
)
def test_the_cards_command_and_words_hold_for_partitions_of_ones_own(options, tmp_path, given):
    first = hma("export", *given, "--out", tmp_path / "first", *options)
    assert first.returncode == 0, first.stderr
    card = (tmp_path / "first" / "README.md").read_text()
    command = next(line for line in card.splitlines() if line.startswith("python -m hma export "))
    again = hma(*shlex.split(command.replace("DIR", str(tmp_path / "again")))[3:])
    assert again.returncode == 0, again.stderr
    one, other = (json.loads((tmp_path / folder / "recipe.json").read_text()) for folder in ("first", "again"))
    for recipe in (one, other):
        del recipe["files"]["README.md"]  # It names its folder.
    assert one == other
    assert ("norms, biases and all else are the reference's" in card) == ("--linear-only" in given)
    assert ("block of layers has the" in card) != ("--linear-only" in given)


def test_the_tokenizer_is_the_policys_unless_the_references_is_chosen(tiny_pair, options, tmp_path):
    folders = tiny.write_pair(tmp_path)
    (folders[0] / "chat_template.jinja").write_text("{{ messages[0].content }}")
    pair = ["--reference", folders[0], "--policy", folders[1]]
    for chosen, end in (([], 1), (["--tokenizer", "policy"], 1), (["--tokenizer", "reference"], 0)):
        done = hma("export", "--alphas", "0.5", "--force", "--out", tmp_path / "out", *options, *pair, *chosen)
        assert done.returncode == 0, done.stderr
        for name in ("chat_template.jinja", "generation_config.json", "tokenizer.json"):
            assert (tmp_path / "out" / name).read_bytes() == (folders[end] / name).read_bytes()
        assert json.loads((tmp_path / "out" / "recipe.json").read_text())["tokenizer"] == ("reference", "policy")[end]
        card = (tmp_path / "out" / "README.md").read_text()
        assert f"generation settings are the {('reference', 'policy')[end]}'s" in card
        assert ("measured with the policy's tokenizer" in card) == (end == 0)
    for file in folders[0].glob("*token*"):
        file.unlink()
    done = hma("export", "--alphas", "0.5", "--out", tmp_path / "none", *options, *pair, "--tokenizer", "reference")
    assert done.returncode == 2
    assert "has no tokenizer" in done.stderr


UNREACHABLE = {"HF_ENDPOINT": "http://127.0.0.1:1", "HF_TOKEN": "hf_nobody", "HF_HUB_OFFLINE": "0"}


def test_a_hub_that_cannot_be_reached_exits_2_and_keeps_the_folder(options, tmp_path):
    out = tmp_path / "out"
    done = process("export", "--alphas", "0.5", "--out", out, "--push", "me/merge", *options, **UNREACHABLE)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert f"{out} was not pushed to me/merge" in said
    assert f"python -m hma push {out} me/merge`" in said
    assert f"`hf upload me/merge {out}`" in said
    assert "Traceback" not in said
    assert differences(out) == []
    again = process("push", out, "me/merge", **UNREACHABLE)
    assert again.returncode == 2
    (out / "config.json").write_text("{}")
    changed = process("push", out, "me/merge", **UNREACHABLE)
    assert changed.returncode == 2
    assert "config.json has 2 bytes" in changed.stderr


def test_without_a_token_nothing_is_exported_to_be_pushed(options, tmp_path):
    nobody = {**UNREACHABLE, "HF_TOKEN": "", "HF_HOME": str(tmp_path / "home")}
    done = process("export", "--alphas", "0.5", "--out", tmp_path / "out", "--push", "me/merge", *options, **nobody)
    assert done.returncode == 2
    assert "hf auth login" in done.stderr
    assert not (tmp_path / "out").exists()
