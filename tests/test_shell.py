"""The program in hints and usage lines: short, and what a shell runs when it is pasted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hma import shell
from tests.cli import ROOT, process


@pytest.fixture
def python(tmp_path, monkeypatch):
    """A Python in an environment's folder, ``.venv/bin/python``, that runs this program."""
    place = tmp_path / ".venv" / "bin" / "python"
    place.parent.mkdir(parents=True)
    place.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(place))
    return place


def test_a_python_that_the_shell_finds_is_called_python(python, monkeypatch):
    monkeypatch.setenv("PATH", str(python.parent))
    assert shell.command("measure", "--alphas", "0.2") == "python -m hma measure --alphas 0.2"


def test_another_one_by_its_path_from_here_or_else_the_whole(python, tmp_path, monkeypatch):
    elsewhere = tmp_path / "bin" / "python"
    elsewhere.parent.mkdir()
    elsewhere.symlink_to(sys.executable)
    for path in ("", str(elsewhere.parent)):
        monkeypatch.setenv("PATH", path)
        monkeypatch.chdir(tmp_path)
        assert shell.command("front") == ".venv/bin/python -m hma front"
        for far in (elsewhere.parent, python.parent):  # In its own folder its bare name would be looked for elsewhere.
            monkeypatch.chdir(far)
            assert shell.command("front") == f"{python} -m hma front"


def test_words_that_a_shell_would_take_apart_are_quoted(python, monkeypatch):
    monkeypatch.setenv("PATH", str(python.parent))
    assert shell.command("front", "--suite", "my suite.json") == "python -m hma front --suite 'my suite.json'"


@pytest.mark.parametrize(("path", "name"), [(os.fspath(Path(sys.executable).parent), "python"), ("/nowhere", sys.executable)])
def test_usage_lines_and_hints_name_the_program_alike(path, name, tmp_path):
    if name != "python" and Path(name).is_relative_to(ROOT):
        name = str(Path(name).relative_to(ROOT))
    wrong = process("sweep", "--steps", "1", PATH=path).stderr
    assert f"Usage: {name} -m hma sweep" in wrong and f"Try '{name} -m hma sweep --help'" in wrong
    assert f"measure some: {name} -m hma sweep --store" in process("front", "--store", tmp_path / "none", PATH=path).stderr
