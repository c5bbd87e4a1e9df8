"""The robust tax: the tax where the tasks that lose most count for more than in the mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hma.core import statistics
from hma.core.difference import difference_samples
from hma.core.statistics import Result

_HALVINGS = 60
_TAU = np.log(1e12)
"""Temperatures from 1e-12 to 1e12 times the range of the taxes are looked among; so many halvings find one to the last digit."""


@dataclass(frozen=True)
class RobustTax:
    """The tax under the worst weights of the tasks at one ``rho``, in points, with its 95 % interval and these weights."""

    rho: float
    value: float
    low: float
    high: float
    weights: Mapping[str, float]


def robust_tax(
    reference: Mapping[str, Result], point: Mapping[str, Result], groups: Mapping[str, Sequence[str]], rho: float
) -> RobustTax:
    """Tax_rho of a point, from its and the reference's per-item results.

    ``sup over w with KL(w | mean) <= rho of sum w_j tax_j``, where ``mean`` are the weights that tasks have in the mean
    over ``groups`` (equal ones where all groups are of one size): rho 0 is the tax itself, and from ``most(groups)`` on
    it is the worst task's. It is the adversarial weighting of tasks of Mao et al. 2021 (Bandit-based multi-task
    learning) on points as they are measured, not in training. Each resample of the items has worst weights of its own,
    and the interval is mirrored, since the worst of several looks worse than it is; at rho 0, where nothing is picked, it is
    the mean tax's own.
    """
    mean = mean_weights(groups)
    drawn = difference_samples(reference, point, groups)
    taxes = np.array([statistics.value(reference[task]) - statistics.value(point[task]) for task in mean])
    samples = np.stack([drawn[task] for task in mean], axis=1)
    base = np.array(list(mean.values()))
    value, weights = worst(taxes, rho, base)
    drawn_values = worst(samples, rho, base)[0]
    low, high = statistics.mirrored_interval(float(value), drawn_values) if rho > 0 else statistics.interval(drawn_values)
    return RobustTax(rho, float(value), low, high, dict(zip(mean, map(float, weights), strict=True)))


def mean_weights(groups: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The weight of each task in the mean over groups of the mean over their tasks."""
    return {task: 1 / (len(groups) * len(tasks)) for tasks in groups.values() for task in tasks}


def most(groups: Mapping[str, Sequence[str]]) -> float:
    """The rho from which only the worst task counts, whichever it is: log of the number of tasks where all weigh alike."""
    return float(-np.log(min(mean_weights(groups).values())))


def worst(taxes: np.ndarray, rho: float, base: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The largest weighted mean of ``taxes`` ``(..., num_tasks)`` over weights within ``rho`` of ``base``, and the weights.

    ``base`` is uniform by default. By the dual, ``min over tau > 0 of tau rho + tau log sum base_j exp(tax_j / tau)``:
    where its slope in tau is zero, the weights base_j exp(tax_j / tau) are rho from the base, so tau is found by
    bisection and the mean under these weights is the value. Raises ValueError unless rho >= 0.
    """
    if not rho >= 0:
        raise ValueError(f"rho is {rho}, must be 0 or more")
    taxes = np.asarray(taxes, dtype=np.float64)
    base = np.full(taxes.shape[-1], 1 / taxes.shape[-1]) if base is None else base
    top = taxes.max(axis=-1, keepdims=True)
    spread = np.ptp(taxes, axis=-1, keepdims=True)
    below = (taxes - top) / np.where(spread > 0, spread, 1.0)  # In -1..0, so that no exponential overflows.
    low, high = np.full(top.shape, -_TAU), np.full(top.shape, _TAU)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        too_far = _tilted(below, middle, base)[1] > rho
        low, high = np.where(too_far, middle, low), np.where(too_far, high, middle)
    weights, _ = _tilted(below, high, base)
    at_top = base * (taxes == top)
    share = at_top.sum(axis=-1, keepdims=True)
    weights = np.where(rho >= -np.log(share), at_top / share, weights if rho > 0 else base)
    value = np.clip((weights * taxes).sum(axis=-1), (base * taxes).sum(axis=-1), top[..., 0])
    return value, weights


def _tilted(below: np.ndarray, log_tau: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights base_j exp(below_j / tau), summing to 1, and their Kullback-Leibler divergence from the base."""
    steep = below / np.exp(log_tau)
    raised = base * np.exp(steep)
    total = raised.sum(axis=-1, keepdims=True)
    weights = raised / total
    return weights, (weights * steep).sum(axis=-1, keepdims=True) - np.log(total)
