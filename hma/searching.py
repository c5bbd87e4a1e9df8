"""Searches: alphas asked for one after the other, by what the points measured so far say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hma.comparing import Budget
from hma.core.alphas import Alphas
from hma.core.observation import Observation
from hma.core.question import LADDER, Question, Reply, observations, predicting, spread_first
from hma.core.recipe import Recipe, digest
from hma.core.study import Study
from hma.core.survey import SURVEY, Survey, Surveyed
from hma.engine import SWEEP, Engine, Job
from hma.errors import Cancelled, MeasureError, Refused
from hma.store import Store

SEARCHED = "search"
"""The kind of what is kept of a search that learns from other points: its replies in their order, each as ``Reply.to_dict``."""

WITHOUT = "--no-survey on the command line, or the switch on the page"
"""How a search is had without a survey."""

Measure = Callable[[Sequence[Recipe]], object]
Wait = Callable[[Job], Job]
"""A question's job to the same once it is over."""
Known = Callable[[Sequence[Alphas]], Sequence[Observation]]
"""What is observed by the time that a search's own alphas are measured: these, and what else it may learn from."""


@dataclass(frozen=True)
class Turn:
    """One turn of a search: a reply, whose alphas are to be measured before the next turn, and the seconds it took to come."""

    reply: Reply
    seconds: float


def turns(
    num_blocks: int,
    points: int,
    ask: Callable[[Question], Reply],
    known: Known,
    seed: int = 0,
    steps: int = LADDER,
    begun: Sequence[Reply] = (),
    surveyed: Surveyed | None = None,
) -> Iterator[Turn]:
    """The turns of a search of so many points, one point a turn; fewer where the ladder has no more.

    Whoever takes the next turn has measured what the last one asked for. ``begun`` are replies that came before, and are not
    asked for again. What was ``surveyed`` goes with every question.
    """
    start = spread_first(num_blocks, surveyed is not None)
    own: list[Alphas] = []
    while len(own) < points:
        if len(own) < len(begun):
            turn = Turn(begun[len(own)], 0.0)
        else:
            question = Question(tuple(known(own)), num_blocks, start, 1, seed, steps, surveyed)
            before = time.perf_counter()
            turn = Turn(ask(question), time.perf_counter() - before)
        if not turn.reply.alphas:
            return
        yield turn
        own += turn.reply.alphas


def run(
    engine: Engine,
    study: Study,
    budget: Budget,
    measure: Measure,
    wait: Wait | None = None,
    *,
    learns: bool = False,
    tell: Callable[[Reply], object] | None = None,
) -> list[Recipe]:
    """The recipes of a search of so many points, in the order they were asked for.

    By itself it knows its own points only, both ends among them: so it is compared at equal budgets. Where it ``learns``, it
    knows all that is measured of the study, and spends its points beside these.

    Where its budget has a ``survey``, that comes first: texts of both sides, and how unlikely merges find them, all of it kept.

    Interrupted and run again, it goes on where it was, and comes to the same points: alone, since each question depends on its
    own points and the seed; where it learns, since its replies are kept in the store. So does one with a larger budget.
    ``wait`` is how it waits for an answer, and ``tell`` is told each before it is measured. Raises MeasureError for a question
    that could not be answered, or a survey that could not be made.
    """
    partition, store, key = budget.partition, engine.store, _key(study, budget)
    kept = store.kept([key]).get(key, []) if learns else []

    def ask(question: Question) -> Reply:
        reply = _asked(engine, study, question, wait)
        if learns and reply.alphas:
            kept.append(reply.to_dict())
            store.keep(SEARCHED, key, kept)
        return reply

    def known(own: Sequence[Alphas]) -> Sequence[Observation]:
        mine = [_observed(store, study, Recipe(partition, alphas)) for alphas in own]
        others = observations(store.points(study), partition) if learns else ()
        return list({one.alphas: one for one in (*others, *mine)}.values())

    recipes: list[Recipe] = []
    begun = [Reply.from_dict(data) for data in kept]
    is_asked = budget.survey and len(begun) < budget.points
    surveyed = _surveyed(engine, study, Survey(partition, budget.seed), wait) if is_asked else None
    for turn in turns(partition.num_blocks, budget.points, ask, known, budget.seed, begun=begun, surveyed=surveyed):
        if tell:
            tell(turn.reply)
        recipes += (new := [Recipe(partition, alphas) for alphas in turn.reply.alphas])
        measure(new)
    return recipes


def is_begun(store: Store, study: Study, budget: Budget) -> bool:
    """Whether the store has replies of a search that learns, of any length."""
    return bool(store.kept([_key(study, budget)]))


def _key(study: Study, budget: Budget) -> str:
    """The name of a search that learns, whatever its budget."""
    survey = [SURVEY] if budget.survey else []
    return digest([SEARCHED, study.view, Recipe(budget.partition, (0.0,)).to_dict(), budget.seed, *survey])


def _asked(engine: Engine, study: Study, question: Question, wait: Wait | None) -> Reply:
    job = _over(engine, lambda: engine.ask(study, question, SWEEP), wait)
    assert isinstance(job.answer, Reply)
    return job.answer


def _surveyed(engine: Engine, study: Study, survey: Survey, wait: Wait | None) -> Surveyed:
    if (found := engine.surveyed(study, survey)) is not None:
        return found
    try:
        _over(engine, lambda: engine.survey(study, survey, SWEEP), wait)
    except Refused as error:
        raise Refused(f"No survey was made. {error} A search goes without one, too: {WITHOUT}.") from None
    found = engine.surveyed(study, survey)
    assert found is not None
    return found


def _over(engine: Engine, asking: Callable[[], Job], wait: Wait | None) -> Job:
    """A job once it is finished. Raises MeasureError, of which Refused and Cancelled are two."""
    try:
        asked = asking()
        job = wait(asked) if wait else engine.wait(asked.id)
    except KeyboardInterrupt:
        raise Cancelled("Stopped. Finished points are in the store; the same command goes on where it stopped.") from None
    if job.state != "finished":
        raise (Refused if job.refused else MeasureError)(job.message)
    return job


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
