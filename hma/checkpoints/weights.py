"""The live weights: parameters into which merges of two resident ends are written in place."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from hma.checkpoints.precision import DTYPES, EffectiveAlpha, merge_into
from hma.core.partition import Place, place_of
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe


class LiveWeights:
    """Parameters with their two ends, by the place that gives them their alpha.

    Places whose alpha stays as it was are not written again, so that moving one slider rewrites one block.
    """

    def __init__(self, num_layers: int, weights: Iterable[tuple[str, torch.nn.Parameter, torch.Tensor, torch.Tensor]]) -> None:
        """``weights`` are (name, live parameter, reference, policy), the last three of one shape on one device."""
        self._num_layers = num_layers
        self._places: dict[Place, list[_Weight]] = {}
        for name, parameter, reference, policy in weights:
            place = place_of(name, parameter.shape)
            self._places.setdefault(place, []).append(_Weight(name, parameter, reference, policy))
        self._written: dict[Place, float] = {}
        self._precision = NEAREST
        self._found: dict[tuple[Place, float, Precision], EffectiveAlpha] = {}

    def write(self, recipe: Recipe) -> None:
        """Write the recipe's merge. Raises CheckpointError when a weight does not fit into its dtype."""
        wanted, precision = self._wanted(recipe), recipe.precision
        before = self._written if precision == self._precision else {}
        self._written, self._precision = {}, precision  # An interruption leaves the weights unknown, not wrong.
        with torch.inference_mode():
            for place, alpha in wanted.items():
                if alpha != before.get(place):
                    for weight in self._places[place]:
                        weight.write(alpha, precision)
        self._written = wanted

    def effective_alphas(self, recipe: Recipe) -> tuple[float, ...]:
        """What share of the reference each block of the recipe's merge, written just before, really holds.

        ``<live - policy, reference - policy> / |reference - policy|^2`` over the block's weights; the asked
        alpha where nothing differs.
        """
        if self._written != self._wanted(recipe) or self._precision != recipe.precision:
            raise ValueError("the live weights do not hold this recipe's merge")
        sums = [EffectiveAlpha() for _ in recipe.alphas]
        for place, alpha in self._written.items():
            block, key = recipe.partition.block_at(place), (place, alpha, recipe.precision)
            if block is not None:
                if key not in self._found:
                    self._found[key] = self._measured(place)
                sums[block] += self._found[key]
        return tuple(alpha if found.value is None else found.value for alpha, found in zip(recipe.alphas, sums, strict=True))

    def _wanted(self, recipe: Recipe) -> dict[Place, float]:
        """The alpha of every place. Raises ValueError for a recipe of another model."""
        if recipe.partition.num_layers != self._num_layers:
            raise ValueError(f"a recipe of {recipe.partition.num_layers} layers for a model of {self._num_layers}")
        return {place: recipe.alpha_at(place) for place in self._places}

    @torch.inference_mode()
    def _measured(self, place: Place) -> EffectiveAlpha:
        found = EffectiveAlpha()
        for weight in self._places[place]:
            found.add(weight.parameter.data, weight.reference, weight.policy)
        return found


class _Weight:
    """One live parameter and its two ends, all of one shape."""

    __slots__ = ("name", "own", "parameter", "policy", "reference")

    def __init__(self, name: str, parameter: torch.nn.Parameter, reference: torch.Tensor, policy: torch.Tensor) -> None:
        self.name, self.parameter, self.reference, self.policy = name, parameter, reference, policy
        self.own = parameter.dtype

    def write(self, alpha: float, precision: Precision) -> None:
        """Write the merge in place; a live tensor of another dtype is replaced by one of the wanted."""
        wanted = DTYPES[precision.dtype] if precision.dtype else self.own
        if self.parameter.dtype != wanted:
            self.parameter.data = torch.empty_like(self.parameter.data, dtype=wanted)
        merge_into(self.parameter.data, self.reference, self.policy, alpha, precision, self.name)
