"""What pages may export: into which folders, under which names, and what lies in them."""

import hashlib
import json
import os
import subprocess
import sys
import threading

import pytest

from hma import exports
from hma.checkpoints.manifest import differences
from hma.core.partition import Partition
from hma.core.precision import Precision
from hma.core.recipe import Recipe
from hma.errors import CheckpointError, ExportError
from tests import tiny
from tests.engines import until


def merge(*alphas, partition=None, **precision):
    return Recipe(partition or Partition.equal(6, len(alphas)), alphas, Precision(**precision))


def written(folder, recipe, **contents):
    """A folder as an export leaves it."""
    folder.mkdir(parents=True)
    contents = {"model.safetensors": b"weights", "README.md": b"# A card", **contents}
    files = {name: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in contents.items()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "recipe.json").write_text(json.dumps({**recipe.to_dict(), "tokenizer": "policy", "files": files}))
    return exports.read(folder)


WRONG = [
    "",
    ".",
    "..",
    "../up",
    "a/b",
    "/abs",
    "a\\b",
    "~",
    "~root",
    ".hidden",
    "a\0b",
    "a\nb",
    "a b",
    "ä",
    "-rf",
    "a.",
    "nul",
    "COM1.x",
]


@pytest.mark.parametrize("name", [*WRONG, "x" * 81, "$(id)", "*", "%2e%2e"])
def test_a_name_is_one_folders_name_and_nothing_else(tmp_path, name):
    with pytest.raises(ExportError, match="cannot be a folder's name"):
        exports.folder_in(tmp_path, name)


@pytest.mark.parametrize("name", ["ma-0.5", "HMA_0.2--0.1", "a..b", "x" * 80, "7+8"])
def test_a_name_lies_in_the_allowed_folder(tmp_path, name):
    assert exports.folder_in(tmp_path, name) == tmp_path.resolve() / name


def test_a_link_is_refused_wherever_it_leads(tmp_path):
    allowed, outside = tmp_path / "allowed", tmp_path / "outside"
    allowed.mkdir(), outside.mkdir()
    for name, target in (
        ("out", outside),
        ("gone", tmp_path / "nothing"),
        ("within", allowed / "real"),
        ("loop", allowed / "loop"),
    ):
        (allowed / name).symlink_to(target)
        with pytest.raises(ExportError, match="is a link"):
            exports.folder_in(allowed, name)
    assert list(outside.iterdir()) == []
    # The allowed folder itself is the command line's to say, and may be one.
    (tmp_path / "named").symlink_to(allowed)
    assert exports.folder_in(tmp_path / "named", "new") == allowed.resolve() / "new"


def test_the_allowed_folder_is_the_environments_or_the_default(tmp_path, monkeypatch):
    monkeypatch.delenv("HMA_EXPORTS", raising=False)
    assert exports.root(tmp_path / "a") == (tmp_path / "a").resolve()
    monkeypatch.setenv("HMA_EXPORTS", str(tmp_path / "b"))
    assert exports.root(tmp_path / "a") == (tmp_path / "b").resolve()


def test_the_suggested_name_says_the_recipe_and_tells_recipes_apart(tmp_path):
    expected = {
        "ma-0.5": merge(0.5, 0.5, 0.5),
        "hma-0.5-0-0.75": merge(0.5, 0, 0.75),
        "policy": merge(0, 0, 0),
        "reference": merge(1, 1, 1),
        "ma-0.5-float32": merge(0.5, dtype="float32"),
        "hma-1.2-0-extrapolation": merge(1.2, 0),
    }
    assert {name: exports.suggested(recipe) for name, recipe in expected.items()} == {name: name for name in expected}
    alike = [
        merge(0.2, 0.4), merge(0.2, 0.4, partition=Partition.at(6, (0,))), merge(0.2001, 0.4), merge(0.2002, 0.4),
        merge(*(0.1 * i for i in range(6))), merge(*([0.333] * 5), 0.5),
    ]  # fmt: skip
    names = [exports.suggested(recipe) for recipe in alike]
    assert len(set(names)) == len(alike)
    for name in [*expected, *names]:
        assert exports.folder_in(tmp_path, name).name == name


