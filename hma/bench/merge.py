"""How fast a merge is written in place, against plain copies of the same bytes."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console

HELD = {"dense": "both ends on the device", "host": "both ends in host memory", "sparse": "both ends where they differ"}


class Hold(StrEnum):
    """How the ends are held; each way in turn."""

    dense = "dense"
    host = "host"
    sparse = "sparse"
    all = "all"


def merge(
    megabytes: Annotated[int, typer.Option(help="Size of each checkpoint; 13500 is a whole 7B.", min=100)] = 1500,
    runs: Annotated[int, typer.Option(help="Times that each is done, in turns.", min=1)] = 7,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps.", show_default="the best one found")] = None,
    hold: Annotated[
        Hold, typer.Option(help="Both ends on the device, in host memory, or only where they differ; or each in turn.")
    ] = Hold.dense,
    changed: Annotated[float, typer.Option(help="Share of the weights that differ.", min=0.0, max=1.0)] = 0.2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """A bfloat16 merge written in place, all blocks and one of three, against plain copies on the same device.

    A merge reads two checkpoints and writes one; a copy reads one and writes one. Compared are bytes moved a second,
    counted so however the ends are held: a way that moves fewer bytes may pass the copy.
    """
    from hma.checkpoints.speed import merge_speed  # Brings torch.

    ways = list(HELD) if hold is Hold.all else [str(hold)]
    found = [merge_speed(megabytes, runs, device, way, changed) for way in ways]
    if as_json:
        print(json.dumps({way["hold"]: way for way in found} if hold is Hold.all else found[0]))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Merges of {found[0]['gigabytes']:.2f} GB in bfloat16 on {found[0]['device']}, {changed:.0%} changed:")
    for way in found:
        console.print(_line(way))


def _line(way: dict[str, Any]) -> str:
    size, held = way["gigabytes"], way["held_gigabytes"]
    bus = f"; plain copies from host memory {way['bus_rate']:.1f} GB/s" if way["bus_rate"] else ""
    return (
        f"{HELD[way['hold']]}: {way['merge_rate']:.1f} GB/s moved ({way['merge_seconds'] * 1e3:.0f} ms), "
        f"{way['ratio']:.2f} of a plain copy ({way['copy_rate']:.1f} GB/s{bus}; {len(way['ratios'])} runs, "
        f"{min(way['ratios']):.2f} to {max(way['ratios']):.2f}). One of three blocks: {way['block_seconds'] * 1e3:.0f} ms, "
        f"{way['block_share']:.2f} of the whole. Effective alphas: {way['effective_seconds'] * 1e3:.0f} ms. "
        f"Held: {size + held:.2f} GB with the live model; two checkpoints and the live model are {3 * size:.2f} GB."
    )
