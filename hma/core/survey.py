"""Surveys: how unlikely merges all over the cube find both sides' own answers. No labels, no measurements; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hma.core.alphas import Alphas
from hma.core.fit import TWO_SIDED, Draw, Fit
from hma.core.partition import Partition

SURVEY = "survey"
"""The method of a survey's job, and the kind of what is kept of it: ``Surveyed.to_dict``."""

PER_BLOCK = 8
"""Merges of a survey for each block, and as many besides."""

DRAW = Draw(prompts=48, answers=4, kept=0.5, drawn=96)
"""How a survey's texts are made: so few rank merges as the 256 of a fit do."""


@dataclass(frozen=True)
class Survey:
    """What is asked for: a survey of a partition's merges, whose texts and places are drawn from ``seed``."""

    partition: Partition
    seed: int = 0

    @property
    def fit(self) -> Fit:
        """The fit whose texts it reads: the policy's answers to training prompts, the reference's own to task prompts."""
        return Fit(self.partition, TWO_SIDED, balance=0.5, draw=replace(DRAW, seed=self.seed))

    @property
    def num_merges(self) -> int:
        """How many merges read the texts, both ends among them."""
        return 2 + PER_BLOCK * (self.partition.num_blocks + 1)


@dataclass(frozen=True)
class Surveyed:
    """What a survey found so far: for each of ``alphas`` the nats a token of the policy's answers and of the reference's."""

    alphas: tuple[Alphas, ...]
    values: tuple[tuple[float, float], ...]

    def to_dict(self) -> dict[str, Any]:
        return {"alphas": [list(a) for a in self.alphas], "values": [list(v) for v in self.values]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Surveyed:
        """The inverse of ``to_dict``."""
        return cls(tuple(tuple(a) for a in data["alphas"]), tuple((v[0], v[1]) for v in data["values"]))
