"""The verbs ``preflight`` and ``delta``: whether a pair can be merged, and what RLHF changed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from hma import options, report
from hma.checkpoints.pair import Pair
from hma.checkpoints.preflight import Preflight
from hma.checkpoints.preflight import preflight as checked
from hma.core.partition import Partition
from hma.verb import verb

if TYPE_CHECKING:
    from hma.checkpoints.delta import Change

_screen = Console(stderr=True, highlight=False, soft_wrap=True)


@verb
def preflight(
    chosen: options.PairOptions,
    as_json: options.AsJson = False,
) -> None:
    """Check that a pair can be merged and fits, without reading its weights. Exit code 2 when it cannot.

    All that is wrong is listed, with what to do. A hub id is looked for in the cache of this machine; nothing is fetched.
    """
    found = checked(chosen.reference, chosen.policy, chosen.allowed)
    if as_json:
        report.print_json(found.to_dict())
    else:
        _print_preflight(found)
    if found.is_fatal:
        raise typer.Exit(2)


@verb
def delta(
    blocks: options.BlockOptions,
    chosen: options.PairOptions,
    as_json: options.AsJson = False,
) -> None:
    """What RLHF changed in each block, in one pass over the weights: how many weights, by how little, and how much in all.

    Weights that moved by one unit in the last place have nothing between their two ends: where they are many, choose
    float16, float32 or stochastic rounding for merges. NaN and infinity are refused with the tensor's name.
    """
    pair = chosen.pair()
    partition = blocks.partition(pair.num_layers)
    found = _changes(pair, hidden=as_json)
    from hma.checkpoints.delta import in_blocks, total

    per_block, whole = in_blocks(found, partition), total(found.values())
    if as_json:
        named = zip(partition.block_names(), per_block, strict=True)
        report.print_json(
            {
                "blocks": [{"name": name, **change.to_dict()} for name, change in named],
                "total": whole.to_dict(),
                "tensors": {name: change.to_dict() for name, change in found.items()},
            }
        )
    else:
        _print_delta(partition, per_block, whole)


def _changes(pair: Pair, *, hidden: bool) -> dict[str, Change]:
    from hma.checkpoints.delta import changes  # Brings torch.

    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_screen, transient=True, disable=hidden) as progress:
        task = progress.add_task("reading", total=sum(t.end - t.start for t in pair.policy.tensors.values()))
        return changes(pair, lambda size: progress.advance(task, size))


def _print_delta(partition: Partition, blocks: list[Change], whole: Change) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("block", "layers", "weights", "changed", "by one unit", "norm of the change"):
        table.add_column(title, justify="left" if title in ("block", "layers") else "right")
    for k, (name, change) in enumerate(zip(partition.block_names(), blocks, strict=True)):
        layers = partition.layers(k)
        table.add_row(name, f"{layers[0]}-{layers[-1]}" if layers else "", *_cells(change))
    table.add_row("all", "", *_cells(whole), style="bold")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "changed: differs in any bit. by one unit: moved by at most one unit in the last place, so that its dtype has no number "
        "between the two ends. norm: |policy - reference| / |reference|."
    )


def _cells(change: Change) -> tuple[str, str, str, str]:
    norm = change.relative_norm
    shares = (f"{100 * share:.1f} %" for share in (change.changed_share, change.by_one_share))
    return f"{change.weights:,}", *shares, "" if norm is None else f"{norm:.3g}"


def _print_preflight(found: Preflight) -> None:
    """The findings as a list, fatal ones first, and in words whether the pair can be merged."""
    console = Console(highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for finding in found.findings:
        style = {"fatal": "bold red", "warning": "yellow"}.get(finding.level, "dim")
        table.add_row(Text(finding.level, style), Text.assemble((finding.subject, "bold"), ": ", finding.message))
    console.print(table)
    count = {level: sum(f.level == level for f in found.findings) for level in ("fatal", "warning")}
    warnings = f"{count['warning']} warning{'' if count['warning'] == 1 else 's'}"
    if found.is_fatal:
        console.print(f"This pair cannot be merged: {count['fatal']} fatal, {warnings}.")
    else:
        console.print(f"This pair can be merged, as far as can be seen without its weights: {warnings}.")
