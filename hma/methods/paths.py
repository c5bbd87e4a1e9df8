"""Alphas by rule: on a path from the policy to the reference, and at random."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hma.core.alphas import DIGITS, Alphas, ladder
from hma.core.omega import rounded
from hma.errors import AlphasError


def between(stops: Sequence[Sequence[float]], mean: float) -> Alphas:
    """The alphas of this mean on the way from the policy over ``stops`` to the reference, straight from each to the next.

    Stops are alphas of one partition, in any order: they are passed by rising mean.
    """
    num_blocks = len(stops[0]) if stops else 1
    passed = np.array([np.zeros(num_blocks), *sorted(map(tuple, stops), key=lambda a: (sum(a), a)), np.ones(num_blocks)])
    means = passed.mean(axis=1)
    rising = np.concatenate([[True], np.diff(means) > 1e-9])
    passed, means = passed[rising], means[rising]
    found = [np.interp(mean, means, column) for column in passed.T]
    return rounded(np.clip(found, 0, 1), DIGITS)


def offsets(text: str, num_blocks: int | None = None) -> Alphas:
    """The differences of ``0|0|-0.1``, one a block. Raises AlphasError for what is no such list, or of another length."""
    try:
        found = tuple(float(part) for part in text.split("|"))
    except ValueError:
        raise AlphasError(f"'{text}' is no list of differences. Write one number a block: offset:0|0|-0.1.") from None
    if not all(map(math.isfinite, found)):
        raise AlphasError(f"'{text}' has a difference that is no finite number. Write one a block: offset:0|0|-0.1.")
    if num_blocks is not None and len(found) != num_blocks:
        raise AlphasError(f"'{text}' has {len(found)} differences, and there are {num_blocks} blocks. Write one for each.")
    return found


def moved(mean: float, differences: Sequence[float]) -> Alphas:
    """Model averaging with a difference in each block, within [0, 1]; both ends are the ends themselves."""
    if mean in (0.0, 1.0):
        return (mean,) * len(differences)
    return tuple(round(min(1.0, max(0.0, mean + difference)), DIGITS) for difference in differences)


def means(count: int) -> tuple[float, ...]:
    """``count`` mean alphas from 0 to 1, both ends included: where on a path a budget of so many points goes."""
    return ladder(count)


def next_mean(measured: Sequence[tuple[float, float, float]]) -> float:
    """Where to measure next on a path of which (mean, reward, ability) are known at some means, both ends among them.

    In the middle of the two neighbours between whose points most of the chart's box lies open: a point there may add
    up to that area to the front.
    """
    rows = sorted(measured)
    if len(rows) < 2 or rows[0][0] != 0 or rows[-1][0] != 1:
        raise ValueError("a path is known at both its ends first")
    values = np.array([[reward, ability] for _, reward, ability in rows])
    spans = np.ptp(values, axis=0)
    scaled = values / np.where(spans > 0, spans, 1)
    steps = np.abs(np.diff(scaled, axis=0))
    # A neighbour that lies level on one axis leaves no area, and still hides how the path runs between.
    open_area = (steps[:, 0] + 0.02) * (steps[:, 1] + 0.02) * np.minimum(1, np.diff([m for m, *_ in rows]) / 0.02)
    place = int(open_area.argmax())
    return round((rows[place][0] + rows[place + 1][0]) / 2, DIGITS)


def at_random(num_blocks: int, count: int, seed: int) -> list[Alphas]:
    """``count`` alphas: both ends, and others drawn evenly from the cube, to hundredths."""
    draw = np.random.default_rng(seed).integers(0, 101, size=(max(0, count - 2), num_blocks)) / 100
    return [(0.0,) * num_blocks, (1.0,) * num_blocks, *(tuple(round(float(a), DIGITS) for a in row) for row in draw)]
