"""A surrogate of the metrics over block alphas: one Gaussian process each, fitted by BoTorch. Brings torch."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from botorch.exceptions.warnings import BotorchWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.kernels import AdditiveKernel, Kernel, MaternKernel, RBFKernel, ScaleKernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from linear_operator.utils.warnings import NumericalWarning

from hma.core.surrogate import BAND, FEWEST, LEAST_NOISE, LeaveOneOut, Predictor, Trend, quantities, standardisation
from hma.threads import one_thread

KNOWN = 0.7
"""Leave-one-out error over spread below which a metric is known; of pure noise it comes out between 0.64 and 1.07."""

LONG = 2.0
"""A length scale, in units of alpha, from which a block may be inert: across the whole range it leaves 0.83 of correlation."""

APART = BAND * math.sqrt(2)
"""Standard errors of one point by which two have to differ for their items to tell them apart."""

_ASKED = 64
"""Alphas, spread by a Sobol sequence, at which a block's effect is looked for beside the points."""

_DTYPE = torch.float64


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process a metric. ``model`` is BoTorch's, of standardised values; ``predictor`` says the same in numpy."""

    model: SingleTaskGP
    predictor: Predictor

    def inputs(self, alphas: Sequence[Sequence[float]] | np.ndarray) -> torch.Tensor:
        """Alphas ``(m, K)`` as ``model`` takes them: with what the survey says of them beside, where there is one."""
        trend = self.predictor.trend
        return _inputs(np.asarray(alphas, dtype=np.float64), trend.survey if trend else None)

    def predict(self, alphas: Sequence[Sequence[float]] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations at ``alphas`` ``(m, K)``, as ``Predictor.predict``: two arrays ``(m, M)``."""
        return self.predictor.predict(alphas)

    @property
    def leave_one_out(self) -> LeaveOneOut:
        """Each point as the others predict it."""
        return self.predictor.leave_one_out

    @property
    def knows(self) -> bool:
        """Whether every metric is predicted better than by its mean.

        The rule: left out one by one, the points are predicted with a root mean squared error below ``KNOWN`` of their
        standard deviation, for every metric: about half of the variance. To be better than the mean by any little is no
        sign, since hyperparameters are fitted to the point left out, too.
        """
        return bool((self.leave_one_out.relative_rmse < KNOWN).all())

    @cached_property
    def inert(self) -> tuple[int, ...]:
        """The blocks whose alpha has no effect, counted from 0.

        The rule: for every metric the block's length scale is ``LONG`` or more, and its whole range moves the predicted mean,
        on average over the cube, by less than ``APART`` standard errors of a typical point. So little must all of them
        together move it, too, for many small effects make a large one: until they do, the strongest of them counts as one with
        an effect. And so does one that moves it more than half as far as the weakest of those: equals share one fate. With a
        survey length scales say nothing of a block, since they are of what the survey leaves: what the block moves decides alone.
        """
        found = self.predictor
        sobol = torch.quasirandom.SobolEngine(found.alphas.shape[1], scramble=True, seed=0).draw(_ASKED, dtype=_DTYPE)
        asked = np.concatenate([found.alphas, sobol.numpy()])
        noise = np.maximum(found.noise, math.sqrt(LEAST_NOISE) * found.standardisation[1])
        moved = found.change(asked) / noise[:, None]
        is_long = (found.length_scales >= LONG) | (found.trend is not None)
        alone = (is_long & (moved < APART)).all(axis=0)
        strength = moved.max(axis=0)
        left = sorted(np.flatnonzero(alone), key=lambda block: strength[block])
        weakest = strength[~alone].min(initial=np.inf)
        while left:
            together = found.change_together(asked, left) / noise
            if (together < APART).all() and strength[left[-1]] <= weakest / 2:
                break
            weakest = min(weakest, strength[left.pop()])
        return tuple(sorted(int(block) for block in left))

    def to_arrays(self) -> dict[str, Any]:
        """What ``Predictor.from_dict`` takes: lists of numbers."""
        return self.predictor.to_dict()


def fit(
    alphas: Sequence[Sequence[float]],
    values: Sequence[Sequence[float]],
    variances: Sequence[Sequence[float]],
    survey: Predictor | None = None,
    noise_share: float = 1.0,
) -> Surrogate:
    """A surrogate of ``values`` ``(n, M)`` with their ``variances`` ``(n, M)``, measured at ``alphas`` ``(n, K)`` in [0, 1].

    Values are standardised; the kernel is Matern-5/2 with a length scale a block. Its hyperparameters are the most probable
    ones under BoTorch's prior of length scales, which grow as the root of the number of blocks (Hvarfner et al. 2024), and a
    log-normal prior of output scales of median e, since a trend across the whole range varies more than its points. The
    points' order changes nothing. With a ``survey`` values follow what it says, by an RBF kernel over its quantities, and the
    kernel over alphas is for the rest: its output scale has a prior of median exp(-2), and of the variances only the
    ``noise_share`` counts as noise.

    Raises ValueError for arrays that do not fit together, are not finite, or hold fewer than ``FEWEST`` points.
    """
    points = _checked(alphas, values, variances)
    centre, spread = standardisation(points[1])
    outputs, noise = (
        torch.tensor(array, dtype=_DTYPE)
        for array in ((points[1] - centre) / spread, np.maximum(noise_share * points[2] / spread**2, LEAST_NOISE))
    )
    num_blocks, num_metrics = points[0].shape[1], outputs.shape[1]
    with one_quiet_thread():
        kernel = _kernel(num_blocks, num_metrics) if survey is None else _kernel_with(survey, num_blocks, num_metrics)
        model = SingleTaskGP(_inputs(points[0], survey), outputs, noise, covar_module=kernel, outcome_transform=None)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    rest, trend = (kernel, None) if survey is None else kernel.kernels
    scales = _scales(rest, num_metrics)
    constants = model.mean_module.constant.detach().numpy().reshape(-1)
    found = Trend(survey, *_scales(trend, num_metrics), noise_share) if survey is not None else None
    return Surrogate(model, Predictor(*points, *scales, constants, found))


@contextlib.contextmanager
def one_quiet_thread() -> Iterator[None]:
    """Torch on one thread, which is faster for matrices this small, and gives the same bits whatever else runs.

    BoTorch's warnings are about single precision and hard fits; what comes of a fit is judged by leave-one-out.
    """
    with one_thread(), warnings.catch_warnings():
        for kind in (BotorchWarning, NumericalWarning):
            warnings.simplefilter("ignore", kind)
        yield


def _kernel(num_blocks: int, num_metrics: int) -> ScaleKernel:
    batch = torch.Size([num_metrics] if num_metrics > 1 else [])
    matern = get_covar_module_with_dim_scaled_prior(num_blocks, batch, use_rbf_kernel=False)
    return ScaleKernel(matern, batch_shape=batch, outputscale_prior=LogNormalPrior(1.0, 1.0))


def _kernel_with(survey: Predictor, num_blocks: int, num_metrics: int) -> AdditiveKernel:
    """Matern-5/2 over alphas and RBF over a survey's quantities, which stand behind the alphas."""
    batch, num_quantities = torch.Size([num_metrics] if num_metrics > 1 else []), survey.values.shape[1]

    def scaled(kernel: type[Kernel], first: int, count: int, output: float, **options: Any) -> ScaleKernel:
        base = kernel(
            ard_num_dims=count,
            batch_shape=batch,
            active_dims=tuple(range(first, first + count)),
            lengthscale_prior=LogNormalPrior(0.5, 1.0),
            **options,
        )
        return ScaleKernel(base, batch_shape=batch, outputscale_prior=LogNormalPrior(output, 1.0))

    return AdditiveKernel(scaled(MaternKernel, 0, num_blocks, -2.0, nu=2.5), scaled(RBFKernel, num_blocks, num_quantities, 1.0))


def _inputs(alphas: np.ndarray, survey: Predictor | None) -> torch.Tensor:
    return torch.tensor(alphas if survey is None else np.concatenate([alphas, quantities(survey, alphas)], 1), dtype=_DTYPE)


def _scales(kernel: ScaleKernel, num_metrics: int) -> tuple[np.ndarray, np.ndarray]:
    """Length scales ``(M, dimensions)`` and output scales ``(M,)``."""
    lengths = kernel.base_kernel.lengthscale.detach().numpy()[..., 0, :].reshape(num_metrics, -1)
    return lengths, kernel.outputscale.detach().numpy().reshape(-1)


def _checked(*arrays: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three arrays by rising alphas. Raises ValueError."""
    alphas, values, variances = (np.array(array, dtype=np.float64) for array in arrays)
    for name, array in (("alphas", alphas), ("values", values), ("variances", variances)):
        if array.ndim != 2:
            raise ValueError(f"{name} are of shape {array.shape}, must be (number of points, {'K' if name == 'alphas' else 'M'})")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite; point {int(np.argmin(np.isfinite(array).all(axis=1)))} is not")
    if len(alphas) != len(values) or values.shape != variances.shape:
        raise ValueError(f"alphas {alphas.shape}, values {values.shape} and variances {variances.shape} do not fit together")
    if len(alphas) < FEWEST:
        raise ValueError(f"{len(alphas)} points are too few for a surrogate; measure {FEWEST} at least")
    if ((alphas < 0) | (alphas > 1)).any():
        raise ValueError(f"alphas must be in [0, 1]; they span {alphas.min():g} to {alphas.max():g}")
    if (variances < 0).any():
        raise ValueError(f"variances must not be negative; the smallest is {variances.min():g}")
    order = np.lexsort((*values.T, *alphas.T[::-1]))
    return alphas[order], values[order], variances[order]
