"""Rewards on the command line: a program of one's own, and a suite with several."""

import json

import pytest
from typer.testing import CliRunner

from hma import __main__ as program
from tests.cli import hma


@pytest.fixture
def liking(tmp_path):
    """A program in a file, that uses another beside it."""
    (tmp_path / "counting.py").write_text("def count(text): return len(text.split())")
    (tmp_path / "liking.py").write_text("from counting import count\ndef reward(prompt, answer): return -count(answer)")
    return f"{tmp_path}/liking.py:reward"


def test_a_program_of_ones_own_judges_measures_fronts_and_cards(options, liking, tmp_path):
    store = ["--store", tmp_path / "points.sqlite", *options, "--reward", liking]
    done = hma("measure", "--alphas", "0.5", "--json", *store)
    assert done.returncode == 0, done.stderr
    point = json.loads(done.stdout)
    assert -8 <= point["scores"]["reward"]["value"] < 0
    assert "Reward\nby\nliking.py" in "\n".join(hma("front", *store).stdout.split())
    assert json.loads(hma("front", "--json", *store).stdout)["points"][0]["key"] == point["key"]
    assert json.loads(hma("front", "--json", *store[:-2]).stdout)["points"] == []  # the suite's own reward is another study
    out = tmp_path / "out"
    assert hma("export", "--alphas", "0.5", "--out", out, *store).returncode == 0
    assert "| Reward by liking.py |" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        ("liking.py", "names no function"),
        ("{folder}/gone.py:reward", "cannot be found"),
        ("{folder}/liking.py:gone", "liking.py has no function 'gone'. It defines: reward."),
    ],
)
def test_what_is_no_program_exits_2(options, liking, tmp_path, reward, said):
    reward = reward.format(folder=tmp_path)
    done = hma("measure", "--alphas", "0.5", "--store", tmp_path / "points.sqlite", *options, "--reward", reward)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_the_app_is_given_the_program_by_its_whole_path(options, liking, tmp_path, monkeypatch):
    given = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "launch", lambda port, address, **places: given.update(places))
    command = ["app", *map(str, options), "--store", "mine.sqlite", "--reward", "liking.py:reward"]
    done = CliRunner().invoke(program.commands(), command)
    assert done.exit_code == 0, done.output
    assert given["program"] == liking


def test_further_scores_are_shown_in_a_table_of_their_own_and_proxies_as_such(options, tiny_suite, tmp_path):
    data = json.loads(tiny_suite.read_text())
    reward = data.pop("reward")
    data["chat"] = {name: reward.pop(name) for name in ("prompts", "generation")}
    data["rewards"] = [reward, {"kind": "policy_likelihood", "name": "likelihood", "title": "Liking"}]
    suite = tiny_suite.parent / "two-rewards.json"
    suite.write_text(json.dumps(data))
    given = ["measure", "--alphas", "0.5", "--store", tmp_path / "points.sqlite", *options, "--suite", suite]
    done = hma(*given)
    assert done.returncode == 0, done.stderr
    first, beside = done.stdout.split("Of the same answers")
    assert "(proxy)" in beside
    assert "(proxy)" not in first
    assert "Liking (proxy) in nats a token" in " ".join(beside.split())
    assert "proxy_likelihood" in json.loads(hma(*given, "--json").stdout)["scores"]
