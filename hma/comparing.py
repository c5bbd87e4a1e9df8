"""Comparing methods: each spends the same budget of measurements on validation items, and is judged on test items."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hma.core import compare as comparisons
from hma.core.compare import Comparison
from hma.core.descent import Step
from hma.core.fit import ADAMERGING, PROXY, TWO_SIDED, TWO_SIDED_FREE, Draw, Fit
from hma.core.partition import Partition
from hma.core.point import Point
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import HmaError
from hma.methods import paths
from hma.methods.fitting import recipe_of
from hma.methods.paths import at_random
from hma.store import Store

MA, HMA, SEARCH, RANDOM, OFFSET = "ma", "hma", "search", "random", "offset"
SURVEYED = "surveyed-search"
SEARCHES = (SEARCH, SURVEYED)

METHODS = {
    MA: "model averaging: one alpha for all blocks, evenly spaced",
    HMA: "alphas by proxy distillation at each mean alpha, evenly spaced [HMA]",
    TWO_SIDED: "alphas by both sides' own answers, along the path that the balance draws; it uses the tasks' prompts, no labels",
    TWO_SIDED_FREE: "the same with what the reference writes from nothing; no prompts of tasks",
    ADAMERGING: "adamerging:GROUP, alphas fitted on labelled validation items of an ability group at each mean alpha",
    SEARCH: "Bayesian optimisation of the front over block alphas, on validation items, without a survey",
    SURVEYED: "the same, told first how likely merges find both sides' own answers; it uses the tasks' prompts, no labels",
    RANDOM: "alphas at random",
    OFFSET: "offset:0|0|-0.1, model averaging with a difference for each block; alphas beyond 0 or 1 stay there",
}

ABILITY = "points of mean ability"

BEYOND_PAPER = {
    TWO_SIDED: "It uses prompts of the tasks, without labels; the paper's HMA uses none.",
    SURVEYED: "It uses prompts of the tasks, without labels; the paper's HMA uses none. Its survey comes on top of its budget.",
    ADAMERGING: "It uses labelled validation items; the paper's HMA uses none.",
}
"""What methods use that the paper's HMA does not, to be said wherever they are compared with it."""

SPACED = "-spaced"
"""Ends the name of a method that walks a path, where its measurements go one by one to the widest gap of its front."""

BALANCES = (0.05, 0.2, 0.5, 0.8, 0.92, 0.97, 0.99)
"""Balances of the two sides at which the path is fitted; between them it runs straight."""


@dataclass(frozen=True)
class Tools:
    """What methods need of the world: ``measure`` has recipes measured under a method's name, ``fit`` a fit done,
    ``search`` finds and measures the points of a search."""

    measure: Callable[[Study, Sequence[Recipe], str], object]
    fit: Callable[[Fit], Sequence[Step]]
    search: Callable[[Budget], Sequence[Recipe]]


@dataclass(frozen=True)
class Budget:
    """What every method may spend: so many measured points, both ends among them, on one partition, from one seed.

    A search that has a ``survey`` spends this besides.
    """

    points: int = 11
    partition: Partition = field(default_factory=lambda: Partition.equal(3))
    seed: int = 0
    draw: Draw = field(default_factory=Draw)
    survey: bool = False

    @property
    def search(self) -> str:
        """What a search that spends it is called, among ``METHODS``."""
        return SURVEYED if self.survey else SEARCH

    def __post_init__(self) -> None:
        if self.points < 3:
            raise HmaError(f"A budget of {self.points} measurements was asked for. Both ends and one more are 3: ask for more.")


@dataclass(frozen=True)
class Compared:
    """What came of it: each method's recipes, those it chose on validation items, and how these compare on test items.

    ``ends`` are reference and policy on test items, ``unsettled`` how many of a method's fits ended before they settled.
    """

    validation: Study
    test: Study
    recipes: Mapping[str, Sequence[Recipe]]
    chosen: Mapping[str, Sequence[Point]]
    tested: Mapping[str, Sequence[Point]]
    ends: tuple[Point, Point]
    comparison: Comparison
    unsettled: Mapping[str, int] = field(default_factory=dict)


def checked_methods(names: str, study: Study, num_blocks: int) -> list[str]:
    """The methods of a list with commas. Raises HmaError for an unknown one, one twice, and an unknown ability group."""
    methods = [name.strip() for name in names.split(",") if name.strip()]
    for method in methods:
        base, _, group = method.removesuffix(SPACED).partition(":")
        if base not in METHODS or (method.endswith(SPACED) and base in (*SEARCHES, RANDOM)):
            raise HmaError(
                f"The method '{method}' is unknown. Choose among: {', '.join(METHODS)}; {SPACED} after those that walk a path "
                f"(ma{SPACED}) puts their points where their fronts have gaps."
            )
        if base == ADAMERGING and group not in study.groups:
            known = ", ".join(f"{ADAMERGING}:{name}" for name in study.groups)
            raise HmaError(f"The method '{method}' is to name an ability group: {known}.")
        if base == OFFSET:
            paths.offsets(group, num_blocks)
        elif group and base != ADAMERGING:
            raise HmaError(f"The method '{method}' takes nothing after a colon. Name it '{base}'.")
    if len(methods) < 2 or len(set(methods)) < len(methods):
        raise HmaError(f"--methods is '{names}'. Name two or more, each once: ma,hma.")
    return methods


