"""What a fitted surrogate predicts: Gaussian processes over block alphas, from plain arrays. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

FEWEST = 4
"""Points that a fit takes at least: fewer say nothing of how it errs."""

LEAST_NOISE = 1e-6
"""Variances below this share of a metric's spread, squared, count as this: two points at one place stay solvable."""

BAND = 1.96
"""Standard deviations on either side of a prediction that make its 95 % band."""

_ROOT5 = np.sqrt(5.0)


@dataclass(frozen=True)
class LeaveOneOut:
    """How each metric of each point is predicted from all the others, in the metrics' own units: arrays ``(n, M)``.

    ``means`` and ``deviations`` are of what would be measured there: item noise, or of a predictor with a trend the trend's
    share of it, is part of the deviation. The kernel and the
    constant mean stay as fitted to all points.
    """

    values: np.ndarray
    means: np.ndarray
    deviations: np.ndarray

    @property
    def rmse(self) -> np.ndarray:
        """Root mean squared error, ``(M,)``."""
        return np.sqrt(((self.values - self.means) ** 2).mean(axis=0))

    @property
    def relative_rmse(self) -> np.ndarray:
        """``rmse`` over the standard deviation of the values, ``(M,)``: 0 is exact, about 1 is no better than the mean."""
        return self.rmse / self.values.std(axis=0, ddof=1)

    @property
    def coverage(self) -> np.ndarray:
        """The share of points within their 95 % band, ``(M,)``."""
        return (np.abs(self.values - self.means) <= BAND * self.deviations).mean(axis=0)


