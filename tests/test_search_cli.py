"""``hma search``: it goes on where it was, stays within its budget, and is compared like any other method."""

import json
import shutil

import pytest

from hma.core.observation import Observation
from hma.core.question import Question
from hma.engine import Engine
from hma.store import Store
from tests.cli import hma

BUDGET = 9


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("search") / "points.sqlite"


def searched(*arguments):
    done = hma("search", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [tuple(point["recipe"]["alphas"]) for point in json.loads(done.stdout)["points"]]


def test_a_search_has_both_ends_and_goes_on_where_it_was(options, store, tmp_path):
    first = searched("--budget", BUDGET - 3, "--store", store, *options)
    assert {(0.0,) * 3, (1.0,) * 3} <= set(first)
    assert len(set(first)) == BUDGET - 3
    whole = searched("--budget", BUDGET, "--store", store, *options)
    assert len(set(whole)) == BUDGET
    measured = Store(store).revision(Store(store).studies()[0])
    assert searched("--budget", BUDGET, "--store", store, *options) == whole
    assert Store(store).revision(Store(store).studies()[0]) == measured
    assert (
        searched("--budget", BUDGET, "--store", tmp_path / "fresh.sqlite", *options) == whole
    )  # What was in the store is nothing to it.
    assert searched("--budget", BUDGET, "--search-seed", 1, "--store", store, *options) != whole


def test_a_search_is_compared_within_its_budget(options, store):
    done = hma("compare", "--methods", "ma,search", "--budget", BUDGET, "--store", store, *options, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len({tuple(alphas) for alphas in found["methods"]["search"]["measured"]}) == BUDGET


def test_its_table_says_what_it_was_chosen_on(options, store):
    done = hma("search", "--budget", BUDGET, "--store", store, *options)
    assert "chosen on the 8 validation items" in " ".join(done.stdout.split())
    assert "--split test" in done.stdout


def test_it_tells_why_and_how_well_its_points_predict_one_another(options, store, tmp_path):
    asked = ("search", "--no-survey", "--budget", BUDGET, "--store", tmp_path / "points.sqlite", *options)
    done = hma(*asked, "--json")
    replies = json.loads(done.stdout)["replies"]
    assert [reply["why"] for reply in replies[:7]] == ["start"] * 7
    assert all(reply["why"] in ("front", "spread") and len(reply["errors"]) == 2 for reply in replies[7:])
    said = " ".join(hma(*asked).stdout.split())
    assert "Points chosen: 7 to begin with, 2 " in said and "No survey came first, as was asked for." in said
    assert json.loads(done.stdout)["survey"] is False
    begun = " ".join(hma("search", *asked[2:]).stdout.split())
    assert "No survey came first: this search was begun without one." in begun and "Points chosen: 7 to begin with" in begun
    errors = replies[-1]["errors"]
    assert f"with an error of {errors[0]:.2f} (reward) and {errors[1]:.2f} (mean ability) of their spread" in said


def test_a_survey_comes_first_and_is_told(options, store, tmp_path):
    """It begins elsewhere than a search that has none; asked for where there is nothing to read, it is refused."""
    done = hma("search", "--budget", BUDGET, "--store", store, *options)
    said = " ".join(done.stdout.split())
    assert "A survey came first: how likely 34 merges find the policy's answers" in said
    fresh = tmp_path / "fresh.sqlite", tmp_path / "plain.sqlite"
    told, plain = (
        searched("--budget", 5, flag, "--store", place, *options)
        for flag, place in zip(("--survey", "--no-survey"), fresh, strict=True)
    )
    assert told[:2] == plain[:2] and told[2:] != plain[2:]
    suite = json.loads((bare := shutil.copytree(options[5].parent, tmp_path / "suite") / "suite.json").read_text())
    del suite["reward"]["prompts"]["train"]
    bare.write_text(json.dumps(suite))
    without = [*options[:5], bare, "--budget", 5, "--store", tmp_path / "points.sqlite"]
    assert "No survey came first: the suite has no training prompts" in " ".join(hma("search", *without).stdout.split())
    refused = hma("search", "--survey", *without)
    assert refused.returncode == 2 and "names no training prompts" in " ".join(refused.stderr.split())
    assert "A search goes without one, too: --no-survey" in " ".join(refused.stderr.split())


def test_surveyed_and_plain_searches_are_two_methods(options, store):
    done = hma("compare", "--methods", "ma,search,surveyed-search", "--budget", 6, "--store", store, *options, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["methods"]["search"]["measured"] != found["methods"]["surveyed-search"]["measured"]
    assert {len({tuple(a) for a in found["methods"][name]["measured"]}) for name in ("search", "surveyed-search")} == {6}
    assert any("Its survey comes on top of its budget" in said for said in found["words"])


def test_what_points_predict_is_asked_of_the_worker(tiny_study, tmp_path):
    """Of a plane: known, and predicted; of noise: nothing is known."""
    grid = [(a, b, c) for a in (0.0, 0.5, 1.0) for b in (0.0, 1.0) for c in (0.0, 1.0)]
    plane = tuple(Observation(a, 3 - a[0] - 0.5 * a[1], 0.001, 40 + 30 * a[0] + 9 * a[2], 0.1) for a in grid)
    flat = tuple(Observation(a, 1.0 + 0.1 * (i % 2), 1.0, 50.0 + (i % 3), 9.0) for i, a in enumerate(grid))
    with Engine(Store(tmp_path / "points.sqlite")) as engine:
        known, unknown = (engine.wait(engine.ask(tiny_study, Question(o, 3, 5, num=0)).id, 120) for o in (plane, flat))
        assert known.state == unknown.state == "finished", known.message
        assert known.answer.alphas == ()
        assert unknown.answer.predictor is None
    from hma.core.surrogate import Predictor

    means, deviations = Predictor.from_dict(known.answer.predictor).predict([(0.5, 1.0, 0.0)])
    assert means[0] == pytest.approx([2.0, 55.0], abs=1.0)
    assert (deviations > 0).all()


def test_a_question_is_named_by_what_it_asks():
    one, other = (Observation((a, 0.0), 1.0, 0.1, 2.0, 0.1) for a in (0.0, 1.0))
    assert Question((one, other), 2, 4).key == Question((other, one), 2, 4).key != Question((one, other), 2, 4, seed=1).key
