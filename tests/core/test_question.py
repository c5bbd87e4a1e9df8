"""Questions have the name of what is asked."""

from dataclasses import replace

import numpy as np

from hma.core.front import front
from hma.core.observation import Observation
from hma.core.question import MOST, Question, predicting
from tests.core import made

OBSERVED = (Observation((0, 0), 4.27, 0.011, 31.4, 3.96), Observation((1, 1), -0.8, 0.02, 86.1, 1.2))


def test_the_same_points_are_the_same_question_in_any_order_and_to_the_last_bits():
    asked = Question(OBSERVED, 2, 0, 0)
    assert Question(OBSERVED[::-1], 2, 0, 0).key == asked.key
    other_bits = replace(OBSERVED[0], ability_variance=float(np.nextafter(3.96, 4)))
    assert other_bits != OBSERVED[0]
    assert replace(asked, observed=(other_bits, OBSERVED[1])).key == asked.key


def test_questions_that_are_kept_in_stores_keep_their_names():
    assert Question(OBSERVED, 2, 0, 0).key == "ef90367c4e4aeba2"


def test_other_points_seeds_and_numbers_are_other_questions():
    asked = Question(OBSERVED, 2, 0, 0)
    others = [replace(asked, num=1), replace(asked, seed=1), replace(asked, start=3), replace(asked, observed=OBSERVED[:1])]
    others.append(replace(asked, steps=11))
    others.append(replace(asked, observed=(replace(OBSERVED[0], reward=4.2701), OBSERVED[1])))
    assert len({question.key for question in (asked, *others)}) == len(others) + 1


def test_of_very_many_points_the_front_and_some_others_are_asked_about():
    draw = np.random.default_rng(0)
    alphas = [tuple(row) for row in draw.integers(0, 101, size=(MOST + 50, 3)) / 100]
    results = [
        {"reward": made.mean(np.full(4, r)), "t": made.mean(np.full(4, a), "t")} for r, a in draw.normal(size=(len(alphas), 2))
    ]
    points = made.points(results, {"t": ["t"]}, alphas)
    partition = points[0].recipe.partition
    asked = predicting(points, partition)
    assert len(asked.observed) == MOST
    assert {point.recipe.alphas for point in front(points)} <= {o.alphas for o in asked.observed}
    assert predicting(points[::-1], partition).key == asked.key
    assert len(predicting(points[:MOST], partition).observed) == MOST
