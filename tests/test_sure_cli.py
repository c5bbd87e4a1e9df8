"""How sure we are on the command line: the front's shares and intervals, the difference of two points, and power."""

import json
import shlex
from dataclasses import asdict, replace

import numpy as np
import pytest
from typer.testing import CliRunner

from hma import __main__ as program
from hma import shell
from hma.board import Board
from hma.core.difference import are_indistinguishable, differences
from hma.core.power import ERRORS
from hma.core.recipe import Recipe
from hma.core.robust import most, robust_tax
from hma.core.tax import taxes
from hma.errors import HmaError
from hma.store import Store
from hma.study import open_study
from tests.cli import hma
from tests.ui import world


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return world.write(tmp_path_factory.mktemp("sure"))


@pytest.fixture(scope="module")
def board(place):
    """An MA sweep, one point almost like its 0.4, and a few merges on validation items; the two ends on test items."""
    path = place[0].parent / "points.sqlite"
    store, study = Store(path), open_study(*place)
    world.fill(store, study, grid=2)
    like = world.measurement(study, Recipe(study.partition(), (0.4,) * 3))
    noise = np.random.default_rng(0)
    results = {
        name: replace(r, items=r.items + noise.permutation(np.resize([0.1, -0.1], r.items.shape)))
        for name, r in like.results.items()
    }
    store.add(study, replace(like, recipe=Recipe(study.partition(), (0.41,) * 3), results=results))
    world.fill(store, open_study(*place, split="test"), grid=0, sweep=2)
    return Board.read(store, study)


@pytest.fixture
def said(place, board, monkeypatch):
    """What a verb prints of the store, as one line of words, or the object that it prints with --json."""
    given = ["--reference", place[0], "--policy", place[1], "--suite", place[2], "--store", place[0].parent / "points.sqlite"]
    monkeypatch.setenv("COLUMNS", "150")

    def run(*arguments):
        done = CliRunner().invoke(program.commands(), [*map(str, arguments), *map(str, given)], catch_exceptions=True)
        if done.exception is not None:
            raise done.exception
        return json.loads(done.stdout) if "--json" in arguments else " ".join(done.stdout.split())

    run.store = Store(given[-1])
    return run


def test_the_front_says_who_stays_on_it_and_how_sure_its_area_is(said, board):
    found, words = said("front", "--json"), said("front")
    assert found["items"] == {"split": "validation", "size": "quick", "num_items": 40}
    assert found["membership"] == pytest.approx(board.sureness.shares)
    assert set(found["membership"]) == {p.key for p in board.points}
    assert found["hypervolume_interval"] == pytest.approx(board.sureness.hypervolume)
    assert "robust_taxes" not in found
    assert "Stays on: the share of 1,000 resamples of the items" in words
    assert "40 validation items (quick)" in words
    assert "report what was chosen on test items" in words
    assert "(95 %: " in words
    tested = said("front", "--split", "test")
    assert "40 test items" in tested
    assert "report what was chosen" not in tested


def test_the_front_has_the_robust_tax_at_a_rho(said, board):
    at = {rho: said("front", "--rho", rho, "--json")["robust_taxes"] for rho in (0, 0.3, 5)}
    before = said.store.results(board.reference.key)
    for point in board.front:
        after, groups = said.store.results(point.key), board.study.groups
        lost = taxes(before, after, groups)
        here = [at[rho][point.key] for rho in (0, 0.3, 5)]
        assert here[0]["value"] == pytest.approx(lost["mean ability"].value)
        assert here[2]["value"] == pytest.approx(max(lost[task].value for task in world.ABILITIES))
        again = robust_tax(before, after, groups, 0.3)
        assert here[1]["weights"] == pytest.approx(dict(again.weights))
        assert [here[1][part] for part in ("value", "low", "high")] == pytest.approx([again.value, again.low, again.high])
    words = said("front", "--rho", 0.3)
    assert f"{most(board.study.groups):.2f} and more the worst task's" in words
    assert "Robust" in words


@pytest.mark.parametrize("rho", ["-0.1", "nan", "inf"])
def test_a_rho_that_is_none_is_refused(said, rho):
    with pytest.raises(
        HmaError, match=f"--rho is {float(rho):g}. It is how far .* Give 0 for the mean tax, or more, such as 0.3"
    ):
        said("front", f"--rho={rho}")


def test_points_are_named_by_key_by_its_beginning_by_alphas_and_as_ends(said, board):
    by_key = said("difference", board.policy.key, board.reference.key, "--json")
    prefix = next(
        board.policy.key[:n] for n in range(1, 17) if sum(p.key.startswith(board.policy.key[:n]) for p in board.points) == 1
    )
    assert said("difference", prefix, "1", "--json") == by_key
    assert said("difference", "0,0,0", "reference", "--json") == by_key
    assert said("difference", "policy", "1.0", "--blocks", "2", "--json") == by_key
    assert [p["key"] for p in by_key["points"]] == [board.policy.key, board.reference.key]


def test_a_difference_is_what_the_second_point_has_more_with_its_interval_in_words(said, board):
    found = said("difference", "policy", "0.1", "--json")
    second = board.point(found["points"][1]["key"])
    wanted = differences(said.store.results(second.key), said.store.results(board.policy.key), board.study.groups)
    assert set(found["differences"]) == {"reward", *world.ABILITIES, "mean ability"}
    for name, one in wanted.items():
        assert found["differences"][name] == asdict(one) | {"shown": one.is_shown}
    assert found["indistinguishable"] == are_indistinguishable(board.policy, second)
    words = said("difference", "policy", "0.1")
    assert "40 validation items (quick)" in words
    assert "shown" in words and "not shown" in words
    assert "one in twenty is shown by chance" in words
    apart = said("difference", "policy", "reference")
    assert "They differ on these items in the reward and in the mean ability." in apart


