"""What ``hma bench search`` compares: fronts that validation items pick, scored on test items."""

import json
import math

import pytest

from hma.bench.search import Splits, _best, _compared, _foreseen, _print
from hma.core.alphas import grid
from hma.core.front import corner_of, front, hypervolume
from hma.core.partition import Partition
from hma.core.point import Point, Score
from hma.core.recipe import Recipe
from hma.core.survey import Surveyed


def score(value, error):
    return Score(value, error, 100, value - 2 * error, value + 2 * error)


class Made(Splits):
    """A splits whose points are made up: on test items every point is a tenth lower, but for the two ends."""

    def __init__(self):
        self.asked = []

    def measure(self, alphas, on_test=False):
        self.asked += [(tuple(row), on_test) for row in alphas]
        return self.known(alphas, on_test)

    def survey(self, seed):
        """Unlikelihoods that follow the metrics, but for a bend; and the seconds."""
        alphas = tuple(dict.fromkeys([(0.0,) * 3, (1.0,) * 3, *map(tuple, grid(3, 3))]))
        points = self.known(alphas)
        return Surveyed(alphas, tuple((-p.reward.value + 0.1 * p.reward.value**2, -p.ability.value) for p in points)), 3.0

    def known(self, alphas, on_test=False):
        found = []
        for low, middle, high in alphas:
            reward, ability = 4 - 2 * low**2 - middle - 2 * high**3, 14 * math.sqrt(low) + 4 * middle + 32 * high**2
            share = 0.9 if on_test and not low == middle == high else 1.0
            scores = {"reward": score(reward * share, 0.2)}
            recipe = Recipe(Partition.equal(6), (low, middle, high))
            key = f"{low}{middle}{high}"
            found.append(Point(key, recipe, scores, score(ability * share, 2.0), elapsed_seconds=1.5))
        return found


def test_every_method_is_scored_by_its_own_front_on_test_items(capsys):
    splits = Made()
    dense = splits.known(grid(5, 3))
    found = _compared(splits, dense, budget=10, seeds=1, steps=5)
    chosen = [p.recipe.alphas for p in front(dense)]
    on_test = splits.known(chosen, on_test=True)
    corner = corner_of(splits.known([(0.0,) * 3, (1.0,) * 3], on_test=True))
    assert found["grid_hypervolume"] == pytest.approx(hypervolume(on_test, corner))
    assert found["grid_front"] == len(chosen)
    assert 0 < found["search"]["median"] <= 1
    assert found["random"]["seeds"] == [found["random"]["median"]]
    assert found["details"][0]["seconds"]
    asked = {alphas for alphas, on_test in splits.asked if not on_test}
    assert len(asked) <= 4 * 10  # A budget for each search, random and MA.
    assert found["surveyed"]["median"] >= found["random"]["median"]
    found |= {"grid": 125, "grid_of": 125, "steps": 5, "budget": 10, "size": "made", "target": 0.98, "reached": False}
    found |= {"suggestion_seconds": 1.0, "suggestion_longest": 2.0, "suggestion_points": 40}
    found |= {"surveyed_suggestion_seconds": 1.5, "surveyed_suggestion_longest": 2.5}
    _print(json.loads(json.dumps(found)))
    said = " ".join(capsys.readouterr().out.split())
    assert "falls short of the 98%" in said
    assert "took 3.0 s, as long as 2 measurements" in said


def test_the_best_that_could_be_known_is_the_whole_front_where_that_is_small():
    dense = Made().known(grid(3, 3))
    assert sorted(p.key for p in _best(dense, 27)) == sorted(p.key for p in front(dense))
    assert len(_best(dense, 2)) == 2


def test_a_surrogate_that_was_given_much_foresees_nearly_the_best():
    dense = Made().known(grid(7, 3))
    corner = corner_of(dense)
    foreseen = _foreseen(dense, 12, seed=0)
    assert len(foreseen) <= 14 and {p.recipe.alphas for p in foreseen} >= {(0.0,) * 3, (1.0,) * 3}
    assert hypervolume(foreseen, corner) > 0.95 * hypervolume(_best(dense, 12), corner)
