"""The report of a check, as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = ("reward", "common_sense", "reading", "translation", "ability")


def print_report(report: dict[str, Any], console: Console | None = None) -> None:
    """Reward and abilities of both ends per seed, the noise, and which claims hold."""
    console = console or Console()
    table = Table("seed", "", *(name.replace("_", " ") for name in COLUMNS), title=f"Scenario {report['scenario']}, test items")
    for seed in report["seeds"]:
        for end in ("reference", "policy"):
            table.add_row(str(seed["seed"]), end, *(f"{seed[end][name]:.2f}" for name in COLUMNS))
            table.add_row("", "standard deviation", *(f"{seed['noise'][end][name]:.2f}" for name in COLUMNS), style="dim")
    console.print(table)
    for seed in report["seeds"]:
        comparison, judges = seed["ma_against_early_stopping"], seed["judges"]
        margins = comparison["margins"]
        console.print(
            f"seed {seed['seed']}: reward +{seed['reward_gain']:.2f}, tax {seed['tax']:.1f}; MA above early stopping at "
            f"{sum(m > 0 for m in margins)} of {len(margins)} snapshots, hypervolume {comparison['ma_hypervolume']:.0f} "
            f"against {comparison['path_hypervolume']:.0f}; reward model agrees {judges['reward_model']['agreement']:.3f}, "
            f"ranker {judges['ranker']['agreement']:.3f}"
        )
        for claim, held in seed["claims"].items():
            console.print(f"  {'holds' if held else 'FAILS'}: {claim}", style="" if held else "bold red")
