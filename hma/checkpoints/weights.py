"""The live weights: parameters into which merges of their two ends are written in place."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from hma.checkpoints.ends import Dense, Ends, Ferry, Host, Sparse
from hma.checkpoints.hold import Hold
from hma.checkpoints.precision import EffectiveAlpha
from hma.core.partition import Partition
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe


class LiveWeights:
    """Parameters with their two ends, by the place that gives them their alpha.

    Embeddings, layers, final norm and head whose alpha stays as it was are not written again, so that
    moving one slider rewrites one block.
    """

    def __init__(
        self,
        num_layers: int,
        weights: Iterable[tuple[str, torch.nn.Parameter, torch.Tensor, torch.Tensor]],
        hold: Hold = "dense",
    ) -> None:
        """``weights`` are (name, live parameter, reference, policy), the last three of one shape; the ends may lie anywhere.

        They are taken one by one, and of each no more is kept than the way of holding needs.
        """
        self._places: list[list[Ends]] = [[] for _ in range(num_layers + 3)]
        partition = Partition.equal(num_layers, num_layers)
        ferry: Ferry | None = None
        for name, parameter, reference, policy in weights:
            if hold == "host":
                ferry = ferry or Ferry(parameter.device)
                ends: Ends = Host(ferry, name, parameter, reference, policy)
            else:
                ends = {"dense": Dense, "sparse": Sparse}[hold](name, parameter, reference, policy)
            self._places[partition.place_of(name)].append(ends)
        self._written: tuple[float, ...] = ()
        self._precision = NEAREST
        self._found: dict[tuple[int, float, Precision], EffectiveAlpha] = {}

    @property
    def held_bytes(self) -> int:
        """What is held of both ends beside the live parameters."""
        return sum(ends.held_bytes for place in self._places for ends in place)

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
                    for ends in self._places[place]:
                        ends.write(alpha, precision)
        self._written = wanted

    def effective_alphas(self, recipe: Recipe) -> tuple[float, ...]:
        """What share of the reference each block of the recipe's merge, written just before, really holds.

        ``<live - policy, reference - policy> / |reference - policy|^2`` over the block's weights; the asked
        alpha where nothing differs.
        """
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
        return tuple(alpha if found.value is None else found.value for alpha, found in zip(recipe.alphas, sums, strict=True))

    @torch.inference_mode()
    def _measured(self, place: int) -> EffectiveAlpha:
        found = EffectiveAlpha()
        for ends in self._places[place]:
            found += ends.effective()
        return found
