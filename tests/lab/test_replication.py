"""The replication on a pair of seconds: every claim that a brief report makes gets a number, and nothing is done twice."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hma import comparing
from hma.core.fit import Draw
from hma.lab import replication
from hma.lab.claims import CLAIMS, verdicts
from hma.lab.page import write
from hma.lab.pairs import Wanted, make_pairs
from hma.lab.replication import PATH, early_stopping, replicate
from hma.store import Store
from hma.study import open_study
from tests.lab.small import TINY, silent

SIX_LAYERS = replace(TINY, name="tiny", size=replace(TINY.size, layers=6), num_items=16)
DRAW = Draw(prompts=4, answers=2, kept=1.0, drawn=4)

FULL_ONLY = ("offset:", "hma 6", "adamerging:", "two-sided 3", "two-sided-spaced 3", "two-sided-free")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The folder of a pair, and what its brief replication came to."""
    pair = Wanted(tmp_path_factory.mktemp("lab"), SIX_LAYERS, seed=1)
    make_pairs([pair], 1, silent)
    with pytest.MonkeyPatch.context() as fewer:
        fewer.setattr(comparing, "BALANCES", (0.2, 0.8))  # Each is a fit.
        yield pair.folder, replicate(pair.folder, 3, "quick", DRAW, True, lambda text: None)


def test_every_claim_of_a_brief_report_gets_a_number(found, tmp_path):
    _, pair = found
    assert set(pair.claims) == {claim.name for claim in CLAIMS if not claim.name.startswith(FULL_ONLY)}
    assert all(e.low <= e.high for e in pair.claims.values())
    assert {blocks: list(c.tested) for blocks, c in pair.compared.items()} == {
        "3": ["ma", "hma"],
        "9": ["ma", "hma", "ma-spaced", "two-sided-spaced"],
    }
    assert all(len(recipes) == 3 for c in pair.compared.values() for recipes in c.recipes.values())
    write(tmp_path, [pair], 3, 16)
    page = (tmp_path / "report.md").read_text()
    assert all(f"| {claim.says.replace('|', ', ')} |" in page for claim in CLAIMS if claim.name in verdicts([pair.claims]))
    assert "| two-sided-spaced (task prompts) | 9 |" in page


def test_the_ends_of_stopping_early_are_the_pairs_own(found):
    """Trained again, RLHF ends at the policy, bit for bit: its path is measured as merges are, from the same reference on."""
    _, pair = found
    reference, policy = pair.compared["3"].ends
    assert pair.is_own_path
    assert len(pair.path) == SIX_LAYERS.raft.iterations + 1
    for place, end in ((pair.path[0], reference), (pair.path[-1], policy)):
        assert place == pytest.approx((end.reward.value, end.ability.value))


def test_run_again_nothing_is_measured_or_trained_again(found, monkeypatch):
    folder, pair = found
    before = sum(Store(folder / "points.sqlite").revision(study) for study in Store(folder / "points.sqlite").studies())
    monkeypatch.setattr(replication, "_measured", pytest.fail)
    again = replicate(folder, 3, "quick", DRAW, True, lambda text: None)
    assert again.claims == pair.claims
    assert again.path == pair.path
    assert sum(Store(folder / "points.sqlite").revision(s) for s in Store(folder / "points.sqlite").studies()) == before


def test_a_path_that_is_cut_short_while_it_is_kept_is_not_taken_for_one(found, monkeypatch):
    folder, _ = found
    study = open_study(folder / "reference", folder / "policy", folder / "suite.json", "test", "quick")
    before, is_own = early_stopping(folder, study, lambda text: None)
    (folder / PATH).unlink()
    monkeypatch.setattr(replication, "_measured", lambda *arguments: (before, is_own))
    with monkeypatch.context() as cut:
        cut.setattr(Path, "replace", lambda *arguments: pytest.fail("cut short"))
        with pytest.raises(pytest.fail.Exception, match="cut short"):
            early_stopping(folder, study, lambda text: None)
    assert not (folder / PATH).exists()
    early_stopping(folder, study, lambda text: None)
    assert json.loads((folder / PATH).read_text())["is_own"] == is_own
