"""What a page may open: nothing outside the roots, whatever way it is named."""

import pytest

from hma.errors import CheckpointError, SuiteError
from hma.roots import Roots


@pytest.fixture
def world(tmp_path):
    """A root with a checkpoint and a suite, and a secret beside it."""
    for place in ("in/model", "in/deep/er/adapter", "in/.hidden/model", "out/model"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "config.json").write_text("{}")
    (tmp_path / "in/deep/er/adapter/config.json").rename(tmp_path / "in/deep/er/adapter/adapter_config.json")
    for place in ("in", "out"):
        (tmp_path / place / "suite.json").write_text("{}")
    return tmp_path


@pytest.fixture
def roots(world):
    return Roots.of([world / "in"])


def test_what_lies_in_a_root_is_opened_and_listed(world, roots):
    assert roots.checkpoint(f" {world}/in/deep/../model ") == str(world / "in/model")
    assert roots.suite(str(world / "in/suite.json")) == str(world / "in/suite.json")
    assert roots.checkpoints() == [str(world / "in/deep/er/adapter"), str(world / "in/model")]
    assert roots.suites() == [str(world / "in/suite.json")]


@pytest.mark.parametrize(
    "given", ["{w}/out/model", "{w}/in/../out/model", "{w}", "/", "~", "{w}/in/link", "{w}/inn", "/etc/passwd"]
)
def test_what_lies_outside_is_not(world, roots, given):
    (world / "in/link").symlink_to(world / "out/model")
    (world / "inn").mkdir()
    with pytest.raises(CheckpointError, match=r"lies outside the folders that this page may open: .*--root FOLDER"):
        roots.checkpoint(given.format(w=world))


def test_a_link_among_its_files_that_leads_out_is_found(world, roots):
    (world / "in/model/weights").symlink_to("../../out/model/config.json")
    with pytest.raises(CheckpointError, match=r"weights in .* is a link that leads out"):
        roots.checkpoint(str(world / "in/model"))
    assert Roots.of([world]).checkpoint(str(world / "in/model"))


def test_links_within_are_followed(world, roots):
    (world / "in/again").symlink_to("model")
    assert roots.checkpoint(str(world / "in/again")) == str(world / "in/model")


def test_hub_ids_are_let_through_and_folders_that_look_like_them_are_not(world, roots, monkeypatch):
    assert roots.checkpoint("organisation/model@main") == "organisation/model@main"
    monkeypatch.chdir(world)
    with pytest.raises(CheckpointError, match="lies outside"):
        roots.checkpoint("out/model")
    assert roots.checkpoint("in/model") == str(world / "in/model")


@pytest.mark.parametrize("given", ["", "  ", "a\0b", "x" * 5000, "{w}/in/none", "{w}/in/suite.json"])
def test_what_is_no_folder_is_told(world, roots, given):
    with pytest.raises(CheckpointError, match=r"is named|is no path|There is no folder|lies outside"):
        roots.checkpoint(given.format(w=world))


def test_suites_are_files_in_a_root(world, roots):
    with pytest.raises(SuiteError, match="lies outside"):
        roots.suite(str(world / "out/suite.json"))
    with pytest.raises(SuiteError, match="There is no file"):
        roots.suite(str(world / "in/none.json"))
