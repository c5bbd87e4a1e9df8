"""The names of fits, of surveys, and of their texts, by which all are kept and found again; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hma.core import omega
from hma.core.alphas import DIGITS
from hma.core.descent import Step
from hma.core.fit import Fit
from hma.core.recipe import Recipe, digest
from hma.core.study import Study
from hma.core.survey import SURVEY, Survey
from hma.evaluate.chat import FILE
from hma.evaluate.suite import Suite, load_suite

TEXTS, DRAFT, STEPS = "texts", "draft", "steps"
"""Kinds of what is kept of fits: a list of texts, those of the first chunks while not all are written, and a list of steps."""

CHUNK = 128
"""Texts that are written, and then kept, at a time: a batch of answers."""

VERSION = 3
"""To be raised when fitting itself comes to give other alphas."""

_SURVEY_VERSION = 1
"""To be raised when surveys come to read other merges, or other numbers of them."""

_TEXTS_VERSION = 2
"""To be raised when other texts come to be written."""


def fitting_suite(study: Study) -> Suite:
    """The suite whose prompts and validation items may be fitted on, whatever the study's split and size."""
    return load_suite(study.suite_path, "validation", None, study.program)


def texts_keys(study: Study, fit: Fit) -> dict[str, str]:
    """The names of a fit's texts by their source: the same for the same pair, suite, training prompts and draw."""
    suite = fitting_suite(study)
    training = [[prompt.id, *prompt.turns] for prompt in suite.chat.training]
    return {s: digest([_TEXTS_VERSION, study.pair, suite.fingerprint, training, s, asdict(fit.draw)]) for s in fit.sources}


def draft_key(texts_key: str) -> str:
    """The name of what there is of a source's texts while they are being written; other chunks would be other texts."""
    return digest([texts_key, CHUNK])


def kept_keys(study: Study, fit: Fit) -> list[str]:
    """The names of all that may be kept of a fit."""
    texts = list(texts_keys(study, fit).values())
    return [fit_key(study, fit), *texts, *map(draft_key, texts)]


def fit_key(study: Study, fit: Fit) -> str:
    """A fit's name: the same for the same texts and settings.

    How many steps it may take does not count, since it can go on: ``steps_of`` cuts what is kept to what is asked.
    """
    return digest([VERSION, {**fit.to_dict(), "max_steps": None}, sorted(texts_keys(study, fit).values())])


def survey_key(study: Study, survey: Survey) -> str:
    """A survey's name: the same for the same texts, partition and places."""
    asked = [Recipe(survey.partition, (0.0,)).to_dict(), survey.num_merges, survey.seed]
    return digest([SURVEY, _SURVEY_VERSION, asked, sorted(texts_keys(study, survey.fit).values())])


def can_survey(study: Study) -> bool:
    """Whether the suite has what a survey's texts are made of: training prompts, a reward that can judge answers, abilities."""
    suite = fitting_suite(study)
    return bool(suite.chat.training and suite.abilities) and suite.chat.rewards[0].baseline != FILE


def kept_of_survey(study: Study, survey: Survey) -> list[str]:
    """The names of all that may be kept of a survey."""
    texts = list(texts_keys(study, survey.fit).values())
    return [survey_key(study, survey), *texts, *map(draft_key, texts)]


def kept_steps(value: list[dict] | None) -> list[Step]:
    """The steps that are kept of a fit."""
    return [Step.from_dict(step) for step in value or ()]


def steps_of(fit: Fit, value: list[dict] | None) -> list[Step]:
    """The steps of a fit up to the number that it may take, of what is kept of it: a fit of more may have gone further."""
    return kept_steps(value)[: fit.max_steps + 1]


def num_texts(study: Study, fit: Fit, kept: Mapping[str, Any]) -> dict[str, int]:
    """How many texts there are of each of a fit's sources, of what is kept under ``texts_keys``."""
    return {source: len(kept[key]) for source, key in texts_keys(study, fit).items() if key in kept}


def recipe_of(fit: Fit, last: Step) -> Recipe:
    """The merge of the alphas that a fit ended with, at the digits that a recipe has, with their mean kept."""
    return Recipe(fit.partition, omega.rounded(last.alphas, DIGITS))
