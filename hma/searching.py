"""Searches: alphas asked for one after the other, by what the points measured so far say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hma.comparing import Budget
from hma.core.observation import Observation
from hma.core.question import Question, Reply, predicting, spread_first
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import SWEEP, Engine, Job
from hma.errors import Cancelled, MeasureError, Refused
from hma.store import Store

Measure = Callable[[Sequence[Recipe]], object]
Wait = Callable[[Job], Job]
"""A question's job to the same once it is over."""


def run(engine: Engine, study: Study, budget: Budget, measure: Measure, wait: Wait | None = None) -> list[Recipe]:
    """The recipes of a search of so many points, both ends among them, in the order they were asked for.

    Each question depends on the points before it and the seed alone: run again, the search finds these in the store, asks
    the same, and goes on where it was. ``wait`` is how it waits for an answer. Raises MeasureError for a question that could
    not be answered.
    """
    recipes: list[Recipe] = []
    start = spread_first(budget.partition.num_blocks, budget.points)
    while len(recipes) < budget.points:
        observed = tuple(_observed(engine.store, study, made) for made in recipes)
        reply = _asked(engine, study, Question(observed, budget.partition.num_blocks, start, 1, budget.seed), wait)
        if not reply.alphas:
            break
        new = [Recipe(budget.partition, alphas) for alphas in reply.alphas]
        measure(new)
        recipes += new
    return recipes


def _asked(engine: Engine, study: Study, question: Question, wait: Wait | None) -> Reply:
    try:
        asked = engine.ask(study, question, SWEEP)
        job = wait(asked) if wait else engine.wait(asked.id)
    except KeyboardInterrupt:
        raise Cancelled("Stopped. Finished points are in the store; the same command goes on where it stopped.") from None
    if job.state != "finished":
        raise (Refused if job.refused else MeasureError)(job.message)
    assert isinstance(job.answer, Reply)
    return job.answer


def _observed(store: Store, study: Study, recipe: Recipe) -> Observation:
    point = store.point(study.point_key(recipe), study.num_items)
    assert point is not None
    return Observation.of(point, recipe.alphas)


def keep_predictors(engine: Engine, studies: Sequence[Study]) -> int:
    """Have what each study's points predict kept in the store, as the page asks for it; returns for how many there are enough."""
    questions = [(s, q) for s in studies if (q := predicting(engine.store.points(s), s.partition()))]
    for study, question in questions:
        _asked(engine, study, question, None)
    return len(questions)
