"""The command line as a program of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def hma(*arguments, **environment):
    """What ``python -m hma`` with these arguments prints, and its exit code."""
    command = [sys.executable, "-m", "hma", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=180, env={**os.environ, "COLUMNS": "200", **environment}
    )
