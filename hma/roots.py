"""Allowed roots: the folders out of which a page may open checkpoints and suites."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hma.checkpoints.source import is_hub_id
from hma.errors import CheckpointError, HmaError, SuiteError

_DEPTH = 4
"""Folders below a root that are looked into for checkpoints and suites."""

_MOST = 500
"""Checkpoints or suites that are listed."""

_ADAPTER, _MODEL, _SUITE = "adapter_config.json", "config.json", "suite.json"


@dataclass(frozen=True)
class Roots:
    """Folders, resolved. What a page names must lie in one of them, whatever links and ``..`` it goes by."""

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, folders: Sequence[str | Path]) -> Roots:
        return cls(tuple(dict.fromkeys(Path(folder).expanduser().resolve() for folder in folders)))

    def checkpoint(self, given: str) -> str:
        """A checkpoint that a person named: the whole path of a folder, or a hub id as it is.

        Raises CheckpointError for a folder outside the roots, one that holds a link to outside, and one that is not there.
        """
        given = given.strip()
        if not given:
            raise CheckpointError("No checkpoint is named. Choose a folder of the list, or write a hub id: organisation/model.")
        try:
            if is_hub_id(given) and not Path(given).exists():
                return given
            return str(self._inside(given, is_folder=True))
        except HmaError as error:
            raise CheckpointError(str(error)) from None

    def suite(self, given: str) -> str:
        """The whole path of a suite's file that a person named. Raises SuiteError as ``checkpoint`` does."""
        try:
            path = self._inside(given.strip(), is_folder=False)
        except HmaError as error:
            raise SuiteError(str(error)) from None
        return str(path)

    def checkpoints(self) -> list[str]:
        """The checkpoints in the roots, adapters among them."""
        return sorted({str(file.parent) for file in self._files((_MODEL, _ADAPTER))})[:_MOST]

    def suites(self) -> list[str]:
        """The suites in the roots."""
        return sorted({str(file) for file in self._files((_SUITE,))})[:_MOST]

    def holds(self, path: Path) -> bool:
        """Whether a path, with every link followed, lies in a root."""
        found = path.resolve()
        return any(found.is_relative_to(folder) for folder in self.folders)

    def _inside(self, given: str, is_folder: bool) -> Path:
        allowed = ", ".join(map(str, self.folders))
        try:
            path = Path(given).expanduser().resolve()
            there = path.is_dir() if is_folder else path.is_file()
        except (OSError, ValueError, RuntimeError) as error:
            raise HmaError(f"{given[:200]!r} is no path ({error}). Choose one of the list.") from None
        # What lies outside is not even said to be there.
        if not self.holds(path):
            raise HmaError(
                f"{given} lies outside the folders that this page may open: {allowed}. Move it there, or start the app with "
                "--root FOLDER."
            )
        if not there:
            raise HmaError(f"There is no {'folder' if is_folder else 'file'} {given}. Expected one in: {allowed}.")
        for file in path.iterdir() if is_folder else ():
            if file.is_symlink() and not self.holds(file):
                raise HmaError(
                    f"{file.name} in {given} is a link that leads out of the folders that this page may open. Copy the file, or "
                    "start the app with --root FOLDER for where it leads."
                )
        return path

    def _files(self, names: Sequence[str]) -> Iterator[Path]:
        """Files of these names in the roots; links to folders are not followed."""
        for root in self.folders:
            for folder, below, files in os.walk(root):
                depth = len(Path(folder).relative_to(root).parts)
                below[:] = sorted(name for name in below if not name.startswith(".")) if depth < _DEPTH else []
                yield from (Path(folder) / name for name in names if name in files)
