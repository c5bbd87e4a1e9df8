"""The program as it is typed in a shell, for hints that can be pasted."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def command(*words: str) -> str:
    """The program with these arguments: ``python -m hma measure --alphas 0.2``."""
    return shlex.join([_python(), "-m", "hma", *words])


def _python() -> str:
    """``python`` where the shell finds this one under that name, else its path, from the working folder if it lies below."""
    own = Path(sys.executable)
    found = shutil.which("python")
    if found and Path(found).parent == own.parent and Path(found).samefile(own):
        return "python"
    near = own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own
    return str(near if len(near.parts) > 1 else own)
