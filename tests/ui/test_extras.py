"""Further rewards on the page: beside the chart's own, a proxy called one; and whose programs a page may run."""

import json

import pytest

from hma.errors import SuiteError
from hma.store import Store
from hma.study import SHIPPED, open_study
from hma.ui import access
from tests.ui import world

REWARDS = [
    {"kind": "program", "function": "tests.tiny:reward"},
    {"kind": "pairrm", "name": "wins", "ranker": str(SHIPPED / "judges" / "ranker"), "baseline": "policy"},
    {"kind": "kl_to_reference", "name": "kl", "title": "<b>Nearness</b>"},
]


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """The test world's suite with further rewards."""
    path = world.write_suite(tmp_path_factory.mktemp("extras") / "suite")
    data = json.loads(path.read_text())
    reward = data.pop("reward")
    data |= {"chat": {name: reward[name] for name in ("prompts", "generation")}, "rewards": REWARDS}
    path.write_text(json.dumps(data))
    return path


def test_the_tables_show_every_score_and_a_proxy_as_one(app, place, suite, tmp_path):
    study, store = open_study(*place[:2], suite), tmp_path / "extras.sqlite"
    world.fill(Store(store), study, grid=1)
    test = app(store=store, HMA_SUITE=str(suite)).run()
    assert not test.exception
    table = next(e.proto.body for e in test.get("html") if "hma-scores" in e.proto.body and "<table>" in e.proto.body)
    for title in ("Win rate", "Win rate: ties", "Win rate: length", "Win rate: baseline length"):
        assert f"<th>{title} <small>" in table
    assert "<th>&lt;b&gt;Nearness&lt;/b&gt; (proxy) <small>nats an answer" in table


def test_a_page_runs_no_program_of_a_suite_that_the_command_line_did_not_name(monkeypatch, place, suite):
    reference, policy, _ = map(str, place)
    monkeypatch.setenv("HMA_SUITE", str(suite))
    access.forget_studies()
    assert access._study(reference, policy, str(suite), "validation", "quick").extras
    monkeypatch.setenv("HMA_SUITE", str(SHIPPED / "suite.json"))
    access.forget_studies()
    with pytest.raises(SuiteError, match="Programs are run only for suites that are named on the command line"):
        access._study(reference, policy, str(suite), "validation", "quick")


def test_the_command_lines_program_judges_in_the_page_too(monkeypatch, place, tmp_path):
    (tmp_path / "liking.py").write_text("def reward(prompt, answer): return 0")
    for name, value in zip(("HMA_REFERENCE", "HMA_POLICY", "HMA_SUITE"), map(str, place), strict=True):
        monkeypatch.setenv(name, value)
    access.forget_studies()
    own = access.study("validation", "quick")
    monkeypatch.setenv("HMA_REWARD", f"{tmp_path}/liking.py:reward")
    access.forget_studies()
    other = access.study("validation", "quick")
    assert (own.program, other.program) == ("", f"{tmp_path}/liking.py:reward")
    assert other.reward.title == "Reward by liking.py"
    assert other.key != own.key
    assert access.prompts(other) == access.prompts(own)