def test_the_needed_bytes_are_those_of_the_export(tmp_path, tiny_suite):
    from hma.checkpoints.export import export
    from hma.checkpoints.pair import open_pair
    from hma.study import open_study

    study = open_study(*tiny.write_pair(tmp_path / "pair"), tiny_suite)
    for recipe in (Recipe(study.partition(), (0.5, 0, 0.75)), Recipe(study.partition(), (0.5,) * 3, Precision("float16"))):
        done = export(open_pair(study.reference, study.policy), recipe, tmp_path / (recipe.precision.dtype or "own"))
        assert done.size <= exports.needed_bytes(study, recipe) <= done.size + 160_000


def test_room_is_what_is_free_where_the_folder_would_be_made(tmp_path):
    assert exports.free_bytes(tmp_path / "not" / "yet") == pytest.approx(exports.free_bytes(tmp_path), rel=0.05)
    free = (1 << 20) + 30
    assert exports.Room(10, free).holds(3) and not exports.Room(10, free).holds(4)


def test_exports_are_listed_newest_first_and_what_is_none_is_left_out(tmp_path):
    first, second = (written(tmp_path / name, merge(0.5, 0.5)) for name in ("first", "second"))
    os.utime(first.folder / "recipe.json", (1, 1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "recipe.json").write_text("{}")
    (tmp_path / "unlike").mkdir()
    (tmp_path / "unlike" / "recipe.json").write_text('{"files": {}}')
    written(tmp_path / ".first.part-1.ab", merge(0.5))
    (tmp_path / "link").symlink_to(second.folder)
    (tmp_path / "file").write_text("")
    assert [export.folder.name for export in exports.listed(tmp_path)] == ["second", "first"]
    assert exports.listed(tmp_path / "nothing") == []
    assert (second.title, second.size, second.card()) == ("MA 0.5", 15, "# A card")
    assert repr(str(second.folder)) in second.loading and "trust_remote_code" not in second.loading
    compile(second.loading, "loading", "exec")
    assert "trust_remote_code=True" in written(tmp_path / "code", merge(0.5), **{"own.py": b""}).loading


def test_a_model_card_is_shown_without_its_front_matter(tmp_path):
    card = b"---\ntags:\n- merge\n---\n\n# A merge\n\n---\nrest\n"
    assert written(tmp_path / "out", merge(0.5), **{"README.md": card}).card() == "# A merge\n\n---\nrest"


def test_a_model_card_that_is_a_link_is_not_read(tmp_path):
    export = written(tmp_path / "out", merge(0.5))
    (tmp_path / "secret").write_text("secret")
    (export.folder / "README.md").unlink()
    (export.folder / "README.md").symlink_to(tmp_path / "secret")
    assert export.card() == ""


def test_a_check_says_what_is_not_as_it_was_written(tmp_path):
    export, checks = written(tmp_path / "out", merge(0.5)), exports.Checks()
    assert checks.of(export) is None
    checks.start(export)
    until(lambda: checks.of(export).is_over)
    assert checks.of(export).is_whole and not checks.is_busy
    (export.folder / "model.safetensors").write_bytes(b"Weights")
    checks.start(export)
    until(lambda: checks.of(export).is_over)
    assert not checks.of(export).is_whole
    assert list(checks.of(export).found) == differences(export.folder) and "SHA-256" in checks.of(export).found[0]
    (export.folder / "recipe.json").unlink()
    checks.start(export)
    until(lambda: checks.of(export).is_over)
    assert "has no recipe.json" in checks.of(export).found[0]


def test_a_check_runs_beside_and_once_and_not_of_what_was_written_since(tmp_path):
    go, asked = threading.Event(), []

    def compare(folder):
        asked.append(folder)
        go.wait(10)
        return []

    export, checks = written(tmp_path / "out", merge(0.5)), exports.Checks(compare)
    checks.start(export)
    checks.start(export)
    assert checks.is_busy and not checks.of(export).is_over
    go.set()
    until(lambda: not checks.is_busy)
    assert asked == [export.folder]
    os.utime(export.folder / "recipe.json", (9, 9))
    assert checks.of(exports.read(export.folder)) is None


def test_a_pair_that_is_gone_is_a_persons_error(tmp_path, tiny_study):
    from dataclasses import replace

    with pytest.raises(CheckpointError):
        exports.needed_bytes(replace(tiny_study, policy=str(tmp_path / "gone")), Recipe(tiny_study.partition(), (0.5,) * 3))


def test_it_all_goes_without_torch():
    code = "import sys, hma.exports, hma.download; sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
