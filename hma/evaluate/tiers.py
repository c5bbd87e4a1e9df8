"""Tiers: the consecutive parts that a suite's items are measured in, so that a larger size goes on from a smaller one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from transformers import PreTrainedModel

from hma.evaluate.generation import Progress

Tier = tuple[int, int]
"""Items from the first number to below the second."""


def tiers(ends: Sequence[int], start: int, end: int) -> list[Tier]:
    """The tiers that cover items ``start`` to ``end``, cut at every one of ``ends`` in between.

    Batches never straddle two tiers, so that an item's number hangs on its tier's items alone: a point that was
    extended has the same bits as one that was measured at once.
    """
    cuts = [start, *sorted({cut for cut in ends if start < cut < end}), end]
    return list(itertools.pairwise(cuts))


class Plan(Protocol):
    """Requests that are batched once and answered by any weights."""

    model_seconds: float

    @property
    def note(self) -> str:
        """What a person should know of how the requests were answered."""
        ...

    def responses(self, model: PreTrainedModel, progress: Progress) -> list[Any]:
        """The model's answer to each request, in order."""
        ...


class Planned:
    """A plan for each tier of the items, made at its first use; those of the sizes at once, so that bad input is found."""

    def __init__(self, plan: Callable[[Tier], Plan], ends: Sequence[int], num_items: int) -> None:
        """``plan`` makes one tier's."""
        self._plan, self._ends, self._num_items = plan, ends, num_items
        self._plans = {tier: plan(tier) for tier in tiers(ends, 0, num_items)}
        self.model_seconds = 0.0
        """Seconds that the last ``responses`` spent in the model itself."""

    @property
    def note(self) -> str:
        """What a person should know of how the requests were answered; of all tiers, the first that there is."""
        return next((plan.note for plan in self._plans.values() if plan.note), "")

    def tiers(self, start: int) -> list[Tier]:
        """The tiers of the items from ``start`` on."""
        return tiers(self._ends, start, self._num_items)

    def responses(self, model: PreTrainedModel, progress: Progress, start: int = 0) -> list[Any]:
        """The model's answers to the requests of the items from ``start`` on."""
        found: list[Any] = []
        self.model_seconds = 0.0
        for tier in self.tiers(start):
            if tier not in self._plans:
                self._plans[tier] = self._plan(tier)
            plan, before = self._plans[tier], tier[0] - start

            def share(done: int, total: int, tier: Tier = tier, before: int = before) -> None:
                progress(before + done * (tier[1] - tier[0]) // total, self._num_items - start)

            found += plan.responses(model, share)
            self.model_seconds += plan.model_seconds
        return found
