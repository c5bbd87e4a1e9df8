"""A race of recipes through a suite's sizes: every round asks more items of those whose place off the front is undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hma.core.difference import Difference
from hma.core.front import ends
from hma.core.point import MEAN, REWARD
from hma.core.racing import SURE, Heat, flattery, heat
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import SuiteError
from hma.evaluate.suite import suite_sizes
from hma.store import Store


@dataclass(frozen=True)
class Round:
    """A round that not all went on from: the study at its size, how many ran, and who was kept."""

    study: Study
    num_recipes: int
    heat: Heat


@dataclass(frozen=True)
class Race:
    """The rounds before the last, and who reached that; by how much the items of those flatter them, where it is known."""

    rounds: tuple[Round, ...]
    finalists: tuple[Recipe, ...]
    flattery: dict[str, Difference]

    def num_items(self, study: Study) -> tuple[int, int]:
        """Items of each metric that the race takes in all, and that all recipes would have taken at ``study``'s size."""
        sizes = [*((r.study.num_items, r.num_recipes) for r in self.rounds), (study.num_items, len(self.finalists))]
        asked, before = 0, 0
        for size, count in sizes:
            asked, before = asked + (size - before) * count, size
        return asked, study.num_items * (self.rounds[0].num_recipes if self.rounds else len(self.finalists))

    def to_dict(self, study: Study) -> dict[str, Any]:
        asked, without = self.num_items(study)
        return {
            "rounds": [
                {"size": r.study.size, "num_items": r.study.num_items, "recipes": r.num_recipes, "kept": len(r.heat.kept)}
                for r in self.rounds
            ],
            "items_in_race": asked,
            "items_without_race": without,
            "flattery": {name: {"value": d.value, "low": d.low, "high": d.high} for name, d in self.flattery.items()},
        }


def run(study: Study, store: Store, recipes: Sequence[Recipe], measure: Callable[[Study, Sequence[Recipe]], object]) -> Race:
    """Measure recipes at the suite's smallest size, and go on with those that may be on the front, up to the study's size.

    ``measure`` has recipes measured in a study. Raises SuiteError when the study has no smaller size.
    """
    sizes = sorted(((count, name) for name, count in suite_sizes(study.suite_path).items() if count < study.num_items))
    if not sizes:
        raise SuiteError(
            f"A race begins with fewer items than it ends with, and {study.size} ({study.num_items} items) is the suite's "
            "smallest size. Choose a larger one with --size."
        )
    running, rounds = list(recipes), []
    for count, name in sizes:
        view = replace(study, size=name, num_items=count)
        measure(view, running)
        keys = {view.point_key(recipe): recipe for recipe in running}
        found = heat([point for point in store.points(view) if point.key in keys])
        rounds.append(Round(view, len(running), found))
        running = [recipe for key, recipe in keys.items() if key in found.kept]
    measure(study, running)
    return Race(tuple(rounds), tuple(running), _flattery(study, store, running, sizes[-1][0]))


def _flattery(study: Study, store: Store, finalists: Sequence[Recipe], first: int) -> dict[str, Difference]:
    """Of reward and mean ability, against the two ends; empty where nothing but the ends was kept, or these are not measured."""
    points = [point for recipe in finalists if (point := store.point(study.point_key(recipe), study.num_items))]
    at_ends = [end for end in ends(store.points(study)) if end is not None]
    kept = [point for point in points if not point.recipe.is_end]
    if len(at_ends) < 2 or not kept:
        return {}
    of_kept, of_ends = ([store.results(p.key, study.num_items) for p in some] for some in (kept, at_ends))
    return flattery(of_kept, of_ends, study.groups, first)


def words(race: Race, study: Study) -> list[str]:
    """What happened and what it costs, a sentence each."""
    asked, without = race.num_items(study)
    if not any(r.heat.dropped for r in race.rounds):
        return ["No merge is surely beaten by another on the smaller sizes, so that none was dropped."]
    told = [
        f"Of {r.num_recipes} merges, {len(r.heat.kept)} went on from {r.study.num_items} items: each of the rest is beaten by "
        f"another in both reward and mean ability, in {SURE:.0%} of the paired resamples of each."
        for r in race.rounds
    ]
    told.append(
        f"That takes {asked:,} items of each metric, {asked / without:.0%} of the {without:,} without a race. A dropped merge "
        "may still belong to the front of all the items: rarely, and more likely where the first items are few."
    )
    if race.flattery:
        reward, ability = race.flattery[REWARD], race.flattery[MEAN]
        told.append(
            "Stopping early favours merges that were lucky on the first items. Against the two ends, the kept ones do better on "
            f"those than on the further items by {reward.value:+.2f} reward ({reward.low:+.2f} to {reward.high:+.2f}) and "
            f"{ability.value:+.1f} ability ({ability.low:+.1f} to {ability.high:+.1f}); the first items stay among those shown. "
            "Report what was chosen on test items."
        )
    return told
