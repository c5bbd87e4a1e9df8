"""The live weights: parameters into which merges of two resident ends are written in place."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from hma.checkpoints.precision import DTYPES, EffectiveAlpha, merge_into
from hma.core.partition import Partition
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe


class LiveWeights:
    """Parameters with their two ends, by the place that gives them their alpha.

    Embeddings, layers, final norm and head whose alpha stays as it was are not written again, so that
    moving one slider rewrites one block.
    """

    def __init__(self, num_layers: int, weights: Iterable[tuple[str, torch.nn.Parameter, torch.Tensor, torch.Tensor]]) -> None:
        """``weights`` are (name, live parameter, reference, policy), the last three of one shape on one device."""
        self._places: list[list[_Weight]] = [[] for _ in range(num_layers + 3)]
        partition = Partition.equal(num_layers, num_layers)
        for name, parameter, reference, policy in weights:
            self._places[partition.place_of(name)].append(_Weight(name, parameter, reference, policy))
        self._written: tuple[float, ...] = ()
        self._precision = NEAREST
        self._found: dict[tuple[int, float, Precision], EffectiveAlpha] = {}

    def write(self, recipe: Recipe) -> None:
        """Write the recipe's merge. Raises CheckpointError when a weight does not fit into its dtype."""
        wanted, precision = recipe.shares, recipe.precision
        if len(wanted) != len(self._places):
            raise ValueError(f"a recipe of {len(wanted) - 3} layers for a model of {len(self._places) - 3}")
        before = self._written if precision == self._precision and self._written else (None,) * len(wanted)
        self._written, self._precision = (), precision  # An interruption leaves the weights unknown, not wrong.
        with torch.inference_mode():
            for place, alpha in enumerate(wanted):
                if alpha != before[place]:
                    for weight in self._places[place]:
                        weight.write(alpha, precision)
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
        if self._written != recipe.shares or self._precision != recipe.precision:
            raise ValueError("the live weights do not hold this recipe's merge")
        partition = recipe.partition
        blocks = partition.shares(tuple(range(partition.num_blocks)))
        sums = [EffectiveAlpha() for _ in recipe.alphas]
        for place, alpha in enumerate(self._written):
            key = (place, alpha, recipe.precision)
            if key not in self._found:
                self._found[key] = self._measured(place)
            sums[int(blocks[place])] += self._found[key]
        return sums

    @torch.inference_mode()
    def _measured(self, place: int) -> EffectiveAlpha:
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
