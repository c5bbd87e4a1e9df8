"""The live weights: parameters into which merges of their two ends are written in place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from hma.checkpoints.ends import Dense, Ends, Ferry, Host, Recast
from hma.checkpoints.hold import Hold
from hma.checkpoints.precision import EffectiveAlpha
from hma.checkpoints.sparse import Sparse
from hma.core.partition import Partition, Place, place_of
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe


class LiveWeights:
    """Parameters with their two ends, by the place that gives them their alpha.

    Places whose alpha stays as it was are not written again, so that moving one slider rewrites one block.
    """

    def __init__(
        self,
        num_layers: int,
        weights: Iterable[tuple[str, torch.Tensor, torch.Tensor, torch.Tensor]],
        hold: Hold = "dense",
    ) -> None:
        """``weights`` are (name, live parameter, reference, policy), the last three of one shape; the ends may lie anywhere.

        They are taken one by one, and of each no more is kept than the way of holding needs.
        """
        self._num_layers = num_layers
        self._places: dict[Place, list[Ends]] = {}
        ferry: Ferry | None = None
        for name, parameter, reference, policy in weights:
            if policy.dtype != parameter.dtype:
                ends: Ends = Recast(name, parameter, reference, policy)
            elif hold == "host":
                ferry = ferry or Ferry(parameter.device)
                ends = Host(ferry, name, parameter, reference, policy)
            else:
                ends = {"dense": Dense, "sparse": Sparse}[hold](name, parameter, reference, policy)
            self._places.setdefault(place_of(name, parameter.shape), []).append(ends)
        self._written: dict[Place, float] = {}
        self._precision = NEAREST
        self._found: dict[tuple[Place, float, Precision], EffectiveAlpha] = {}

    @property
    def held_bytes(self) -> int:
        """What is held of both ends beside the live parameters."""
        return sum(ends.held_bytes for place in self._places.values() for ends in place)

    def write(self, recipe: Recipe) -> None:
        """Write the recipe's merge. Raises CheckpointError when a weight does not fit into its dtype."""
        wanted, precision = self._wanted(recipe), recipe.precision
        before = self._written if precision == self._precision else {}
        self._written, self._precision = {}, precision  # An interruption leaves the weights unknown, not wrong.
        with torch.no_grad():
            for place, alpha in wanted.items():
                if alpha != before.get(place):
                    for ends in self._places[place]:
                        ends.write(alpha, precision)
        self._written = wanted

    def effective_alphas(self, recipe: Recipe) -> tuple[float, ...]:
        """What share of the reference each block of the recipe's merge, written just before, really holds.

        ``<live - policy, reference - policy> / |reference - policy|^2`` over the block's weights; the asked
        alpha where nothing differs.
        """
        found = self.effective(recipe)
        return tuple(asked if sums.value is None else sums.value for asked, sums in zip(recipe.alphas, found, strict=True))

    def effective(self, recipe: Recipe) -> list[EffectiveAlpha]:
        """The sums of ``effective_alphas``, block by block."""
        if self._written != self._wanted(recipe) or self._precision != recipe.precision:
            raise ValueError("the live weights do not hold this recipe's merge")
        sums = [EffectiveAlpha() for _ in recipe.alphas]
        for place, alpha in self._written.items():
            block, key = recipe.partition.block_at(place), (place, alpha, recipe.precision)
            if block is not None:
                if key not in self._found:
                    self._found[key] = self._measured(place)
                sums[block] += self._found[key]
        return sums

    @contextlib.contextmanager
    def slopes(self, partition: Partition) -> Iterator[Slopes]:
        """Within it, every backward pass through the live parameters adds to the slopes of the loss along the alphas."""
        tensors = [(p, e) for place, some in self._places.items() for e in some if (p := partition.block_at(place)) is not None]
        slopes = Slopes(partition.num_blocks)
        hooks = []
        try:
            for block, ends in tensors:
                if isinstance(ends.parameter, torch.nn.Parameter):
                    hooks.append(slopes.follow(ends, block))
            yield slopes
        finally:
            for hook in hooks:
                hook.remove()
            for _, ends in tensors:
                ends.parameter.requires_grad_(False)
                ends.parameter.grad = None

    def _wanted(self, recipe: Recipe) -> dict[Place, float]:
        """The alpha of every place. Raises ValueError for a recipe of another model."""
        if recipe.partition.num_layers != self._num_layers:
            raise ValueError(f"a recipe of {recipe.partition.num_layers} layers for a model of {self._num_layers}")
        return {place: recipe.alpha_at(place) for place in self._places}

    @torch.inference_mode()
    def _measured(self, place: Place) -> EffectiveAlpha:
        found = EffectiveAlpha()
        for ends in self._places[place]:
            found += ends.effective()
        return found


class Slopes:
    """How a loss moves with each block's alpha: d loss / d alpha_k, the sum over the block of <d loss / d W, reference - policy>.

    Each gradient is multiplied and dropped as soon as it is there, so that there is never a second copy of the weights.
    """

    def __init__(self, num_blocks: int) -> None:
        self._sums: dict[torch.device, torch.Tensor] = {}
        self._num_blocks = num_blocks

    @property
    def values(self) -> np.ndarray:
        """The sums over all backward passes so far: float64 ``(num_blocks,)``."""
        zero = np.zeros(self._num_blocks)
        return sum((found.double().cpu().numpy() for found in self._sums.values()), zero)

    def copy(self) -> dict[torch.device, torch.Tensor]:
        """The sums as they are, for ``restore``."""
        return {device: found.clone() for device, found in self._sums.items()}

    def restore(self, sums: dict[torch.device, torch.Tensor]) -> None:
        """Forget what was added since these were copied. The inverse of ``copy``."""
        self._sums = sums

    def follow(self, ends: Ends, block: int) -> torch.utils.hooks.RemovableHandle:
        """Have a parameter's gradients counted from now on."""

        def count(parameter: torch.Tensor) -> None:
            assert parameter.grad is not None
            along = ends.slope(parameter.grad)
            parameter.grad = None
            if along.device not in self._sums:
                self._sums[along.device] = torch.zeros(self._num_blocks, dtype=along.dtype, device=along.device)
            self._sums[along.device][block] += along

        return ends.parameter.requires_grad_(True).register_post_accumulate_grad_hook(count)
