"""Surveys done: merges all over the cube, and how unlikely each finds both sides' texts. Brings torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch.quasirandom import SobolEngine

from hma.checkpoints.live import LiveModel
from hma.core.alphas import DIGITS, Alphas
from hma.core.recipe import Recipe
from hma.core.survey import Survey, Surveyed
from hma.errors import FitError
from hma.methods.objective import Likelihood
from hma.methods.texts import Text


def merges(survey: Survey) -> list[Alphas]:
    """Both ends, the policy first, and a scrambled Sobol sequence: the alphas that are surveyed, in their order."""
    num_blocks, rest = survey.partition.num_blocks, survey.num_merges - 2
    drawn = SobolEngine(num_blocks, scramble=True, seed=survey.seed).draw(rest, dtype=torch.float64)
    return [(0.0,) * num_blocks, (1.0,) * num_blocks, *(tuple(round(a, DIGITS) for a in row) for row in drawn.tolist())]


def surveyed(
    survey: Survey,
    live: LiveModel,
    texts: Sequence[Sequence[Text]],
    begun: Surveyed | None,
    keep: Callable[[Surveyed], object],
    progress: Callable[[int, int], object],
) -> Surveyed:
    """The whole survey of both sides' texts, from where it was ``begun``; ``keep`` is told of it after each merge.

    Raises FitError where a likelihood is no number.
    """
    vocabulary, precision = live.model.config.get_text_config().vocab_size, live.fine
    sides = [Likelihood(some, False, vocabulary) for some in texts]
    found, wanted = list(begun.values) if begun else [], merges(survey)
    for place in range(len(found), len(wanted)):
        progress(place, len(wanted))
        live.write(Recipe(survey.partition, wanted[place], precision))
        policys, references = (side.value(live.model) for side in sides)
        if not math.isfinite(policys + references):
            raise FitError(
                f"The likelihood of the texts is no number at alphas {', '.join(f'{a:.3g}' for a in wanted[place])}. The "
                "checkpoints may be broken, or need another dtype."
            )
        found.append((policys, references))
        keep(Surveyed(tuple(wanted[: len(found)]), tuple(found)))
    return Surveyed(tuple(wanted), tuple(found))
