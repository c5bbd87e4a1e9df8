"""The command line, in this process or as a program of its own."""

import contextlib
import io
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path
from unittest import mock

from hma import __main__ as program

ROOT = Path(__file__).parents[1]
_WIDE = {"COLUMNS": "200"}


def process(*arguments, **environment):
    """What ``python -m hma`` with these arguments prints, and its exit code: for what a start of its own is to show."""
    command = [sys.executable, "-m", "hma", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=180, env={**os.environ, **_WIDE, **environment}
    )


def hma(*arguments, **environment):
    """The same from its ``main`` in this process, which has imported torch once."""
    out, said, code = io.StringIO(), io.StringIO(), 0
    words = ["hma", *map(str, arguments)]
    with (
        contextlib.chdir(ROOT),
        mock.patch.dict(os.environ, {**_WIDE, **environment}),
        mock.patch.object(sys, "argv", words),
        mock.patch.object(logging.getLogger(), "handlers", []),  # It sets up its own.
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(said),
    ):
        try:
            program.main()
        except SystemExit as ended:
            code = ended.code or 0
        except Exception:
            traceback.print_exc()
            code = 1
    return subprocess.CompletedProcess(words, code, out.getvalue(), said.getvalue())