@dataclass(frozen=True)
class Predictor:
    """Gaussian processes over alphas, one a metric: a constant mean, a Matern-5/2 kernel, known item noise.

    For n points, K blocks and M metrics: ``alphas`` ``(n, K)``, ``values`` and their ``variances`` ``(n, M)`` in the metrics'
    own units; ``length_scales`` ``(M, K)`` in units of alpha; ``output_scales`` (variances) and ``constants`` (means), ``(M,)``,
    both of values less their mean over their standard deviation. Where there is a ``trend``, its kernel is added, and that over
    alphas is for what the trend leaves. All that is solved from these is solved when first asked for.
    """

    alphas: np.ndarray
    values: np.ndarray
    variances: np.ndarray
    length_scales: np.ndarray
    output_scales: np.ndarray
    constants: np.ndarray
    trend: Trend | None = None

    def __post_init__(self) -> None:
        _freeze(self, _ARRAYS)
        (num_points, num_blocks), num_metrics = self.alphas.shape, self.values.shape[-1]
        wanted = {
            "values": (num_points, num_metrics),
            "variances": (num_points, num_metrics),
            "length_scales": (num_metrics, num_blocks),
            "output_scales": (num_metrics,),
            "constants": (num_metrics,),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, must be {shape} beside alphas {self.alphas.shape}")

    def predict(self, alphas: Sequence[Sequence[float]] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations at ``alphas`` ``(m, K)``: two arrays ``(m, M)`` in the metrics' own units.

        Of what all of infinitely many items would say: the deviation holds no item noise of the new point.
        """
        means, deviations = [], []
        for metric, ((factor, weights), cross) in enumerate(zip(self._solved, self._cross(alphas), strict=True)):
            means.append(self.constants[metric] + cross.T @ weights)
            explained = (np.linalg.solve(factor, cross) ** 2).sum(axis=0)
            prior = self.output_scales[metric] + (self.trend.output_scales[metric] if self.trend else 0.0)
            deviations.append(np.sqrt(np.maximum(prior - explained, 0.0)))
        centre, spread = self.standardisation
        return centre + spread * np.stack(means, axis=1), spread * np.stack(deviations, axis=1)

    def means(self, alphas: Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
        """The first of the two that ``predict`` returns, in a third of the time."""
        pairs = zip(self._solved, self._cross(alphas), strict=True)
        found = [constant + cross.T @ weights for constant, ((_, weights), cross) in zip(self.constants, pairs, strict=True)]
        centre, spread = self.standardisation
        return centre + spread * np.stack(found, axis=1)

    def _cross(self, alphas: Sequence[Sequence[float]] | np.ndarray) -> list[np.ndarray]:
        """For each metric the covariances between its points and ``alphas`` ``(m, K)``, ``(n, m)``. Raises ValueError."""
        asked = np.asarray(alphas, dtype=np.float64)
        if asked.ndim != 2 or asked.shape[1] != self.alphas.shape[1]:
            raise ValueError(f"alphas are of shape {asked.shape}, must be (any number, {self.alphas.shape[1]})")
        if not np.isfinite(asked).all():
            raise ValueError("alphas must be finite")
        told = quantities(self.trend.survey, asked) if self.trend else None
        return [self._kernel(metric, asked, told) for metric in range(len(self.constants))]

    @cached_property
    def standardisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Each metric's mean and standard deviation over the points, ``(M,)`` each."""
        return standardisation(self.values)

    @cached_property
    def leave_one_out(self) -> LeaveOneOut:
        """Every point as the others predict it, in closed form from the kernel matrix (Rasmussen and Williams, Eq. 5.12)."""
        means, deviations = (np.empty_like(self.values) for _ in range(2))
        _, spread = self.standardisation
        for metric, (factor, weights) in enumerate(self._solved):
            precision = (np.linalg.inv(factor) ** 2).sum(axis=0)
            means[:, metric] = self.values[:, metric] - spread[metric] * weights / precision
            deviations[:, metric] = spread[metric] / np.sqrt(precision)
        return LeaveOneOut(self.values, means, deviations)

    @cached_property
    def noise(self) -> np.ndarray:
        """A typical point's standard error of each metric, ``(M,)``: the root of the median variance."""
        return np.sqrt(np.median(self.variances, axis=0))

    def change(self, alphas: np.ndarray, steps: int = 5) -> np.ndarray:
        """How far a block's alpha alone, from 0 to 1 in ``steps``, moves each predicted mean: on average over ``alphas``.

        ``(M, K)``, largest less smallest, in the metrics' own units.
        """
        num_blocks = self.alphas.shape[1]
        moved = np.empty((len(self.constants), num_blocks))
        for block in range(num_blocks):
            asked = np.repeat(alphas[None], steps, axis=0)
            asked[:, :, block] = np.linspace(0, 1, steps)[:, None]
            means = self.means(asked.reshape(-1, num_blocks)).reshape(steps, len(alphas), -1)
            moved[:, block] = np.ptp(means, axis=0).mean(axis=0)
        return moved

    def change_together(self, alphas: np.ndarray, blocks: Sequence[int], steps: int = 5) -> np.ndarray:
        """How far these blocks' alphas together move each predicted mean, on average over ``alphas``: ``(M,)``.

        All go from one end to the other in ``steps``, each in its direction in which the metric rises, so that effects that
        run against one another do not make up for each other. As ``change`` for one block.
        """
        num_metrics, chosen = len(self.constants), list(blocks)
        ends = np.repeat(alphas[None], 2 * len(chosen), axis=0)
        for place, block in enumerate(chosen):
            ends[2 * place : 2 * place + 2, :, block] = np.array([[0.0], [1.0]])
        at_ends = self.means(ends.reshape(-1, alphas.shape[1])).reshape(len(chosen), 2, len(alphas), num_metrics)
        rises = (at_ends[:, 1] - at_ends[:, 0]).mean(axis=1) >= 0  # (len(blocks), M)
        walked, moved = np.linspace(0, 1, steps)[:, None], np.empty(num_metrics)
        for metric in range(num_metrics):
            asked = np.repeat(alphas[None], steps, axis=0)
            asked[:, :, chosen] = np.where(rises[:, metric], walked, 1 - walked)[:, None]
            means = self.means(asked.reshape(-1, alphas.shape[1]))[:, metric].reshape(steps, len(alphas))
            moved[metric] = np.ptp(means, axis=0).mean()
        return moved

    def to_dict(self) -> dict[str, Any]:
        """Lists of numbers, as JSON takes them."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return arrays | ({"trend": self.trend.to_dict()} if self.trend else {})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Predictor:
        """The inverse of ``to_dict``."""
        trend = data.get("trend")
        return cls(**{name: data[name] for name in _ARRAYS}, trend=Trend.from_dict(trend) if trend else None)

    @cached_property
    def _solved(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each metric the Cholesky factor of kernel and noise, ``(n, n)``, and the points' weights, ``(n,)``."""
        centre, spread = self.standardisation
        solved = []
        share = self.trend.noise_share if self.trend else 1.0
        for metric in range(len(self.constants)):
            noise = np.maximum(share * self.variances[:, metric] / spread[metric] ** 2, LEAST_NOISE)
            factor = np.linalg.cholesky(self._kernel(metric, self.alphas, self._told) + np.diag(noise))
            residual = (self.values[:, metric] - centre[metric]) / spread[metric] - self.constants[metric]
            solved.append((factor, np.linalg.solve(factor.T, np.linalg.solve(factor, residual))))
        return solved

    @cached_property
    def _told(self) -> np.ndarray | None:
        return quantities(self.trend.survey, self.alphas) if self.trend else None

    def _kernel(self, metric: int, asked: np.ndarray, told: np.ndarray | None) -> np.ndarray:
        """Covariances, standardised, between the points and ``asked`` ``(m, K)``, of which a trend ``told``: ``(n, m)``."""
        distance = _ROOT5 * np.sqrt(_apart(self.alphas, asked, self.length_scales[metric]))
        over_alphas = self.output_scales[metric] * (1 + distance + distance**2 / 3) * np.exp(-distance)
        return over_alphas + self.trend.kernel(metric, self._told, told) if self.trend else over_alphas


def _apart(ones: np.ndarray, others: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Squared distances between rows ``(n, D)`` and ``(m, D)``, in length scales ``(D,)``: ``(n, m)``."""
    return sum((a[:, None] - b[None]) ** 2 for a, b in zip((ones / scales).T, (others / scales).T, strict=True))


@dataclass(frozen=True)
class Trend:
    """What metrics have in common with two or more quantities that are known everywhere: an RBF kernel over these.

    ``survey`` predicts the quantities, Q of them, at any alphas; ``length_scales`` ``(M, Q)`` are in units of their ranges over
    what was surveyed, ``output_scales`` ``(M,)`` as those of ``Predictor``. ``noise_share`` is how much of the points' variances
    counts as noise beside it.
    """

    survey: Predictor
    length_scales: np.ndarray
    output_scales: np.ndarray
    noise_share: float = 1.0

    def __post_init__(self) -> None:
        _freeze(self, ("length_scales", "output_scales"))

    def kernel(self, metric: int, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Covariances of a metric between merges by their ``quantities``, ``(n, Q)`` and ``(m, Q)``: ``(n, m)``."""
        return self.output_scales[metric] * np.exp(-0.5 * _apart(ones, others, self.length_scales[metric]))

    def to_dict(self) -> dict[str, Any]:
        """Lists of numbers, as JSON takes them."""
        scales = {"length_scales": self.length_scales.tolist(), "output_scales": self.output_scales.tolist()}
        return {"survey": self.survey.to_dict(), **scales, "noise_share": self.noise_share}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Trend:
        """The inverse of ``to_dict``."""
        return cls(Predictor.from_dict(data["survey"]), data["length_scales"], data["output_scales"], data["noise_share"])


def quantities(survey: Predictor, alphas: np.ndarray) -> np.ndarray:
    """What a survey says of alphas ``(n, K)``: ``(n, Q)``, 0 and 1 being the ends of each quantity's range over its own."""
    lowest, span = survey.values.min(axis=0), np.ptp(survey.values, axis=0)
    return (survey.means(alphas) - lowest) / np.where(span > 0, span, 1.0)


_ARRAYS = tuple(field.name for field in fields(Predictor) if field.name != "trend")


def _freeze(made: Any, names: Sequence[str]) -> None:
    """Have these fields hold arrays of float64 that nobody can write on."""
    for name in names:
        array = np.array(getattr(made, name), dtype=np.float64)
        array.setflags(write=False)
        object.__setattr__(made, name, array)


def standardisation(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each column's mean and standard deviation (ddof 1); a constant column's deviation counts as 1."""
    spread = values.std(axis=0, ddof=1)
    return values.mean(axis=0), np.where(spread > 1e-12 * np.maximum(1.0, np.abs(values).max(axis=0)), spread, 1.0)
