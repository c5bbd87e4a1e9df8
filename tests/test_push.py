"""Pushing with a plain hub in the place of the client's: what is asked of it, and what is refused."""

import json
import re
from types import SimpleNamespace

import pytest

from hma.checkpoints.export import export
from hma.checkpoints.manifest import sha256
from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import ExportError, PushError
from hma.push import push


class Hub:
    """One repository: its files and whether it is private; None while it is not there."""

    def __init__(self, files=None, private=True, error=None):
        self.files, self.private, self.error = files, private, error
        self.uploads = []

    def whoami(self):
        if self.error:
            raise self.error

    def create_repo(self, repo_id, *, private, exist_ok):
        assert exist_ok
        if self.files is None:
            self.files, self.private = [".gitattributes"], private

    def repo_info(self, repo_id):
        return SimpleNamespace(private=self.private)

    def list_repo_files(self, repo_id):
        return self.files

    def upload_folder(self, **asked):
        self.uploads.append(asked)


@pytest.fixture
def folder(tiny_pair, tmp_path):
    return export(open_pair(*tiny_pair), Recipe(Partition.equal(3, 1), (0.5,)), tmp_path / "out").folder


def test_a_new_repository_is_private_and_gets_what_the_recipe_names(folder):
    (folder / "diary.txt").write_text("mine")
    hub = Hub()
    done = push(folder, "me/merge", hub=hub)
    assert hub.private
    assert done.private
    (asked,) = hub.uploads
    assert (asked["repo_id"], asked["folder_path"], asked["delete_patterns"]) == ("me/merge", str(folder), None)
    assert set(asked["allow_patterns"]) == {p.name for p in folder.iterdir()} - {"diary.txt"}
    assert done.num_files == len(asked["allow_patterns"])
    assert not push(folder, "me/other", public=True, hub=Hub()).private


@pytest.mark.parametrize("name", ["*", "?ecrets.txt", "[a-z]*.txt"])
def test_a_name_that_is_a_pattern_is_refused_before_the_hub_is_asked(folder, name):
    (folder / name).write_text("mine")
    recipe = json.loads((folder / "recipe.json").read_text())
    recipe["files"][name] = {"size": 4, "sha256": sha256(folder / name)}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    hub = Hub()
    with pytest.raises(ExportError, match=rf"'{re.escape(name)}' cannot be a file of an export.*Rename"):
        push(folder, "me/merge", hub=hub)
    assert hub.files is None
    assert not hub.uploads


def test_an_earlier_export_is_pushed_over_and_other_files_only_with_force(folder):
    names = [p.name for p in folder.iterdir()]
    assert push(folder, "me/merge", hub=Hub([".gitattributes", *names]))
    for files, said in (
        ([*names, "thesis.pdf"], r"holds other files \(thesis\.pdf\)"),
        (["model.safetensors", "config.json"], "holds another model"),
    ):
        hub = Hub(files)
        with pytest.raises(PushError, match=f"{said}.*--force"):
            push(folder, "me/merge", hub=hub)
        assert not hub.uploads
        push(folder, "me/merge", replace=True, hub=hub)
        assert hub.uploads[0]["delete_patterns"] == ["*"]


def test_a_private_push_to_a_public_repository_is_refused(folder):
    hub = Hub([], private=False)
    with pytest.raises(PushError, match="everybody can see it"):
        push(folder, "me/merge", replace=True, hub=hub)
    assert not hub.uploads
    assert not push(folder, "me/merge", public=True, hub=hub).private


def test_a_changed_folder_is_refused_before_the_hub_is_asked(folder):
    (folder / "config.json").write_text("{}")
    hub = Hub()
    with pytest.raises(ExportError, match=r"is not whole\. config\.json has 2 bytes"):
        push(folder, "me/merge", hub=hub)
    assert hub.files is None


@pytest.mark.parametrize("name", ["merge", "a/b/c", "", "me/my merge", "/merge"])
def test_a_name_that_is_none_is_refused(folder, name):
    with pytest.raises(PushError, match="Expected ORG/NAME"):
        push(folder, name, hub=Hub())


def test_a_push_that_fails_says_how_to_push_again_and_who_is_unknown_how_to_log_in(folder):
    with pytest.raises(PushError, match=r"403 Forbidden\. .* push it again with `\S*python -m hma push .* me/merge --public`"):
        push(folder, "me/merge", public=True, hub=Hub(error=OSError("403 Forbidden.\nmore")))
    from huggingface_hub.errors import LocalTokenNotFoundError

    with pytest.raises(PushError, match="hf auth login"):
        push(folder, "me/merge", hub=Hub(error=LocalTokenNotFoundError("none")))
