"""What searches reach on a made-up surface like the miniature's: ``python -m hma.bench.surface``, with nothing measured.

The surface is what a surrogate of the shipped validation points predicts. Items give every merge a standard error as the
shipped points have it, of which near neighbours share most, since they answer alike: the variance of a difference is 0.3 of
the sum of both at 0.1 apart, and 0.7 at 0.65. Validation and test items are two draws. As in ``bench search``, fronts are
chosen on validation items and scored on test items, over what the whole grid's front comes to.
"""

from __future__ import annotations

import functools
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import moocore
import numpy as np

from hma.bench.search import Alphas
from hma.core.alphas import grid, ladder
from hma.core.front import Corner, unbeaten
from hma.core.observation import Observation
from hma.core.question import observations
from hma.core.surrogate import Predictor
from hma.searching import turns
from hma.store import Store
from hma.study import SHIPPED, open_study

STEPS, BUDGET = 11, 25
OWN, REACH = 0.2, 0.6
"""The share of a merge's variance that no other has; of the rest, the correlation falls as exp(-distance / REACH)."""

Surface = dict[Alphas, tuple[float, float]]


@functools.cache
def _shipped() -> Predictor:
    """What the shipped validation points predict."""
    from hma.methods.search import fitted  # Brings torch.

    with tempfile.TemporaryDirectory() as folder:
        store, study = Store(Path(folder) / "points.sqlite"), open_study(size="quick")
        store.take_in(SHIPPED / "points.sqlite")
        return fitted(observations(store.points(study), study.partition())).predictor


def drawn(seed: int) -> tuple[Surface, Surface, tuple[float, float]]:
    """Validation and test values (reward, ability) of every merge of the grid, and the standard errors."""
    predictor = _shipped()
    places = np.array(grid(STEPS, 3))
    means, errors = predictor.predict(places)[0], predictor.noise
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    factor = np.linalg.cholesky((1 - OWN) * np.exp(-apart / REACH) + OWN * np.eye(len(places)))
    draw = np.random.default_rng(seed)
    split = [means + factor @ draw.normal(size=means.shape) * errors for _ in range(2)]
    return *(dict(zip(grid(STEPS, 3), map(tuple, values.tolist()), strict=True)) for values in split), tuple(errors.tolist())


def area(surface: Surface, alphas: Sequence[Alphas]) -> float:
    """The hypervolume of these merges over the corner of the ends."""
    corner = Corner.below([surface[(0.0,) * 3], surface[(1.0,) * 3]])
    return moocore.hypervolume(np.array([surface[a] for a in alphas]), ref=[corner.reward, corner.ability], maximise=True)


def chosen(surface: Surface, alphas: Sequence[Alphas]) -> list[Alphas]:
    """Those on the front of these merges."""
    kept = unbeaten(np.array([surface[a] for a in alphas]))
    return [a for a, keep in zip(alphas, kept, strict=True) if keep]


def best(surface: Surface) -> list[Alphas]:
    """As many merges as a search measures, both ends among them, that hold most of the grid's hypervolume, picked greedily."""
    left, picked = chosen(surface, list(surface)), [(0.0,) * 3, (1.0,) * 3]
    while left and len(picked) < BUDGET:
        picked.append(max(left, key=lambda a: area(surface, [*picked, a])))
        left.remove(picked[-1])
    return picked


def searched(validation: Surface, errors: tuple[float, float], seed: int, share: float) -> list[Alphas]:
    """The merges of a search to which so large a share of the items' own variance is told as noise."""

    from hma.methods.search import replied  # Brings torch.

    def known(own: Sequence[Alphas]) -> list[Observation]:
        reward, ability = (share * error**2 for error in errors)
        return [Observation(a, validation[a][0], reward, validation[a][1], ability) for a in own]

    return [a for turn in turns(3, BUDGET, replied, known, seed, STEPS) for a in turn.reply.alphas]


def main(seeds: int = 3, shares: Sequence[float] = (1.0, 0.3)) -> None:
    ways: dict[str, Callable] = {
        f"search, {share:g} of own variance": lambda *a, share=share: searched(*a, share) for share in shares
    }
    ways["MA"] = lambda validation, errors, seed: [(alpha,) * 3 for alpha in ladder(STEPS)]
    ways["the best of the grid's front, if one knew"] = lambda validation, errors, seed: best(validation)
    for seed in range(seeds):
        validation, test, errors = drawn(seed)
        dense = list(validation)
        whole = [area(validation, dense), area(test, chosen(validation, dense))]
        for name, way in ways.items():
            before, found = time.process_time(), way(validation, errors, seed)
            there, here = area(validation, found) / whole[0], area(test, chosen(validation, found)) / whole[1]
            took = time.process_time() - before
            print(f"seed {seed}, {name}: {there:.1%} on validation, {here:.1%} on test items; {took:.0f} s", flush=True)


if __name__ == "__main__":
    main(*(int(n) for n in sys.argv[1:]))
