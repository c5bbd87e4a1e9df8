"""A fork does what a start does: the same output, exit code and last words."""

import subprocess
import sys

import pytest
import torch

from tests import forking

ASKED = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "cwd": forking.ROOT, "check": False}


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_a_forked_program_says_what_a_started_one_says(tmp_path):
    torch.save({"a": torch.randn(2, 3)}, tmp_path / "x.bin")
    for words in (["hma.checkpoints.unpickle", str(tmp_path / "x.bin")], ["hma.checkpoints.adapt", "/none", "/none", "/none"]):
        command = [sys.executable, "-m", *words]
        started, forked = subprocess.run(command, **ASKED), forking.Subprocess().run(command, **ASKED)
        assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
        assert forked.stderr.splitlines()[-1:] == started.stderr.splitlines()[-1:]
    assert started.returncode == 1
