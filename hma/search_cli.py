"""``python -m hma search``: alphas asked for one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console

from hma import options, report, searching, text
from hma.board import Board
from hma.comparing import Budget
from hma.core.question import Reply
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.core.survey import Survey
from hma.engine import Engine, Job
from hma.measuring import measured, watched
from hma.methods.fitting import can_survey
from hma.store import Store
from hma.verb import verb


@verb
def search(
    budget: Annotated[int, typer.Option(help="Points to measure, both ends among them unless these are measured.")] = 25,
    search_seed: Annotated[int, typer.Option(help="What the search starts from.", min=0)] = 0,
    survey: Annotated[
        bool | None,
        typer.Option(
            help="First see how likely merges find the policy's answers and the reference's own to task prompts: no labels, "
            "and a better front. Done where the suite has training prompts, unless refused.",
            show_default=False,
        ),
    ] = None,
    *,
    blocks: options.BlockOptions,
    chosen: options.StudyOptions,
    as_json: options.AsJson = False,
) -> None:
    """Search the front over block alphas: Gaussian processes say where a point would add most hypervolume.

    It learns from every point that the store has of the study. Interrupted, it goes on when run again. What it finds was chosen
    on these items: report it on test items.
    """
    study = chosen.study()
    opened, spent = chosen.open_store(), Budget(budget, blocks.partition(study.num_layers), search_seed)
    surveyed, why = _is_surveyed(opened, study, spent, survey)
    spent = replace(spent, survey=surveyed)
    with Engine(opened) as engine:

        def measure(recipes: Sequence[Recipe]) -> None:
            measured(engine, study, recipes, spent.search, as_json)

        replies: list[Reply] = []

        def wait(job: Job) -> Job:
            return watched(engine, job, as_json) if job.survey else engine.wait(job.id)

        recipes = searching.run(engine, study, spent, measure, wait, learns=True, tell=replies.append)
    points = [point for recipe in recipes if (point := opened.point(study.point_key(recipe), study.num_items))]
    if as_json:
        turns = [reply.to_dict() for reply in replies]
        found = {"items": report.items_dict(study), "survey": surveyed, "points": [point.to_dict() for point in points]}
        report.print_json(found | {"replies": turns})
        return
    report.print_points(study, points, Board.read(opened, study).reference)
    console = Console(highlight=False, soft_wrap=True)
    console.print(why.format(Survey(spent.partition).num_merges))
    console.print(text.advice(replies, spent.partition.block_names()))
    if study.split == "validation":
        console.print(
            f"These alphas were chosen on the {text.items(study)}: what is best among them was lucky there, too. Measure those "
            "that you choose with --split test."
        )


def _is_surveyed(store: Store, study: Study, spent: Budget, wanted: bool | None) -> tuple[bool, str]:
    """Whether a search has a survey, and why, to be said: what was asked for, else what it began with, else where it can."""
    told = (
        "A survey came first: how likely {} merges find the policy's answers and the reference's own to task prompts, which the "
        "paper's HMA does not use. No labels."
    )
    if wanted is not None:
        return wanted, told if wanted else "No survey came first, as was asked for."
    if searching.is_begun(store, study, spent) and not searching.is_begun(store, study, replace(spent, survey=True)):
        return False, "No survey came first: this search was begun without one. For another, with one: --survey."
    if can_survey(study):
        return True, told
    return False, "No survey came first: the suite has no training prompts that its first reward could judge answers to."
