"""The verbs ``export`` and ``verify``: a merged checkpoint from disk to disk, and whether it is whole."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from hma import options, text
from hma.checkpoints.manifest import differences, read_recipe
from hma.checkpoints.pair import Pair, open_pair
from hma.core.point import Point
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import Cancelled, ExportError, StoreError
from hma.evaluate.suite import SPLITS, load_suite, suite_sizes
from hma.store import Store
from hma.study import open_store

if TYPE_CHECKING:
    from hma.checkpoints.export import Exported

_screen = Console(stderr=True, highlight=False, soft_wrap=True)


def export(
    alphas: options.Alphas,
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    blocks: options.Blocks = None,
    pivots: options.Pivots = None,
    own: options.Own = None,
    linear_only: options.LinearOnly = False,
    dtype: options.DType = None,
    rounding: options.Rounding = "nearest",
    seed: options.Seed = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    reference: options.Reference = options.REFERENCE,
    policy: options.Policy = options.POLICY,
    allow: options.Allow = None,
    suite: options.SuiteFile = options.SUITE,
    store: options.StoreFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Write a merge as a complete model folder, with its recipe and a model card. The folder is there whole or not at all."""
    precision = options.chosen_precision(dtype, rounding, seed)
    pair = open_pair(reference, policy, options.chosen_allow(allow))
    recipe = options.chosen_recipe(pair.num_layers, alphas, options.Cut(blocks, pivots, own, linear_only), precision)
    measured = _measured(pair, recipe, suite, store)
    done = _written(pair, recipe, out, measured, force, as_json)
    if lost := text.lost(recipe, done.merge.effective):
        _screen.print(f"[yellow]Warning:[/yellow] {escape(lost)}")
    if as_json:
        _print_json(_to_dict(done))
    else:
        print(f"{done.folder}: {len(done.files) + 1} files, {done.size:,} bytes, in {done.seconds:.1f} s.")
        for name, asked, found in zip(recipe.partition.block_names(), recipe.alphas, done.merge.effective, strict=True):
            print(
                f"  {name}: alpha {asked:g}, effective {'any (both ends are equal there)' if found is None else f'{found:.3f}'}"
            )


def verify(
    folder: Annotated[Path, typer.Argument(help="A folder that `hma export` wrote.")], as_json: options.AsJson = False
) -> None:
    """Say whether an exported folder still is what its recipe.json says, file by file. Exits 2 when it is not."""
    folder = folder.expanduser()
    files = read_recipe(folder)["files"]
    found = differences(folder)
    if as_json:
        _print_json({"folder": str(folder), "whole": not found, "files": len(files), "differences": found})
    if found:
        raise ExportError(f"{folder} is not whole. {' '.join(found)} Export the merge again.")
    if not as_json:
        print(f"{folder} is whole: {len(files)} files, as recipe.json says.")


def _measured(pair: Pair, recipe: Recipe, suite: str, store: Path | None) -> list[tuple[Study, Point]]:
    """The merge's points in the store, test items first."""
    if store and not store.expanduser().exists():
        raise StoreError(f"There is no store at {store}. Name the file that has the points, or leave --store out.")
    wanted = [load_suite(suite, split, size).fingerprint for split in reversed(SPLITS) for size in suite_sizes(suite)]
    opened: Store = open_store(store)
    studies = {s.suite: s for s in opened.studies() if s.pair == pair.fingerprint and s.suite in wanted}
    found = [(studies[s], opened.point(studies[s].point_key(recipe))) for s in wanted if s in studies]
    return [(study, point) for study, point in found if point is not None]


def _written(pair: Pair, recipe: Recipe, out: Path, measured: list[tuple[Study, Point]], force: bool, quiet: bool) -> Exported:
    from hma.card import card
    from hma.checkpoints.export import export as export_merge  # Brings torch.

    try:
        with _bar(sum(t.end - t.start for t in pair.policy.tensors.values()), hidden=quiet) as advance:
            return export_merge(
                pair,
                recipe,
                out,
                card=lambda merge: card(merge, out.expanduser().resolve(), measured),
                replace=force,
                progress=advance,
            )
    except KeyboardInterrupt:
        raise Cancelled(f"Stopped. Nothing was written to {out}.") from None


@contextlib.contextmanager
def _bar(total: int, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error over bytes; hidden, it does nothing."""
    if hidden:
        yield lambda size: None
        return
    columns = (TextColumn("merging"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_screen, transient=True) as progress:
        task = progress.add_task("merging", total=total)
        yield lambda size: progress.advance(task, size)


def _to_dict(done: Exported) -> dict[str, Any]:
    merge, lost = done.merge, text.lost(done.merge.recipe, done.merge.effective)
    return {
        "folder": str(done.folder),
        "recipe": merge.recipe.to_dict(),
        "effective_alphas": list(merge.effective),
        "precision": merge.recipe.precision.to_dict(),
        "files": {name: {"size": file.size, "sha256": file.sha256} for name, file in sorted(done.files.items())},
        "size": done.size,
        "seconds": done.seconds,
        "warnings": [lost] if lost else [],
    }


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