def test_points_that_cannot_be_told_apart_are_said_to_be_so(said):
    assert "Indistinguishable on these items" in said("difference", "0.4", "0.41")
    assert said("difference", "0.4", "0.41", "--json")["indistinguishable"] is True


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ("0.35", "1", "0.35 is not measured on the 40 validation items .quick. of this study. Measure it: .* -m hma measure --a"),
        ("0.3,0.3", "1", "2 alphas were given"),
        ("policy", "0", "'policy' and '0' are the same point, policy"),
        ("ffffffffffffffff", "1", "has a key that begins with 'ffffffffffffffff'"),
        ("some merge", "1", "'some merge' names no point"),
        ("", "1", "'' names no point"),
        ("{several}", "1", "begins the keys of"),
        ("{tested}", "1", "is of another study, Test suite on 40 test items .quick.. This one is Test suite on 40 val"),
    ],
)  # fmt: skip
def test_points_that_cannot_be_compared_are_refused_with_what_to_do(said, board, one, other, message):
    starts = [p.key[0] for p in board.points if p.key[0] not in "01"]
    several = max(starts, key=starts.count)
    (study,) = (study for study in said.store.studies() if study.split == "test")
    tested = said.store.points(study)[0].key
    with pytest.raises(HmaError, match=message):
        said("difference", one.format(several=several, tested=tested), other)


def test_power_says_what_the_items_can_show_and_how_many_an_effect_needs(said, board):
    found = said("power", "--items", 160, "--effect", 0.5, "--json")
    assert found["items"] == {"split": "validation", "size": "quick", "num_items": 40}
    assert (found["power"], found["level"], found["with_items"], found["effect"]) == (0.8, 0.05, 160, 0.5)
    assert found["pairs"] == [[one.key, other.key] for one, other in board.pairs]
    for score in found["scores"].values():
        assert score["detectable"] == pytest.approx(ERRORS * score["standard_error"])
        assert score["detectable_with_items"] == pytest.approx(score["detectable"] / 2)
        assert score["items_for_effect"] == pytest.approx(max(6, 40 * (score["detectable"] / 0.5) ** 2), abs=1)
    pairs = [[said.store.results(p.key)["reward"].items[:, 0] for p in pair] for pair in board.pairs]
    spread = np.mean([np.var(one - other, ddof=1) for one, other in pairs])
    assert found["scores"]["reward"]["detectable"] == pytest.approx(ERRORS * np.sqrt(spread / 40))
    words = said("power", "--items", 160, "--effect", 0.5)
    assert "40 validation items (quick)" in words
    assert f"{len(board.pairs)} pairs of neighbours on the front" in words
    assert "shown in 80 % of runs" in words


def test_before_anything_but_the_ends_is_measured_power_is_told_from_them(said):
    found, words = said("power", "--split", "test", "--json"), said("power", "--split", "test")
    assert found["scores"] == found["ends"]
    assert "40 test items" in words
    assert "Told from the two ends" in words


@pytest.mark.parametrize("effect", ["0", "-1", "nan"])
def test_an_effect_that_is_none_is_refused(said, effect):
    with pytest.raises(HmaError, match=f"--effect is {effect}. It is the size of a difference, .* above 0, such as 2"):
        said("power", f"--effect={effect}")


def test_without_points_both_verbs_exit_2_with_the_command_that_measures_some(place, tmp_path):
    given = [
        "--reference",
        place[0],
        "--policy",
        place[1],
        "--suite",
        place[2],
        "--split",
        "test",
        "--store",
        tmp_path / "s.sqlite",
    ]
    missing = hma("difference", "policy", *given, "0.5")
    assert missing.returncode == 2
    assert "There is no store at" in missing.stderr
    assert f"hma sweep {' '.join(map(str, given))}" in missing.stderr.replace("\n", "")
    Store(tmp_path / "s.sqlite")
    done = hma("power", "--items", 50, "--effect=2", "--json", *given)
    assert done.returncode == 2
    assert "What the 40 test items (quick) can show is told from two points at least" in " ".join(done.stderr.split())
    assert "hma sweep --reference" in done.stderr
    assert "--effect" not in done.stderr
    assert not done.stdout


def test_what_is_not_measured_is_told_with_the_whole_command_that_measures_it(place, board, tmp_path):
    given = [str(word) for word in ("--reference", place[0], "--policy", place[1], "--suite", place[2])]
    store = ["--store", str(place[0].parent / "points.sqlite")]
    missing = hma("difference", "0.35", "policy", *given, "--blocks", "2", *store, "--json")
    wanted = f"{shell.command('measure', '--alphas', '0.35', *given, '--blocks', '2', *store)}\n"
    assert missing.stderr.endswith(wanted)
    Store(tmp_path / "s.sqlite")
    store = ["--store", str(tmp_path / "s.sqlite")]
    end = hma("difference", "policy", "0.35", *given, "--blocks", "2", "--linear-only", *store)
    assert end.stderr.endswith(f"hma measure --alphas 0 {shlex.join([*given, *store])}\n")
    key = hma("difference", "ffffffff", "0.35", *given, *store)
    assert key.stderr.endswith(f"hma front --json {shlex.join([*given, *store])}\n")
