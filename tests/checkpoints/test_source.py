"""Where checkpoints are: folders, and hub repositories at a revision, which are then one commit for good."""

import json
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from huggingface_hub import constants

from hma.checkpoints.export import export
from hma.checkpoints.hub import hub_or_cache
from hma.checkpoints.pair import open_checkpoint, open_pair
from hma.checkpoints.preflight import preflight
from hma.checkpoints.source import commit_of, find_folder, is_hub_id, split_revision
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import CheckpointError

COMMITS = [digit * 40 for digit in "0123"]


@pytest.fixture
def hub(tiny_pair, tmp_path, monkeypatch):
    """The hub client's own cache, laid out as it lays it out, stands in for the hub: reference on main, policy on a branch."""
    import huggingface_hub

    repository = tmp_path / "models--organisation--model"
    (repository / "refs").mkdir(parents=True)
    for folder, commit, branch in zip(tiny_pair, COMMITS, ("main", "after"), strict=False):
        shutil.copytree(folder, repository / "snapshots" / commit)
        (repository / "refs" / branch).write_text(commit)
    real = huggingface_hub.snapshot_download

    def cached(*arguments, **options):
        return real(*arguments, **{**options, "cache_dir": tmp_path, "local_files_only": True})

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cached)
    return repository


def test_a_revision_is_part_of_a_hub_id():
    assert split_revision("organisation/model@v1.0") == ("organisation/model", "v1.0")
    assert split_revision("organisation/model") == ("organisation/model", None)
    assert [is_hub_id(s) for s in ("a/b", "a/b@c/d", "a", "a/b/c", "./a", "/a/b", "~/a", "", "/b", "a/")] == [
        True,
        True,
        *[False] * 8,
    ]


@pytest.mark.parametrize(
    "place",
    [
        *("a/b/c", "runs/my model", "données/modèle", "C:\\models/x", "a/-b", "a/b.", "a--b/c", "a/b..c", "a/b.git"),
        *("a/" + "b" * 97, "a/b@", "a/b\n", " "),
    ],
)
def test_what_can_be_no_hub_id_is_a_folder_that_is_not_there_and_nothing_to_fetch(place):
    assert not is_hub_id(place)
    for fetch in (True, False):
        with pytest.raises(CheckpointError, match=r"does not exist\. Give a folder") as told:
            find_folder(place, fetch=fetch)
        assert "hf download" not in str(told.value)
        assert str(told.value).startswith(place if place.strip() else "' ' does")


@pytest.mark.parametrize("name", ["meta-llama/Llama-3.2_1B", "a/b", "0/_x", "runs/reference", "a/" + "b" * 96])
def test_what_the_hubs_client_takes_for_an_id_is_one_here(name):
    from huggingface_hub.utils import validate_repo_id

    validate_repo_id(name)
    assert is_hub_id(name) and is_hub_id(f"{name}@refs/pr/1")


def test_an_id_that_cannot_be_fetched_says_what_to_do():
    with pytest.raises(CheckpointError, match="no folder here, and could not be fetched"):
        open_checkpoint("organisation/no-such-model")


def test_a_hub_that_cannot_be_reached_is_said_at_once_and_its_cache_is_asked(monkeypatch, caplog):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    started = time.monotonic()
    with pytest.raises(CheckpointError, match=r"fetched from the hub: http://127\.0\.0\.1:1 cannot be reached \(.+\)\. Check"):
        open_checkpoint("organisation/no-such-model")
    assert time.monotonic() - started < 10
    assert not [record for record in caplog.records if record.name.startswith("huggingface_hub")]
    assert not constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("status", [200, 404])
def test_a_hub_that_answers_is_asked(monkeypatch, status):
    class Answers(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        with hub_or_cache() as why:
            assert (why, constants.HF_HUB_OFFLINE) == ("", False)
        server.shutdown()


def test_a_cached_model_opens_by_its_id_and_any_revision(hub, tiny_pair):
    assert open_checkpoint("organisation/model").fingerprint == open_checkpoint(tiny_pair[0]).fingerprint
    for revision in ("after", COMMITS[1]):
        found = open_checkpoint(f"organisation/model@{revision}")
        assert found.fingerprint == open_checkpoint(tiny_pair[1]).fingerprint
        assert found.revision == commit_of(found.folder) == COMMITS[1]
        assert found.place == f"organisation/model@{COMMITS[1]}"
    with pytest.raises(CheckpointError, match="organisation/model@gone is no folder here, and could not be fetched"):
        open_checkpoint("organisation/model@gone")


def test_a_branch_that_moves_on_leaves_an_opened_pair_where_it_was(hub):
    pair = open_pair("organisation/model", "organisation/model@after")
    shutil.copytree(hub / "snapshots" / COMMITS[0], hub / "snapshots" / COMMITS[2])
    (hub / "refs" / "after").write_text(COMMITS[2])
    assert open_pair(pair.reference.place, pair.policy.place).fingerprint == pair.fingerprint


def test_a_recipe_names_the_commits(hub, tmp_path):
    done = export(
        open_pair("organisation/model", "organisation/model@after"), Recipe(Partition.equal(3), (0.5,) * 3), tmp_path / "out"
    )
    written = json.loads((done.folder / "recipe.json").read_text())
    assert [(written[end]["source"], written[end]["revision"]) for end in ("reference", "policy")] == [
        ("organisation/model", COMMITS[0]),
        ("organisation/model@after", COMMITS[1]),
    ]


def test_what_is_not_in_the_cache_says_how_to_fetch_that_revision(tmp_path):
    (finding,) = preflight("organisation/no-such-model@v2", tmp_path).findings[:1]
    assert "hf download organisation/no-such-model --revision v2" in finding.message


def test_a_folder_is_a_folder_whatever_its_name(tiny_pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_pair[0], tmp_path / "a" / "b@c")
    assert find_folder("a/b@c") == (tmp_path / "a" / "b@c").resolve()
    assert open_checkpoint("a/b@c").place == str(tmp_path / "a" / "b@c")


def test_files_beside_safetensors_are_fetched_only_when_allowed(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *a, allow_patterns, **k: asked.append(allow_patterns) or tmp_path
    )
    for allow in ((), ("bin",), ("code",)):
        find_folder("organisation/model", allow=allow)
    assert [set(patterns) & {"*.bin", "*.py"} for patterns in asked] == [set(), {"*.bin"}, {"*.py"}]
