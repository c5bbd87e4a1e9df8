"""A search for the front over block alphas: where to measure next, so that the front's hypervolume grows. Brings torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import moocore
import numpy as np
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.utils import prune_inferior_points_multi_objective
from botorch.sampling import SobolQMCNormalSampler
from torch.quasirandom import SobolEngine

from hma.core.alphas import DIGITS, Alphas, ladder
from hma.core.front import Corner, unbeaten
from hma.core.observation import Observation
from hma.core.question import DIAGONAL, LADDER, Question, Reply
from hma.core.surrogate import Predictor, quantities
from hma.core.survey import Surveyed
from hma.methods.surrogate import Surrogate, fit, one_quiet_thread

INERT = 0.5
"""The alpha of a block that has no effect: as good as any, and as far from either end."""

logei._load_attempted = True
"""BoTorch would compile a kernel of its own at the first suggestion: 30 s with a C++ compiler, other roundings on every
machine, and whoever is killed meanwhile leaves a lock that each later search waits for without end."""

_SAMPLES = 32
"""Draws of the metrics at the points and a candidate, over which the improvement is averaged."""

_PRUNED_BY = 256
"""Draws of the metrics at the points; those on the front of none are left out. BoTorch's 2,048 take as long as all the rest."""

_CANDIDATES, _NEAR, _REACH, _EXPECTED = 512, 256, 0.15, 256
"""Candidates spread over the cube, those near the front's points, how far, as a standard deviation in alpha, and those on the
front that the surrogate expects."""

_LOOKED_AT = 10_000
"""Merges among which an expected front is looked for: all of a small ladder, or so many spread over the cube."""

_FRONT = 1000
"""Merges of a survey's front that are weighed against one another at most."""

_UNSHARED = 0.1
"""The share of a point's own variance that is told as its noise with a survey. Merges answer the same items, so that most of it
is shared, and a survey says so much of a merge that all of it would hide what is left to learn."""

_CLIMB = 12
"""Moves from the best candidate to a better neighbour, at most."""


@dataclass(frozen=True)
class Asked:
    """What to measure next, why (as in ``Reply``), and the surrogate that says so; None where too little is measured for one."""

    alphas: tuple[Alphas, ...]
    why: str
    surrogate: Surrogate | None = None


def design(num_blocks: int, count: int, seed: int = 0, steps: int = LADDER) -> list[Alphas]:
    """``count`` different alphas to begin with, on the ladder of ``steps``: both ends, up to three of MA, and the rest spread.

    The ends give the hypervolume its corner. MA is what every search has to beat, and shows the trend that all blocks share.
    The rest is a scrambled Sobol sequence, so that each block's alpha is tried evenly whatever the others do. A smaller
    count is the beginning of a larger. Fewer come back only where the ladder has no more.
    """
    if num_blocks < 1 or count < 2:
        raise ValueError(f"a design takes 1 block and 2 points at least, not {num_blocks} and {count}")
    fixed = [(alpha,) * num_blocks for alpha in (0.0, 1.0, *DIAGONAL)]
    found = dict.fromkeys(_on_ladder(np.array(fixed), steps))
    engine = SobolEngine(num_blocks, scramble=True, seed=seed)
    wanted = min(count, steps**num_blocks)
    while len(found) < wanted:
        found |= dict.fromkeys(_on_ladder(engine.draw(64, dtype=torch.float64).numpy(), steps))
    return list(found)[:wanted]


