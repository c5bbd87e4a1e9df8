"""``python -m hma compare``: methods of choosing alphas, at equal budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hma import comparing, options, report, searching
from hma.comparing import Budget, Compared, Tools
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import Engine
from hma.fit_cli import DrawOptions, fitted
from hma.measuring import measured
from hma.store import Store
from hma.study import open_store, open_study
from hma.verb import verb


@dataclass(frozen=True)
class BothSplits(options.SuiteOptions):
    """The options that name a pair and a suite whose validation items choose and whose test items report."""

    size: options.Size = None
    store: options.StoreFile = None

    def studies(self) -> tuple[Study, Study]:
        """The studies of validation and of test items."""
        places = (self.reference, self.policy, self.suite)
        return tuple(open_study(*places, split, self.size, self.allowed, self.program) for split in ("validation", "test"))

    def open_store(self) -> Store:
        return open_store(self.store)


@verb
def compare(
    methods: Annotated[
        str,
        typer.Option(help=f"With commas; the first is what the others are compared with: {', '.join(comparing.METHODS)}."),
    ] = "ma,hma",
    budget: Annotated[int, typer.Option(help="Points that each method may measure, both ends among them.")] = 11,
    seed: Annotated[int, typer.Option(help="What search and random alphas start from.", min=0)] = 0,
    *,
    blocks: options.BlockOptions,
    drawn: DrawOptions,
    chosen: BothSplits,
    as_json: options.AsJson = False,
) -> None:
    """Compare ways of choosing alphas fairly: equal budgets, chosen on validation items, reported on test items, one corner.

    Differences are paired by item. On the items that it chose by every front is flattered, that of a search most: it may
    measure what MA does, and more. That is why test items decide. Interrupted, it goes on when run again.
    """
    validation, test = chosen.studies()
    spent = Budget(budget, blocks.partition(validation.num_layers), seed, drawn.draw())
    names = comparing.checked_methods(methods, validation, spent.partition.num_blocks)
    opened = chosen.open_store()
    with Engine(opened) as engine:

        def measure(study: Study, recipes: Sequence[Recipe], method: str) -> None:
            measured(engine, study, recipes, method, as_json)

        def search(budget: Budget) -> Sequence[Recipe]:
            return searching.run(engine, validation, budget, lambda some: measure(validation, some, budget.search))

        tools = Tools(measure, lambda fit: fitted(engine, validation, fit, as_json), search)
        found = comparing.run(validation, test, opened, names, spent, tools)
    if as_json:
        report.print_json(comparing.to_dict(found, spent))
    else:
        _print(found, spent)


def _print(found: Compared, budget: Budget) -> None:
    console = Console()
    console.print(
        f"Each method measured {budget.points} points on {found.validation.num_items} validation items of each metric, both ends "
        f"among them, and is judged by its front of these on {found.test.num_items} test items.",
        highlight=False,
    )
    table = Table("method", "on its front")
    table.add_column("hypervolume, % of the box", justify="right")
    shares = next(iter(found.comparison.abilities.values()))
    for share in shares:
        table.add_column(f"ability at {share:.0%} of the gain", justify="right")
    for name, points in found.tested.items():
        area, abilities = found.comparison.hypervolumes[name], found.comparison.abilities[name].values()
        cells = (f"{e.value:.1f} ({e.low:.1f} to {e.high:.1f})" for e in (area, *abilities))
        table.add_row(name, str(len(points)), *cells)
    console.print(table)
    for told in comparing.words(found):
        console.print(told, highlight=False, soft_wrap=True)
