"""Blind votes: which of two answers is better, asked without saying who wrote which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hma.core.difference import FEWEST_ITEMS
from hma.core.statistics import wilson

LEFT, TIE, RIGHT, SKIP = "left", "tie", "right", "skip"
VOTES = (LEFT, TIE, RIGHT, SKIP)

ONE, OTHER = "one", "other"
"""The two who wrote the answers."""


@dataclass(frozen=True)
class Tally:
    """How often ``ONE`` won, lost and tied, and how often nobody was chosen at all, which counts for nothing."""

    wins: int
    losses: int
    ties: int
    skipped: int

    @property
    def num_votes(self) -> int:
        return self.wins + self.losses + self.ties

    @property
    def share(self) -> float | None:
        """The share of votes that ``ONE`` won, a tie being half of one; None without votes."""
        return (self.wins + self.ties / 2) / self.num_votes if self.num_votes else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of ``share``. Ties are less noisy than it says, so that it is wide rather than narrow."""
        return (0.0, 1.0) if self.share is None else wilson(self.share, self.num_votes)

    @property
    def is_shown(self) -> bool:
        """Whether either is shown to be preferred: the interval leaves a half out, and enough votes are for one of the two."""
        low, high = self.interval
        return self.wins + self.losses >= FEWEST_ITEMS and not low <= 0.5 <= high


@dataclass(frozen=True)
class Ballot:
    """A round of votes on ``items``, in the order in which they are shown; ``votes`` are those of the first so many.

    Who stands left is drawn from ``seed``, item by item; it is a secret until the round is ``closed``.
    """

    seed: int
    items: tuple[str, ...]
    votes: tuple[str, ...] = ()
    closed: bool = False

    @classmethod
    def drawn(cls, items: Sequence[str], seed: int) -> Ballot:
        """A round of all these items in an order of the seed's. Raises ValueError without any."""
        if not items:
            raise ValueError("a round of votes needs an item")
        order = np.random.default_rng([seed, 0]).permutation(len(items))
        return cls(seed, tuple(items[i] for i in order))

    @property
    def item(self) -> str | None:
        """The item to be voted on; None once the round is over."""
        return None if self.is_over else self.items[len(self.votes)]

    @property
    def is_over(self) -> bool:
        return self.closed or len(self.votes) == len(self.items)

    def writers(self, place: int) -> tuple[str, str]:
        """Who wrote the left and the right answer to the item at this place."""
        turned = np.random.default_rng([self.seed, 1]).random(len(self.items)) < 0.5
        return (OTHER, ONE) if turned[place] else (ONE, OTHER)

    def voted(self, vote: str) -> Ballot:
        """With a vote on the item in hand. Raises ValueError for one that is none, and where the round is over."""
        if vote not in VOTES or self.is_over:
            raise ValueError(f"{vote!r} is no vote here: {', '.join(VOTES)}, while a round goes on")
        return replace(self, votes=(*self.votes, vote))

    def taken_back(self) -> Ballot:
        """Without the last vote; as it is once it is over."""
        return self if self.is_over else replace(self, votes=self.votes[:-1])

    def close(self) -> Ballot:
        """Over, with the votes that it has."""
        return replace(self, closed=True)

    def preferred(self, place: int) -> str | None:
        """Who was preferred at this place; None for a tie, and where nobody was asked or chose."""
        vote = self.votes[place] if place < len(self.votes) else SKIP
        left, right = self.writers(place)
        return {LEFT: left, RIGHT: right}.get(vote)

    @property
    def tally(self) -> Tally:
        winners = [self.preferred(place) for place in range(len(self.votes))]
        return Tally(winners.count(ONE), winners.count(OTHER), self.votes.count(TIE), self.votes.count(SKIP))
