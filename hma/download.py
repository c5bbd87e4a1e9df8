"""A board's points as a table to take away: values for JSON, and the same for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from hma import text
from hma.board import Board
from hma.core.difference import difference
from hma.core.point import MEAN, Point

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula."""


def points(board: Board) -> dict[str, Any]:
    """The study and its points, oldest first, as plain values: alphas, scores with errors and intervals, items, origin, key."""
    study = board.study
    return {
        "study": {
            "title": study.title,
            "key": study.key,
            "split": study.split,
            "size": study.size,
            "num_items": study.num_items,
            "reference": study.reference,
            "policy": study.policy,
            "units": {axis.name: axis.unit for axis in (study.reward, *study.abilities, *study.extras)},
        },
        "alpha": "the share of the reference in a block: 0 is the policy, 1 is the reference",
        "interval": "95 %, by bootstrap over the items",
        "points": [_point(board, point) for point in board.points],
    }


def as_json(board: Board) -> str:
    """``points`` as an indented JSON text."""
    return json.dumps(points(board), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(board: Board) -> str:
    """``points`` as a comma-separated table, a row a point; numbers in full, and no cell that a spreadsheet would run."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    rows = [_row(board, said) for said in points(board)["points"]]
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow([_safe(name) for name in names])
    writer.writerows([_safe(row.get(name, "")) for name in names] for row in rows)
    return content.getvalue()


def _point(board: Board, point: Point) -> dict[str, Any]:
    recipe = point.recipe
    lost = difference(board.reference.ability, point.ability) if board.reference else None
    return {
        "key": point.key,
        "name": text.point_name(point),
        "alphas": dict(zip(recipe.partition.block_names(), recipe.alphas, strict=True)),
        "effective_alphas": list(point.effective_alphas),
        "recipe": recipe.to_dict(),
        "on_front": board.is_on_front(point),
        "scores": {name: score.to_dict() for name, score in (*point.scores.items(), (MEAN, point.ability))},
        "mean_tax": lost and {"value": lost.value, "low": lost.low, "high": lost.high},
        "num_items": board.study.num_items,
        "method": point.method,
        "measured_at": point.measured_at,
        "seconds": point.elapsed_seconds,
        "device": point.device,
    }


def _row(board: Board, said: dict[str, Any]) -> dict[str, Any]:
    """A point's values in one row, its scores by name in columns of their own."""
    study = board.study
    alphas = ";".join(map(str, said["alphas"].values()))
    row = {"key": said["key"], "name": said["name"], "blocks": ";".join(said["alphas"]), "alphas": alphas}
    row |= {"on front": said["on_front"], "split": study.split, "size": study.size, "items": said["num_items"]}
    for name, score in said["scores"].items():
        row |= {name: score["value"], f"{name} standard error": score["standard_error"]}
        row |= {f"{name} low": score["low"], f"{name} high": score["high"], f"{name} items": score["num_items"]}
    tax = said["mean_tax"] or dict.fromkeys(("value", "low", "high"), "")
    row |= {"mean tax": tax["value"], "mean tax low": tax["low"], "mean tax high": tax["high"]}
    return row | {name: said[name] for name in ("method", "measured_at", "seconds", "device")}


def _safe(cell: Any) -> Any:
    """The cell, a text that begins like a formula with an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
