"""The verbs of the lab, as far as they can be tried without training anything."""

from __future__ import annotations

import pytest

from hma.lab import replication
from hma.lab.cli import _said
from tests.cli import hma


@pytest.fixture
def reported(tmp_path, monkeypatch):
    """``lab report`` of two pairs that are nothing but folders: what is measured says its stages, often, and fails."""
    for seed in (0, 1):
        folder = tmp_path / "default" / f"seed-{seed}"
        folder.mkdir(parents=True)
        (folder / "report.json").write_text("{}")
        (folder / "suite.json").write_text('{"sizes": {"full": 8}}')
    monkeypatch.setattr("hma.lab.page.write", lambda *given: None)

    def replicate(folder, points, size, draw, brief, say):
        for stage in ("ma, validation", "ma, validation", "fit proxy", "ma, validation", "fit proxy"):
            say(stage)

    monkeypatch.setattr(replication, "replicate", replicate)
    return hma("lab", "report", "--pairs", tmp_path, "--seeds", "0,1", "--out", tmp_path / "out")


def test_a_report_says_each_stage_once_where_nobody_watches(reported):
    assert reported.returncode == 0, reported.stderr
    assert reported.stderr.splitlines() == [
        f"default, seed-{seed}: {stage}" for seed in (0, 1) for stage in ("ma, validation", "fit proxy")
    ]


def test_on_a_terminal_it_stays_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with _said("default, seed-0") as say:
        say("ma, validation")
        say("fit proxy")
    said = capsys.readouterr().err
    assert said.count("\r") == 2 and said.count("\n") == 1 and said.endswith("\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pairs", "--out", "{file}"], "--out is {file}, and {file} is a file. Name a folder"),
        (["pairs", "--out", "{file}/below"], "and {file} is a file. Name a folder"),
        (["report", "--out", "{file}"], "--out is {file}, and {file} is a file. Name a folder"),
        (["check", "--keep", "{file}"], "--keep is {file}, and {file} is a file. Name a folder"),
        (["check", "--out", "{folder}"], "--out {folder} is a folder. Name the file to write, such as {folder}/check.json"),
        (["pairs", "--seeds", "0,-1"], "'0,-1' is not a list of seeds. Write whole numbers of 0 or more"),
        (["build", "--seed", "-1"], "'--seed': '-1'. It must be a whole number, 0 or more"),
        (["report", "--pairs", "{folder}"], "-m hma lab pairs --scenarios default --seeds 0,1,2 --out {folder}\n"),
    ],
)
def test_what_cannot_be_made_is_said_before_anything_is_trained(arguments, said, tmp_path):
    file = tmp_path / "file"
    file.touch()
    done = hma("lab", *(word.format(file=file, folder=tmp_path) for word in arguments))
    assert done.returncode == 2
    assert said.format(file=file, folder=tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
