"""The verbs ``export``, ``verify`` and ``push``: a merged checkpoint from disk to disk, whether it is whole, and to the hub."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from hma import options, report, text
from hma import push as pushing
from hma.board import Board, boards
from hma.checkpoints.manifest import ENDS, differences, not_whole, read_recipe
from hma.checkpoints.pair import Pair
from hma.core.recipe import Recipe
from hma.errors import Cancelled, HmaError, StoreError
from hma.evaluate.suite import suite_sizes
from hma.study import open_store, suite_fingerprints
from hma.verb import verb

if TYPE_CHECKING:
    from hma.checkpoints.export import Exported

Public = Annotated[bool, typer.Option("--public/--private", help="Who sees a repository that is made: everybody, or you.")]

_screen = Console(stderr=True, highlight=False, soft_wrap=True)


@verb
def export(
    *,
    alphas: options.Alphas,
    beyond: options.Beyond = False,
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    merge: options.MergeOptions,
    tokenizer: Annotated[
        str, typer.Option(help="Whose tokenizer, chat template and generation settings: policy or reference.")
    ] = "policy",
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier export; with --push, also all that the repository holds.")
    ] = False,
    push: Annotated[
        str | None, typer.Option(help="Push it to this repository of the hub (ORG/NAME); see python -m hma push.")
    ] = None,
    public: Public = False,
    chosen: options.SuiteOptions,
    store: options.StoreFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Write a merge as a complete model folder, with its recipe and a model card. The folder is there whole or not at all."""
    if tokenizer not in ENDS:
        raise HmaError(f"--tokenizer is '{tokenizer}'. Choose one of: {', '.join(ENDS)}.")
    if push is not None:
        pushing.refuse_name(push)
        pushing.refuse_unknown()
    pair = chosen.pair()
    recipe = merge.recipe(pair.num_layers, alphas, beyond)
    measured = _boards(pair, chosen.suite, chosen.program, store)
    done = _written(pair, recipe, out, measured, tokenizer, force, as_json)
    if lost := text.lost(recipe, done.merge.effective):
        _screen.print(f"[yellow]Warning:[/yellow] {escape(text.printable(lost))}")
    if not as_json:
        _print_written(done)
    pushed = pushing.push(done.folder, push, public=public, replace=force) if push is not None else None
    if as_json:
        report.print_json(_to_dict(done) | ({"pushed": _pushed_dict(pushed)} if pushed else {}))
    elif pushed:
        _print_pushed(pushed)


def verify(
    folder: Annotated[Path, typer.Argument(help="A folder that `python -m hma export` wrote.")], as_json: options.AsJson = False
) -> None:
    """Say whether an exported folder still is what its recipe.json says, file by file. Exits 2 when it is not."""
    folder = folder.expanduser()
    files = read_recipe(folder)["files"]
    found = differences(folder)
    if as_json:
        report.print_json({"folder": str(folder), "whole": not found, "files": len(files), "differences": found})
    if found:
        raise not_whole(folder, found)
    if not as_json:
        print(f"{folder} is whole: {len(files)} files, as recipe.json says.")


def push(
    folder: Annotated[Path, typer.Argument(help="A folder that `python -m hma export` wrote.")],
    repository: Annotated[str, typer.Argument(metavar="ORG/NAME", help="The repository of the hub; made if it is not there.")],
    public: Public = False,
    force: Annotated[bool, typer.Option("--force", help="Replace all that the repository holds.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Push an exported folder to the hub, after checking that it is whole. Only what its recipe.json names is pushed."""
    done = pushing.push(folder.expanduser().resolve(), repository, public=public, replace=force)
    if as_json:
        report.print_json(_pushed_dict(done))
    else:
        _print_pushed(done)


def _boards(pair: Pair, suite: str, program: str, store: Path | None) -> list[Board]:
    """What the store has measured of the pair in the suite."""
    if store and not store.expanduser().exists():
        raise StoreError(f"There is no store at {store}. Name the file that has the points, or leave --store out.")
    return boards(open_store(store, to_read=True), pair.fingerprint, suite_fingerprints(suite, program), suite_sizes(suite))


def _written(pair: Pair, recipe: Recipe, out: Path, measured: list[Board], tokenizer: str, force: bool, quiet: bool) -> Exported:
    from hma import card
    from hma.checkpoints.export import export as export_merge  # Brings torch.

    folder = out.expanduser().resolve()
    try:
        with _bar(hidden=quiet) as advance:
            return export_merge(
                pair,
                recipe,
                folder,
                card=lambda merge: card.files(merge, folder, measured),
                tokenizer=tokenizer,
                replace=force,
                progress=advance,
            )
    except KeyboardInterrupt:
        raise Cancelled(f"Stopped. Nothing was written to {out}.") from None


@contextlib.contextmanager
def _bar(*, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error over bytes; hidden, it does nothing."""
    if hidden:
        yield lambda done, total: None
        return
    columns = (TextColumn("merging"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_screen, transient=True) as progress:
        task = progress.add_task("merging", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _print_written(done: Exported) -> None:
    print(f"{done.folder}: {len(done.files) + 1} files, {done.size:,} bytes, in {done.seconds:.1f} s.")
    recipe = done.merge.recipe
    for name, asked, found in zip(recipe.partition.block_names(), recipe.alphas, done.merge.effective, strict=True):
        print(f"  {name}: alpha {asked:g}, effective {'any (both ends are equal there)' if found is None else f'{found:.3f}'}")


def _print_pushed(done: pushing.Pushed) -> None:
    print(f"Pushed {done.num_files} files to {done.repository}, which {'only you see' if done.private else 'everybody sees'}.")


def _pushed_dict(done: pushing.Pushed) -> dict[str, Any]:
    return {"repository": done.repository, "files": done.num_files, "private": done.private}


def _to_dict(done: Exported) -> dict[str, Any]:
    merge, lost = done.merge, text.lost(done.merge.recipe, done.merge.effective)
    return {
        "folder": str(done.folder),
        "recipe": merge.recipe.to_dict(),
        "extrapolation": merge.recipe.is_extrapolation,
        "effective_alphas": list(merge.effective),
        "precision": merge.recipe.precision.to_dict(),
        "tokenizer": merge.tokenizer,
        "files": {name: {"size": file.size, "sha256": file.sha256} for name, file in sorted(done.files.items())},
        "size": done.size,
        "seconds": done.seconds,
        "warnings": [lost] if lost else [],
    }
