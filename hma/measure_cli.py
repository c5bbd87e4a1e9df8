"""``python -m hma measure``: one merge."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from hma import options, report, text
from hma.board import Board
from hma.engine import Engine
from hma.measuring import measured
from hma.verb import verb

_screen = Console(stderr=True)


@verb
def measure(
    alphas: options.Alphas,
    beyond: options.Beyond = False,
    *,
    merge: options.MergeOptions,
    chosen: options.StudyOptions,
    as_json: options.AsJson = False,
) -> None:
    """Measure one merge: its reward and abilities. A point that the store has is not measured again."""
    study = chosen.study()
    recipe = merge.recipe(study.num_layers, alphas, beyond)
    opened = chosen.open_store()
    with Engine(opened) as engine:
        measured(engine, study, [recipe], "single", as_json)
    point = opened.point(study.point_key(recipe), study.num_items)
    assert point is not None
    if as_json:
        # The point may have been stored under another partition with the same alpha for every layer.
        effective = {} if recipe == point.recipe else {"effective_alphas": []}
        report.print_json({"items": report.items_dict(study)} | point.to_dict() | {"recipe": recipe.to_dict()} | effective)
        if lost := text.lost(point.recipe, point.effective_alphas):
            _screen.print(f"[yellow]Warning:[/yellow] {escape(lost)}", highlight=False, soft_wrap=True)
    else:
        report.print_points(study, [point], Board.read(opened, study).reference)
