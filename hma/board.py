"""The board: a study's points with what is derived from them, computed once a revision."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from hma.core import front as fronts
from hma.core.alphas import mean_alpha
from hma.core.difference import are_indistinguishable
from hma.core.point import Point
from hma.core.power import Spread, power
from hma.core.recipe import Recipe
from hma.core.robust import RobustTax, robust_tax
from hma.core.study import Study
from hma.core.sure import Sureness, sureness
from hma.store import Store

SWAPPED = (
    "The reference is better liked than the policy, and the policy the more able: the other way round than RLHF makes them. "
    "Are the two checkpoints swapped?"
)


@dataclass(frozen=True)
class Board:
    """One study as it stands: points oldest first, front by rising reward, ends, corner and hypervolume."""

    study: Study
    revision: int
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    reference: Point | None
    policy: Point | None
    corner: fronts.Corner | None
    hypervolume: float | None

    @classmethod
    def read(cls, store: Store, study: Study) -> Board:
        """The study's board from the store."""
        revision = store.revision(study)
        points = tuple(store.points(study))
        reference, policy = fronts.ends(points)
        corner = fronts.corner_of(points)
        volume = None if corner is None else fronts.hypervolume(points, corner)
        return cls(study, revision, points, tuple(fronts.front(points)), reference, policy, corner, volume)

    def point(self, key: str | None) -> Point | None:
        """One of these points by its key, or None."""
        return next((p for p in self.points if p.key == key), None)

    def is_on_front(self, point: Point) -> bool:
        return point.key in self._front_keys

    @cached_property
    def _front_keys(self) -> frozenset[str]:
        return frozenset(p.key for p in self.front)

    @cached_property
    def suggested(self) -> Point | None:
        """The front's knee, a place to start choosing; None on test items, which are for reporting what was chosen."""
        return None if self.study.split == "test" else fronts.knee(self.front)

    @cached_property
    def looks_swapped(self) -> bool:
        """Whether the reference is the better liked and the policy the more able, the other way round than RLHF makes them."""
        if self.reference is None or self.policy is None:
            return False
        before, after = self.reference, self.policy
        return before.reward.low > after.reward.high and before.ability.high < after.ability.low

    def nearest_mean(self, alpha: float) -> Point | None:
        """The point whose mean alpha is nearest to ``alpha``."""
        return min(self.points, key=lambda p: abs(mean_alpha(p.recipe.alphas) - alpha), default=None)

    def nearest(self, recipe: Recipe, among: Collection[str] | None = None) -> Point | None:
        """The measured point, of those with keys ``among`` these, whose layers' alphas differ least from the recipe's."""
        wanted = recipe.layer_alphas

        def distance(point: Point) -> float:
            return sum((a - b) ** 2 for a, b in zip(point.recipe.layer_alphas, wanted, strict=True))

        return min((p for p in self.points if among is None or p.key in among), key=distance, default=None)

    @cached_property
    def sureness(self) -> Sureness:
        """How often each point is on the front in resamples of the items, and the hypervolume's interval."""
        return sureness(self.points)

    def indistinguishable(self, point: Point) -> list[Point]:
        """The front's other points from which neither the point's reward nor its ability is shown to differ, nearest first."""
        if not self.front:
            return []
        spans = [max(values) - min(values) or 1.0 for values in zip(*map(_place, self.front), strict=True)]

        def distance(other: Point) -> float:
            return sum(((a - b) / span) ** 2 for a, b, span in zip(_place(point), _place(other), spans, strict=True))

        others = (p for p in self.front if p.key != point.key and are_indistinguishable(p, point))
        return sorted(others, key=distance)

    @property
    def pairs(self) -> list[tuple[Point, Point]]:
        """The pairs of points whose items say what a difference takes to be shown: neighbours on the front, else the two ends.

        Neighbours are what a choice is between. The ends are less alike as a rule, so that they promise less.
        """
        if len(self.front) > 1:
            return list(pairwise(self.front))
        return [(self.reference, self.policy)] if self.reference and self.policy else []

    @property
    def has_only_the_ends(self) -> bool:
        """Whether ``pairs`` is that of the two ends."""
        return [{one.key, other.key} for one, other in self.pairs] == [{end.key for end in (self.reference, self.policy) if end}]

    def power(self, store: Store) -> dict[str, Spread]:
        """What ``pairs`` say of the differences that can be shown, by score; empty before both ends are measured."""
        keys = {point.key for pair in self.pairs for point in pair}
        results = {key: store.results(key, self.study.num_items, outputs=False) for key in keys}
        return power([(results[one.key], results[other.key]) for one, other in self.pairs], self.study.groups)

    def robust_tax(self, store: Store, point: Point, rho: float) -> RobustTax | None:
        """The point's robust tax; None until the reference is measured."""
        if self.reference is None:
            return None
        both = (store.results(p.key, self.study.num_items, outputs=False) for p in (self.reference, point))
        return robust_tax(*both, self.study.groups, rho)


def _place(point: Point) -> tuple[float, float]:
    return point.reward.value, point.ability.value


def boards(store: Store, pair: str, suites: Sequence[str], sizes: Mapping[str, int]) -> list[Board]:
    """The boards of one pair in the studies of these suites, both by fingerprint: test items first, then the more items.

    ``sizes`` are those that the suites are seen at, by name; boards without points are left out.
    """
    studies = [study for study in store.studies() if study.pair == pair and study.suite in suites]
    views = [replace(study, size=size, num_items=count) for study in studies for size, count in sizes.items()]
    read = [Board.read(store, view) for view in sorted(views, key=lambda v: (v.split != "test", -v.num_items))]
    return [board for board in read if board.points]