@functools.lru_cache(maxsize=8)
def design_after(surveyed: Surveyed, count: int, steps: int = LADDER) -> tuple[Alphas, ...]:
    """``count`` different alphas to begin with where a survey says what each side makes of all merges: ends, and its front.

    Of the merges that no other beats in both likelihoods, those that add most to the hypervolume of these, one after the other.
    A smaller count is the beginning of a larger. Where that front has no more, it goes on as ``design`` does.
    """
    survey, num_blocks = _of_survey(surveyed), len(surveyed.alphas[0])
    ends = [(0.0,) * num_blocks, (1.0,) * num_blocks]
    places = list(dict.fromkeys([*ends, *_all_over(num_blocks, steps)]))
    plane = -quantities(survey, np.array(places))  # Both to be high: unlikelihood is what a survey tells.
    worst, chosen = plane[:2].min(axis=0), [0, 1]
    left = [int(place) for place in np.flatnonzero(unbeaten(plane)) if place > 1]
    left = left[:: -(-len(left) // _FRONT)] if left else []
    while left and len(chosen) < count:
        gains = [moocore.hypervolume(plane[[*chosen, place]], ref=worst, maximise=True) for place in left]
        chosen.append(left.pop(int(np.argmax(gains))))
    found = dict.fromkeys(places[place] for place in chosen)
    return tuple(found | dict.fromkeys(design(num_blocks, 2 * count, steps=steps)))[:count]


@functools.lru_cache(maxsize=8)
def _all_over(num_blocks: int, steps: int) -> list[Alphas]:
    """All of a ladder, or where that is large as many alphas of it as are worth looking at, spread over the cube."""
    if steps**num_blocks <= _LOOKED_AT:
        places = np.stack(np.meshgrid(*[ladder(steps)] * num_blocks, indexing="ij"), axis=-1).reshape(-1, num_blocks)
    else:
        places = SobolEngine(num_blocks, scramble=True, seed=0).draw(_LOOKED_AT, dtype=torch.float64).numpy()
    return _on_ladder(places, steps)


@functools.lru_cache(maxsize=8)
def _of_survey(surveyed: Surveyed) -> Predictor:
    """What a survey says of all merges: its own numbers have no noise, since every merge reads the same texts."""
    return fit(surveyed.alphas, surveyed.values, np.zeros((len(surveyed.values), 2)).tolist()).predictor


def corner_at(observed: Sequence[Observation]) -> Corner | None:
    """The corner that the two ends make; None until both are measured."""
    ends = {o.alphas[0]: (o.reward, o.ability) for o in observed if set(o.alphas) in ({0.0}, {1.0})}
    return Corner.below(list(ends.values())) if len(ends) == 2 else None


def fitted(observed: Sequence[Observation], surveyed: Surveyed | None = None) -> Surrogate:
    """The surrogate of reward (metric 0) and ability (metric 1). Raises ValueError for too few observations."""
    return fit(
        [o.alphas for o in observed],
        [(o.reward, o.ability) for o in observed],
        [(o.reward_variance, o.ability_variance) for o in observed],
        *((_of_survey(surveyed), _UNSHARED) if surveyed else ()),
    )


def suggest(
    surrogate: Surrogate, observed: Sequence[Observation], corner: Corner, num: int = 1, seed: int = 0, steps: int = LADDER
) -> list[Alphas]:
    """The ``num`` alphas, not measured yet, that promise to add most hypervolume, the best first.

    By noisy expected hypervolume improvement (Daulton et al. 2021; its logarithm, Ament et al. 2023), each after the first
    as if those before it had been measured. All of the ladder is scored where it is small; else candidates spread over the
    cube and around the front, and from the best of them its neighbours, one step of one block away, while one is better.
    Blocks without effect stay at ``INERT``, unless none has any. Fewer come back only where the ladder has no more.
    """
    taken = {o.alphas for o in observed}
    found: list[Alphas] = []
    with one_quiet_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # BoTorch draws a seed of its own where it prunes the points.
        worth = _worth(surrogate, observed, corner, seed)
        candidates, is_all = _candidates(surrogate, observed, seed, steps)
        for _ in range(num):
            left = [alphas for alphas in candidates if alphas not in taken]
            if not left:
                break
            scores = worth(left, found)
            best, score = left[int(scores.argmax())], float(scores.max())
            for _ in range(0 if is_all else _CLIMB):
                near = [alphas for alphas in _neighbours(best, _pinned(surrogate), steps) if alphas not in taken]
                scores = worth(near, found) if near else np.array([-np.inf])
                if scores.max() <= score:
                    break
                best, score = near[int(scores.argmax())], float(scores.max())
            found.append(best)
            taken.add(best)
    return found


def ask(
    observed: Sequence[Observation],
    num_blocks: int,
    start: int,
    num: int = 1,
    seed: int = 0,
    steps: int = LADDER,
    surveyed: Surveyed | None = None,
) -> Asked:
    """What to measure next: a function of the points measured so far, in whatever order, the seed, and what was surveyed.

    First what is missing of the design of ``start`` points; points measured elsewhere off the MA line take the places of
    its last, but never of the ends. Then the surrogate's suggestions, or more of the design while it does not know.
    """
    for observation in observed:
        if len(observation.alphas) != num_blocks:
            raise ValueError(f"an observation has {len(observation.alphas)} alphas, and {num_blocks} blocks are searched")
    taken = {o.alphas for o in observed}
    wanted = design_after(surveyed, start, steps) if surveyed else design(num_blocks, start, seed, steps)
    others = sum(len(set(alphas)) > 1 for alphas in taken.difference(wanted))
    missing = [a for place, a in enumerate(wanted) if a not in taken and (place < 2 or place < start - others)]
    if missing:
        return Asked(tuple(missing[:num]), "start")
    surrogate, corner = fitted(observed, surveyed) if len(taken) >= start else None, corner_at(observed)
    if surrogate is not None and corner is not None and surrogate.knows:
        return Asked(tuple(suggest(surrogate, observed, corner, num, seed + len(taken), steps)), "front", surrogate)
    more = (a for a in design(num_blocks, len(taken) + start + num, seed, steps) if a not in taken)
    return Asked(tuple(a for a, _ in zip(more, range(num), strict=False)), "spread", surrogate)


def _worth(
    surrogate: Surrogate, observed: Sequence[Observation], corner: Corner, seed: int
) -> Callable[[Sequence[Alphas], Sequence[Alphas]], np.ndarray]:
    """A function of candidates, and of what is going to be measured besides, to the logarithm of each one's improvement."""
    centre, spread = surrogate.predictor.standardisation
    worst = torch.tensor((np.array([corner.reward, corner.ability]) - centre) / spread)
    baseline = prune_inferior_points_multi_objective(
        surrogate.model,
        surrogate.inputs(sorted({o.alphas for o in observed})),
        worst,
        num_samples=_PRUNED_BY,
    )
    acquisition = logei.qLogNoisyExpectedHypervolumeImprovement(
        surrogate.model,
        ref_point=worst.tolist(),
        X_baseline=baseline,
        sampler=SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=seed),
        prune_baseline=False,  # It is, by fewer draws.
    )

    def worth(candidates: Sequence[Alphas], pending: Sequence[Alphas]) -> np.ndarray:
        acquisition.set_X_pending(surrogate.inputs(pending) if pending else None)
        with torch.no_grad():
            return acquisition(surrogate.inputs(candidates)[:, None]).numpy()

    return worth


def _candidates(surrogate: Surrogate, observed: Sequence[Observation], seed: int, steps: int) -> tuple[list[Alphas], bool]:
    """Alphas on the ladder that may be suggested, and whether these are all that there are."""
    num_blocks, pinned = len(observed[0].alphas), _pinned(surrogate)
    free = [block for block in range(num_blocks) if block not in pinned]
    is_all = steps ** len(free) <= _CANDIDATES + _NEAR + 1000
    if is_all:
        spread = np.stack(np.meshgrid(*[ladder(steps)] * len(free), indexing="ij"), axis=-1).reshape(-1, len(free))
        found = np.full((len(spread), num_blocks), INERT)
        found[:, free] = spread
    else:
        drawn = SobolEngine(num_blocks, scramble=True, seed=seed).draw(_CANDIDATES, dtype=torch.float64).numpy()
        members = unbeaten(np.array([(o.reward, o.ability) for o in observed]))
        best = np.array(sorted(o.alphas for o, is_member in zip(observed, members, strict=True) if is_member))
        random = np.random.default_rng(seed)
        near = best[random.integers(len(best), size=_NEAR)]
        moved = random.random(near.shape) < max(0.5, 1 / len(free))
        near = np.clip(near + moved * random.normal(0, _REACH, near.shape), 0, 1)
        places = np.array(_all_over(num_blocks, steps))
        expected = places[unbeaten(surrogate.predictor.means(places))]
        if len(expected) > _EXPECTED:
            expected = expected[random.choice(len(expected), _EXPECTED, replace=False)]
        found = np.concatenate([drawn, near, expected])
        found[:, list(pinned)] = INERT
    return list(dict.fromkeys(_on_ladder(found, steps, pinned))), is_all


def _pinned(surrogate: Surrogate) -> tuple[int, ...]:
    """The blocks that are not searched: those without effect, but none where that is all of them."""
    return surrogate.inert if len(surrogate.inert) < surrogate.predictor.alphas.shape[1] else ()


def _neighbours(alphas: Alphas, inert: Sequence[int], steps: int) -> list[Alphas]:
    """What lies one step of the ladder away in one block."""
    found = []
    for block in set(range(len(alphas))) - set(inert):
        for step in (-1, 1):
            moved = np.array(alphas)
            moved[block] += step / (steps - 1)
            if -1e-9 <= moved[block] <= 1 + 1e-9:
                found += _on_ladder(moved[None], steps, inert)
    return found


def _on_ladder(alphas: np.ndarray, steps: int, inert: Sequence[int] = ()) -> list[Alphas]:
    """Rows of alphas, each at its nearest step of the ladder, but for blocks without effect."""
    near = np.round(np.round(np.clip(alphas, 0, 1) * (steps - 1)) / (steps - 1), DIGITS) + 0.0
    near[:, list(inert)] = alphas[:, list(inert)]
    return [tuple(row) for row in near.tolist()]


def replied(question: Question) -> Reply:
    """What a question comes to; with ``num`` 0 only what the points predict. Raises ValueError for alphas of other blocks."""
    observed = question.observed
    if question.num:
        asked = ask(observed, question.num_blocks, question.start, question.num, question.seed, question.steps, question.surveyed)
    else:
        asked = Asked((), "", fitted(observed) if len(observed) >= question.start else None)
    surrogate = asked.surrogate
    if surrogate is None:
        return Reply(asked.alphas, asked.why)
    predictor = surrogate.to_arrays() if surrogate.knows else None
    return Reply(asked.alphas, asked.why, predictor, tuple(surrogate.leave_one_out.relative_rmse.tolist()), surrogate.inert)
