"""Points to take away: every number as it is, a row a point, and nothing that a spreadsheet would run."""

import csv
import io
import json
from dataclasses import replace

import pytest

from hma import download
from hma.board import Board
from hma.core.point import MEAN
from hma.core.recipe import Recipe
from hma.store import Store
from tests.ui import world
from tests.ui.conftest import filled, place, study  # noqa: F401 (fixtures)


@pytest.fixture
def board(filled, study):  # noqa: F811
    return Board.read(Store(filled), study)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_json_holds_every_point_with_scores_intervals_and_origin(board):
    said = json.loads(download.as_json(board))
    assert said["study"]["key"] == board.study.key
    assert (said["study"]["split"], said["study"]["num_items"]) == ("validation", 40)
    assert [p["key"] for p in said["points"]] == [p.key for p in board.points]
    for found, point in zip(said["points"], board.points, strict=True):
        assert list(found["alphas"].values()) == list(point.recipe.alphas)
        assert Recipe.from_dict(found["recipe"]) == point.recipe
        for name, score in (*point.scores.items(), (MEAN, point.ability)):
            expected = {"value": score.value, "standard_error": score.standard_error, "num_items": score.num_items}
            assert found["scores"][name] == expected | {"low": score.low, "high": score.high}
        assert found["on_front"] == board.is_on_front(point)
        assert (found["method"], found["seconds"], found["device"]) == (point.method, 1.4, "CPU (test)")
        assert found["measured_at"] == point.measured_at
    reference = next(p for p in said["points"] if p["key"] == board.reference.key)
    assert reference["mean_tax"] == {"value": 0, "low": 0, "high": 0}
    assert download.points(replace(board, reference=None))["points"][0]["mean_tax"] is None


def test_csv_says_the_same_a_row_a_point(board):
    found = rows(download.as_csv(board))
    assert len(found) == len(board.points)
    for row, point in zip(found, board.points, strict=True):
        assert row["key"] == point.key
        assert tuple(map(float, row["alphas"].split(";"))) == point.recipe.alphas
        assert row["blocks"] == "input;middle;output"
        assert (float(row["reward"]), float(row["reward low"])) == (point.reward.value, point.reward.low)
        assert float(row["mean ability standard error"]) == point.ability.standard_error
        assert (row["items"], row["choice items"], row["mean ability items"]) == ("40", "40", "120")
        assert row["on front"] == str(board.is_on_front(point))
    assert rows(download.as_csv(replace(board, reference=None)))[0]["mean tax"] == ""


def test_no_cell_of_the_csv_is_a_formula(tmp_path, study):  # noqa: F811
    store, recipe = Store(tmp_path / "p.sqlite"), Recipe(study.partition(), (-0.1, 0.5, 0.5))
    store.add(study, replace(world.measurement(study, recipe), device='=HYPERLINK("https://example.org")', method="+1,2\n3"))
    (row,) = rows(download.as_csv(Board.read(store, study)))
    assert row["device"] == """'=HYPERLINK("https://example.org")"""
    assert row["method"] == "'+1,2\n3"
    assert row["alphas"] == "'-0.1;0.5;0.5"
    assert float(row["reward"]) == pytest.approx(store.points(study)[0].reward.value)
