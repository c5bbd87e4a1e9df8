"""How fast a merge is written in place, against plain copies of the same bytes."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console


def merge(
    megabytes: Annotated[int, typer.Option(help="Size of each checkpoint; 13500 is a whole 7B.", min=100)] = 1500,
    runs: Annotated[int, typer.Option(help="Times that each is done, in turns.", min=1)] = 7,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps.", show_default="the best one found")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """A bfloat16 merge written in place, all blocks and one of three, against plain copies on the same device.

    A merge reads two checkpoints and writes one; a copy reads one and writes one. Compared are bytes moved a second.
    """
    from hma.checkpoints.speed import merge_speed  # Brings torch.

    found = merge_speed(megabytes, runs, device)
    if as_json:
        print(json.dumps(found))
        return
    Console(highlight=False, soft_wrap=True).print(
        f"Merge of {found['gigabytes']:.2f} GB in bfloat16 on {found['device']}: {found['merge_rate']:.1f} GB/s moved "
        f"({found['merge_seconds'] * 1e3:.0f} ms), {found['ratio']:.2f} of a plain copy ({found['copy_rate']:.1f} GB/s). "
        f"Of {runs} runs: {', '.join(f'{r:.2f}' for r in found['ratios'])}.\n"
        f"One of three blocks: {found['block_seconds'] * 1e3:.0f} ms, {found['block_share']:.2f} of the whole."
    )