def run(validation: Study, test: Study, store: Store, methods: Sequence[str], budget: Budget, tools: Tools) -> Compared:
    """Spend the budget on every method, choose on validation items, measure what was chosen on test items, and compare."""
    unsettled: dict[str, int] = {}

    def watched(method: str) -> Tools:
        def fit(wanted: Fit) -> Sequence[Step]:
            steps = tools.fit(wanted)
            unsettled[method] = unsettled.get(method, 0) + (not steps[-1].settled)
            return steps

        return replace(tools, fit=fit)

    recipes = {method: list(spent(method, validation, store, budget, watched(method))) for method in methods}
    chosen = {
        method: comparisons.chosen([_point(store, validation, recipe) for recipe in some]) for method, some in recipes.items()
    }
    ends = [Recipe(budget.partition, (alpha,)) for alpha in (1.0, 0.0)]
    tools.measure(test, ends, "sweep")
    for method, points in chosen.items():
        tools.measure(test, [point.recipe for point in points], method)
    tested = {method: [_point(store, test, point.recipe) for point in points] for method, points in chosen.items()}
    reference, policy = (_point(store, test, end) for end in ends)
    comparison = comparisons.compare(tested, reference, policy)
    return Compared(validation, test, recipes, chosen, tested, (reference, policy), comparison, unsettled)


def spent(method: str, study: Study, store: Store, budget: Budget, tools: Tools) -> Iterator[Recipe]:
    """The recipes that a method measures on a study's items, each as soon as it is; with both ends, ``budget.points`` in all."""
    base = method.removesuffix(SPACED)
    if base in SEARCHES:
        yield from tools.search(replace(budget, survey=base == SURVEYED))
        return
    if base == RANDOM:
        recipes = [Recipe(budget.partition, a) for a in at_random(budget.partition.num_blocks, budget.points, budget.seed)]
        tools.measure(study, recipes, method)
        yield from recipes
        return
    path = _path(base, budget, tools)

    def at(mean: float) -> Recipe:
        recipe = Recipe(budget.partition, path(mean))
        tools.measure(study, [recipe], method)
        return recipe

    if not method.endswith(SPACED):
        yield from map(at, paths.means(budget.points))
        return
    walked = {mean: at(mean) for mean in (0.0, 1.0, 0.5)}
    while len(walked) < budget.points:
        known = [(mean, _point(store, study, recipe)) for mean, recipe in walked.items()]
        mean = paths.next_mean([(mean, point.reward.value, point.ability.value) for mean, point in known])
        walked[mean] = at(mean)
    yield from walked.values()


def _path(base: str, budget: Budget, tools: Tools) -> Callable[[float], tuple[float, ...]]:
    """The method's alphas at each mean alpha, from the policy (0) to the reference (1)."""
    name, _, group = base.partition(":")
    if name == MA:
        return lambda mean: (mean,) * budget.partition.num_blocks
    if name == OFFSET:
        return lambda mean: paths.moved(mean, paths.offsets(group, budget.partition.num_blocks))
    if name in (TWO_SIDED, TWO_SIDED_FREE):
        stops = [tools.fit(fit)[-1].alphas for fit in path_fits(name, budget)]
        return lambda mean: paths.between(stops, mean)
    objective = PROXY if name == HMA else ADAMERGING

    def fitted(mean: float) -> tuple[float, ...]:
        if mean in (0.0, 1.0):
            return (mean,) * budget.partition.num_blocks
        fit = Fit(budget.partition, objective, mean, group=group, draw=budget.draw)
        return recipe_of(fit, tools.fit(fit)[-1]).alphas

    return fitted


def path_fits(method: str, budget: Budget) -> list[Fit]:
    """The fits that lay a two-sided method's path, in their order; none for other methods."""
    name = base_of(method)
    if name not in (TWO_SIDED, TWO_SIDED_FREE):
        return []
    return [Fit(budget.partition, name, balance=balance, draw=budget.draw) for balance in BALANCES]


def _point(store: Store, study: Study, recipe: Recipe) -> Point:
    point = store.point(study.point_key(recipe), study.num_items)
    assert point is not None
    return point


def words(found: Compared) -> list[str]:
    """What was found, a sentence each: every method against the first, on hypervolume and on ability at matched reward.

    After these, what methods use that the paper's HMA does not.
    """
    first, *others = found.tested
    told = []
    for name in others:
        against = found.comparison.against[name]
        told.append(comparisons.in_words(name, first, against.hypervolume, "% of the box"))
        told += [
            f"At {share:.0%} of the policy's gain in reward: {comparisons.in_words(name, first, ability, ABILITY)}"
            for share, ability in against.abilities.items()
        ]
    told += [
        f"{name}: {count} of its fits ended before they settled, so that its alphas may not be what it was to find."
        for name, count in found.unsettled.items()
        if count
    ]
    return told + [f"{name}: {BEYOND_PAPER[base]}" for name in found.tested if (base := base_of(name)) in BEYOND_PAPER]


def base_of(method: str) -> str:
    """A method's name without its group, its differences, and how its points are spaced."""
    return method.removesuffix(SPACED).partition(":")[0]


def to_dict(found: Compared, budget: Budget) -> dict[str, Any]:
    """What ``compare --json`` prints."""
    return {
        "budget": {"points": budget.points, "blocks": budget.partition.num_blocks, "seed": budget.seed},
        "chosen_on": {"split": "validation", "num_items": found.validation.num_items},
        "reported_on": {"split": "test", "num_items": found.test.num_items},
        "methods": {
            name: {
                "measured": [list(recipe.alphas) for recipe in found.recipes[name]],
                "points": [point.to_dict() for point in points],
                "hypervolume": found.comparison.hypervolumes[name].to_dict(),
                "abilities": {f"{share:g}": a.to_dict() for share, a in found.comparison.abilities[name].items()},
            }
            for name, points in found.tested.items()
        },
        "against_the_first": {
            name: {
                "hypervolume": against.hypervolume.to_dict(),
                "abilities": {f"{share:g}": a.to_dict() for share, a in against.abilities.items()},
            }
            for name, against in found.comparison.against.items()
        },
        "words": words(found),
    }
