"""Pushing an exported folder to the hub: what recipe.json names and nothing else, after a check that it is whole."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hma import shell
from hma.checkpoints.manifest import RECIPE, differences, not_whole, read_recipe
from hma.checkpoints.source import is_repository
from hma.errors import PushError

_HUBS_OWN = frozenset({".gitattributes"})
_LOGIN = "No token of the hub is known here. Log in with `hf auth login`, or set HF_TOKEN."


class Hub(Protocol):
    """What is used of ``huggingface_hub.HfApi``."""

    def whoami(self) -> Any: ...
    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> Any: ...
    def repo_info(self, repo_id: str) -> Any: ...
    def list_repo_files(self, repo_id: str) -> list[str]: ...
    def upload_folder(self, *, repo_id: str, folder_path: str, **options: Any) -> Any: ...


@dataclass(frozen=True)
class Pushed:
    """A push that is done: the repository, how many files, and whether only its owners see it."""

    repository: str
    num_files: int
    private: bool


def refuse_name(repository: str) -> None:
    """Raise PushError for what cannot be a repository's name."""
    if not is_repository(repository):
        raise PushError(f"'{repository}' is not a repository of the hub. Expected ORG/NAME, such as me/my-merge.")


def refuse_unknown() -> None:
    """Raise PushError when no token is known here: better before an export than after it."""
    from huggingface_hub import get_token

    if get_token() is None:
        raise PushError(_LOGIN)


def push(folder: Path, repository: str, *, public: bool = False, replace: bool = False, hub: Hub | None = None) -> Pushed:
    """Push an exported folder, and return what was pushed; the folder stays as it is.

    A repository that is not there is made, private unless ``public``. One that is there must hold an earlier export and
    no file beyond this one's, or, with ``replace``, holds this export alone afterwards. Raises ExportError for a folder
    that is not whole, PushError for all that keeps it from being pushed.
    """
    refuse_name(repository)
    if found := differences(folder):
        raise not_whole(folder, found)
    files = [*sorted(read_recipe(folder)["files"]), RECIPE]
    try:
        hub = hub or _hub()
        hub.whoami()
        hub.create_repo(repository, private=not public, exist_ok=True)
        private = bool(hub.repo_info(repository).private)
        _refuse_repository(repository, set(hub.list_repo_files(repository)), set(files), private, public, replace)
        hub.upload_folder(
            repo_id=repository,
            folder_path=str(folder),
            allow_patterns=files,
            delete_patterns=["*"] if replace else None,
            commit_message="A merge, with its recipe and model card",
        )
    except PushError:
        raise
    except Exception as error:  # Of the hub's client, of its transport, or of the system.
        raise PushError(_why(error, folder, repository, public)) from error
    return Pushed(repository, len(files), private)


def _hub() -> Hub:
    from huggingface_hub import HfApi

    return HfApi()


def _refuse_repository(repository: str, there: set[str], files: set[str], private: bool, public: bool, replace: bool) -> None:
    if not private and not public:
        raise PushError(f"{repository} is there already and everybody can see it. Say --public, or choose another name.")
    there = there - _HUBS_OWN
    others = sorted(there - files)
    if replace or not there or (RECIPE in there and not others):
        return
    what = f"holds other files ({', '.join(others[:3])}{', …' if len(others) > 3 else ''})" if others else "holds another model"
    raise PushError(f"{repository} {what}. Choose another name, or replace all that it holds with --force.")


def _why(error: Exception, folder: Path, repository: str, public: bool) -> str:
    if type(error).__name__ == "LocalTokenNotFoundError":
        return _LOGIN
    again = shell.command("push", str(folder), repository, *(["--public"] if public else []))
    reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
    return (
        f"{folder} was not pushed to {repository}: {reason}. The folder is whole and stays; push it again with "
        f"`{again}`, or unchecked with `{shlex.join(['hf', 'upload', repository, str(folder)])}`."
    )
