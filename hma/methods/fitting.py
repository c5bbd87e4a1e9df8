"""The names of fits and of their texts, by which both are kept and found again; without torch."""

from __future__ import annotations

from dataclasses import asdict

from hma.core import omega
from hma.core.alphas import DIGITS
from hma.core.descent import Step
from hma.core.fit import Fit
from hma.core.recipe import Recipe, digest
from hma.core.study import Study
from hma.evaluate.suite import Suite, load_suite

TEXTS, STEPS = "texts", "steps"
"""Kinds of what is kept of fits: a list of texts, and a list of steps."""

VERSION = 2
"""To be raised when fitting itself comes to give other alphas."""


def fitting_suite(study: Study) -> Suite:
    """The suite whose prompts and validation items may be fitted on, whatever the study's split and size."""
    return load_suite(study.suite_path, "validation", None, study.program)


def texts_keys(study: Study, fit: Fit) -> dict[str, str]:
    """The names of a fit's texts by their source: the same for the same pair, suite, training prompts and draw."""
    suite = fitting_suite(study)
    training = [[prompt.id, *prompt.turns] for prompt in suite.chat.training]
    return {s: digest([VERSION, study.pair, suite.fingerprint, training, s, asdict(fit.draw)]) for s in fit.sources}


def fit_key(study: Study, fit: Fit) -> str:
    """A fit's name: the same for the same texts and settings. How many steps it may take does not count: it can go on."""
    return digest([VERSION, {**fit.to_dict(), "max_steps": None}, sorted(texts_keys(study, fit).values())])


def kept_steps(value: list[dict] | None) -> list[Step]:
    """The steps that are kept of a fit."""
    return [Step.from_dict(step) for step in value or ()]


def recipe_of(fit: Fit, last: Step) -> Recipe:
    """The merge of the alphas that a fit ended with, at the digits that a recipe has, with their mean kept."""
    return Recipe(fit.partition, omega.rounded(last.alphas, DIGITS))
