"""Contests: what is chosen on validation items is what is scored on test items, and nothing else."""

import csv
import io

import pytest

from hma import contest
from hma.board import Board
from hma.contenders import contenders
from hma.core.compare import compare
from hma.core.front import ends, front
from hma.core.recipe import Recipe
from hma.store import Store
from hma.study import open_study
from tests.ui import world


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    place = world.write(tmp_path_factory.mktemp("contest"))
    return tuple(open_study(*place, split=split) for split in ("validation", "test"))


@pytest.fixture
def store(tmp_path, studies):
    """The path's store with an MA sweep and a grid on validation items."""
    store = Store(tmp_path / "points.sqlite")
    world.fill(store, studies[0], grid=3)
    return store


def held(store, studies, **settings):
    choosing, reporting = (Board.read(store, study) for study in studies)
    return contest.held(choosing, reporting, contenders(choosing.points), **settings)


def measure(store, study, recipes):
    for recipe in recipes:
        store.add(study, world.measurement(study, recipe, "compare"))


def test_without_test_items_it_is_told_what_is_missing_and_scored_where_it_was_chosen(store, studies):
    found = held(store, studies)
    assert list(found.measured) == ["ma", "hma"]
    assert [len(points) for points in found.measured.values()] == [11, 26]  # 24 of the grid have a share per block.
    chosen = {p.recipe for points in found.chosen.values() for p in points}
    assert not found.is_reported and found.study == studies[0] and found.drawn == found.chosen
    assert {r.layer_alphas for r in found.missing} == {r.layer_alphas for r in chosen} | {(0.0,) * 6, (1.0,) * 6}
    assert [r.alphas[0] for r in found.missing[:2]] == [1.0, 0.0]
    board = Board.read(store, studies[0])
    assert found.comparison == compare(found.chosen, board.reference, board.policy)
    for name, points in found.measured.items():
        assert list(found.chosen[name]) == front(points)
        assert found.front(name) == front(points)


def test_once_all_is_measured_the_same_recipes_are_scored_on_test_items(store, studies):
    missing = held(store, studies).missing
    measure(store, studies[1], missing[:-1])
    part = held(store, studies)
    assert part.missing == missing[-1:] and not part.is_reported
    measure(store, studies[1], missing[-1:])
    # More on test items, however good there, is nothing that validation items chose.
    measure(store, studies[1], [Recipe(studies[1].partition(), (1, 1, 0.05))])
    found = held(store, studies)
    assert found.is_reported and found.study == studies[1] and found.missing == ()
    for name, points in found.drawn.items():
        assert [p.recipe.layer_alphas for p in points] == [p.recipe.layer_alphas for p in found.chosen[name]]
        assert all(p.key == studies[1].point_key(p.recipe) for p in points)
    tested = Store(store.path).points(studies[1])
    assert found.comparison == compare(found.drawn, *ends(tested))
    assert found.comparison != part.comparison


def test_equal_numbers_choose_from_subsets(store, studies):
    found = held(store, studies, is_equal=True)
    assert [len(points) for points in found.measured.values()] == [11, 11]
    assert {p.key for p in found.measured["hma"]} <= {p.key for p in held(store, studies).measured["hma"]}
    assert {p.key for p in found.chosen["hma"]} <= {p.key for p in found.measured["hma"]}


def test_without_an_end_nothing_is_compared(tmp_path, studies):
    store = Store(tmp_path / "points.sqlite")
    partition = studies[0].partition()
    measure(store, studies[0], [Recipe(partition, a) for a in ((1.0,) * 3, (0.5,) * 3, (0.2, 0.5, 0.5))])
    found = held(store, studies)
    assert found.comparison is None and found.ends[1] is None
    assert [r.alphas[0] for r in contest.ends_missing(Board.read(store, studies[0]))] == [0.0]
    assert list(csv.DictReader(io.StringIO(contest.to_csv(found)))) == []
    told = contest.to_dict(found, [])
    assert told["against_the_first"] == {} and "hypervolume" not in told["methods"]["hma"]


def test_the_table_and_the_object_say_what_they_are_of(store, studies):
    found = held(store, studies)
    lines = list(csv.DictReader(io.StringIO(contest.to_csv(found))))
    assert len(lines) == 2 * 5
    assert {line["items"] for line in lines} == {"40 validation"} and {line["flattered"] for line in lines} == {"True"}
    area, less = found.comparison.hypervolumes["hma"], found.comparison.against["hma"]
    line = next(line for line in lines if line["method"] == "hma" and line["quantity"].startswith("hypervolume"))
    assert float(line["value"]) == area.value and float(line["difference_low"]) == less.hypervolume.low
    assert (line["points_measured"], line["points_on_front"]) == ("26", str(len(found.chosen["hma"])))
    at_90 = next(line for line in lines if line["method"] == "hma" and line["share_of_gain"] == "0.9")
    assert float(at_90["difference"]) == less.abilities[0.9].value
    assert {line["difference"] for line in lines if line["method"] == "ma"} == {""}
    measure(store, studies[1], found.missing)
    told = contest.to_dict(held(store, studies), ["a word"])
    assert told["flattered"] is False and told["words"] == ["a word"]
    assert told["chosen_on"]["split"] == "validation" and told["scored_on"]["split"] == "test"
    assert set(told["against_the_first"]) == {"hma"} and set(told["against_the_first"]["hma"]["abilities"]) == {
        "0.98", "0.95", "0.9", "0.8",
    }  # fmt: skip
    assert told["methods"]["ma"]["points"][0]["key"] in {p.key for p in Store(store.path).points(studies[1])}
