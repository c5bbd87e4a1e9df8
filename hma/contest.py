"""A contest: contenders whose fronts are chosen on validation items and compared on test items, as soon as these are measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hma.board import Board
from hma.contenders import Contender, evenly
from hma.core import compare as comparisons
from hma.core import front as fronts
from hma.core.alphas import mean_alpha
from hma.core.compare import Comparison, Estimate
from hma.core.point import Point
from hma.core.recipe import Recipe
from hma.core.study import Study

Ends = tuple[Point | None, Point | None]


@dataclass(frozen=True)
class Contest:
    """What came of it, each mapping by the contenders' names, of which the first is what the others are compared with.

    ``measured`` are the points on the items that choose, both ends among them, ``chosen`` those on the contender's front
    there. ``missing`` is what of these, and of the ends, was not measured on the items that report. Where nothing is, ``drawn``
    are the chosen points on the items that report; until then on those that chose them, which flatters them.
    ``comparison`` is of ``drawn``; None until both ends are measured on these items.
    """

    choosing: Study
    reporting: Study
    is_equal: bool
    measured: Mapping[str, tuple[Point, ...]]
    chosen: Mapping[str, tuple[Point, ...]]
    drawn: Mapping[str, tuple[Point, ...]]
    ends: Ends
    missing: tuple[Recipe, ...]
    comparison: Comparison | None

    @property
    def is_reported(self) -> bool:
        """Whether the scores are of items that did not choose the points."""
        return not self.missing

    @property
    def study(self) -> Study:
        """The study whose items the scores are of."""
        return self.reporting if self.is_reported else self.choosing

    def front(self, name: str) -> list[Point]:
        """A contender's front on the items that the scores are of: of what it chose, with both ends, as it is compared."""
        points = (*self.drawn[name], *(end for end in self.ends if end is not None))
        return fronts.front(list({p.key: p for p in points}.values()))


def held(choosing: Board, reporting: Board, entered: Sequence[Contender], is_equal: bool = False) -> Contest:
    """The contest of contenders of ``choosing``; where ``is_equal``, each with as many points as the one with the fewest."""
    fewest = min(len(contender.points) for contender in entered)
    measured = {c.name: evenly(c.points, fewest) if is_equal else c.points for c in entered}
    chosen = {name: tuple(comparisons.chosen(points)) for name, points in measured.items()}
    missing = _missing(choosing, reporting, chosen)
    drawn, board = chosen, choosing
    if not missing:
        there, key_of = {p.key: p for p in reporting.points}, reporting.study.point_key
        drawn, board = {name: tuple(there[key_of(p.recipe)] for p in some) for name, some in chosen.items()}, reporting
    reference, policy = board.reference, board.policy
    comparison = comparisons.compare(drawn, reference, policy) if reference and policy else None
    ends = (reference, policy)
    return Contest(choosing.study, reporting.study, is_equal, measured, chosen, drawn, ends, missing, comparison)


def ends_missing(board: Board) -> tuple[Recipe, ...]:
    """The recipes of the ends that were not measured yet, the reference first."""
    partition = board.study.partition()
    ends = (1.0, board.reference), (0.0, board.policy)
    return tuple(Recipe(partition, (alpha,)) for alpha, point in ends if point is None)


def _missing(choosing: Board, reporting: Board, chosen: Mapping[str, Sequence[Point]]) -> tuple[Recipe, ...]:
    """What is to be measured on the items that report: ends first, then by rising mean alpha."""
    there = {p.key for p in reporting.points}
    key_of = reporting.study.point_key
    wanted = {key_of(p.recipe): p.recipe for points in chosen.values() for p in points if not p.recipe.is_end}
    ordered = sorted(wanted, key=lambda key: (mean_alpha(wanted[key].alphas), key))
    return (*ends_missing(reporting), *(wanted[key] for key in ordered if key not in there))


_HEAD = (
    *("method", "points_measured", "points_on_front", "quantity", "share_of_gain", "value", "low", "high"),
    *("difference", "difference_low", "difference_high", "difference_is_shown", "items", "flattered"),
)


def to_csv(found: Contest) -> str:
    """The table: a line for each contender's hypervolume and abilities, with their differences to the first."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(_HEAD)
    if found.comparison is None:
        return out.getvalue()
    items = f"{found.study.num_items} {found.study.split}"
    for name in found.measured:
        counts = (name, len(found.measured[name]), len(found.front(name)))
        for quantity, share, value, less in _lines(found.comparison, name):
            cells = (value.value, value.low, value.high)
            against = (less.value, less.low, less.high, less.is_shown) if less else ("",) * 4
            write((*counts, quantity, share, *cells, *against, items, not found.is_reported))
    return out.getvalue()


def _lines(comparison: Comparison, name: str) -> list[tuple[str, str, Estimate, Estimate | None]]:
    """A contender's quantities: name, share of the gain, estimate, and difference to the first."""
    less = comparison.against.get(name)
    shares = comparison.abilities[name].items()
    return [
        ("hypervolume, % of the box", "", comparison.hypervolumes[name], less and less.hypervolume),
        *(("mean ability", f"{share:g}", value, less and less.abilities[share]) for share, value in shares),
    ]


def to_dict(found: Contest, words: Sequence[str]) -> dict[str, Any]:
    """All of it as a JSON object; ``words`` are what is said of it."""
    return {
        "chosen_on": _items(found.choosing),
        "scored_on": _items(found.study),
        "flattered": not found.is_reported,
        "equal_numbers": found.is_equal,
        "not_measured_on_test_items": [recipe.to_dict() for recipe in found.missing],
        "methods": {name: _contender(found, name) for name in found.measured},
        "against_the_first": _against(found.comparison),
        "words": list(words),
    }


def _items(study: Study) -> dict[str, Any]:
    return {"study": study.key, "split": study.split, "size": study.size, "num_items": study.num_items}


def _contender(found: Contest, name: str) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    if found.comparison is not None:
        scores["hypervolume"] = found.comparison.hypervolumes[name].to_dict()
        scores["abilities"] = {f"{share:g}": a.to_dict() for share, a in found.comparison.abilities[name].items()}
    points = [point.to_dict() for point in found.drawn[name]]
    return {"num_measured": len(found.measured[name]), **scores, "points": points}


def _against(comparison: Comparison | None) -> dict[str, Any]:
    return {
        name: {
            "hypervolume": less.hypervolume.to_dict(),
            "abilities": {f"{share:g}": a.to_dict() for share, a in less.abilities.items()},
        }
        for name, less in (comparison.against.items() if comparison else ())
    }
