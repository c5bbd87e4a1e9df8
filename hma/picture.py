"""The chart as a picture: a board to a PNG, with the words and colours of the app's chart."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hma import look, ranges, text
from hma.board import Board
from hma.core.point import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, NEUTRAL = look.INK["light"], look.NEUTRAL["light"]
CHOSEN = "this merge"

_INCHES, _DOTS = (8.0, 4.7), 180
"""Width and height, and dots an inch: as wide as a page of text, and sharp on a fine screen."""

_POINTS_PER_PIXEL = 0.68
"""The app's sizes are in pixels of a chart that is about this much larger."""

_MARKERS = {"circle": ("o", 1.0), "diamond": ("D", 0.8), "star": ("*", 1.15), "square": ("s", 0.85), "triangle-up": ("^", 1.0)}
"""Matplotlib's symbols, and what makes them as large as the app's."""


def front_png(board: Board, chosen: Point | None = None) -> bytes:
    """The board's points, front and ends as a PNG, with a ring around the chosen point. The same board gives the same bytes."""
    content = io.BytesIO()
    drawn(board, chosen).savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()


def drawn(board: Board, chosen: Point | None = None) -> Figure:
    """The figure of ``front_png``: artists carry as label what they show."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DOTS, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)  # No pyplot: it needs no display and keeps no figure alive.
    axes = figure.add_subplot()
    _frame(axes, board)
    _lines(axes, board)
    barred = {p.key for p in board.front} | ({chosen.key} if chosen else set())
    for series in look.SERIES:
        _markers(axes, series, [p for p in board.points if look.series_of(p) == series.name], board, barred)
    if chosen:
        ring = {"marker": "o", "markersize": 15, "markerfacecolor": "none", "markeredgewidth": 1.8, "markeredgecolor": INK}
        axes.plot([chosen.reward.value], [chosen.ability.value], linestyle="none", label=CHOSEN, zorder=5, **ring)
    _labels(axes, board)
    _legend(figure, axes)
    return figure


def _frame(axes: Axes, board: Board) -> None:
    across, up = ranges.of(board.points, board.front, None, "all")
    axes.set(xlim=across, ylim=up)
    # A suite's titles may hold dollar signs, which are no formulas.
    axes.set_xlabel(look.reward_title(board.study.reward), color=INK, parse_math=False)
    axes.set_ylabel(look.ABILITY_TITLE, color=INK)
    axes.set_title(f"{board.study.title}: {text.items(board.study)}", loc="left", size=8.5, color=NEUTRAL, parse_math=False)
    axes.tick_params(colors=NEUTRAL, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(NEUTRAL)


def _lines(axes: Axes, board: Board) -> None:
    """The front as steps that no measured point is beaten by: down first, then right; and the MA points' own path."""
    front, path = board.front, look.ma_path(board.points)
    axes.plot(*_plane(front), color=NEUTRAL, linewidth=1.4, drawstyle="steps-pre", label=look.FRONT, zorder=2)
    if path:
        axes.plot(*_plane(path), color=look.MA_COLOUR, linewidth=0.9, linestyle=(0, (5, 3)), label=look.MA_PATH, zorder=1.5)
    if board.reference:
        level = board.reference.ability.value
        axes.axhline(level, color=NEUTRAL, linewidth=0.9, linestyle=(0, (6, 5)), label="_reference", zorder=1)


def _markers(axes: Axes, series: look.Series, points: Sequence[Point], board: Board, barred: set[str]) -> None:
    """Filled markers on the front, open ones that another point beats, and thin 95 % bars."""
    colour = series.colour or INK
    shape, scale = _MARKERS[series.symbol]
    style = {"linestyle": "none", "marker": shape, "color": colour, "markeredgewidth": 0.9}
    size = scale * _POINTS_PER_PIXEL * series.size
    titled = False
    for on_front in (True, False):
        kept = [p for p in points if board.is_on_front(p) == on_front]
        if not kept:
            continue
        looks = {"markersize": size} if on_front else {"markersize": 0.85 * size, "markerfacecolor": "none"}
        label = series.title if not titled else f"_{series.title}"
        axes.plot(*_plane(kept), **style, **looks, label=label, zorder=4 if on_front else 3)
        titled = True
        _bars(axes, [p for p in kept if p.key in barred], colour)


def _bars(axes: Axes, points: Sequence[Point], colour: str) -> None:
    if points:  # Rounding may put an interval beside its value.
        errors = {
            name: [[max(0.0, s.value - s.low) for s in scores], [max(0.0, s.high - s.value) for s in scores]]
            for name, scores in (("xerr", [p.reward for p in points]), ("yerr", [p.ability for p in points]))
        }
        axes.errorbar(*_plane(points), **errors, fmt="none", ecolor=colour, elinewidth=0.7, label="_bars", zorder=2.5)


def _labels(axes: Axes, board: Board) -> None:
    """What the reference's line is, and the names of the two ends: the reference's to its right, the policy's to its left."""
    behind = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    if board.reference:
        place = (1, board.reference.ability.value), (0, 3)
        style = {"ha": "right", "va": "bottom", "fontsize": 8.5, "color": NEUTRAL, "bbox": behind, "zorder": 6}
        coords = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
        axes.annotate(look.REFERENCE_LINE, *place, **coords, **style)
    for point, side, shift in ((board.reference, "left", -5), (board.policy, "right", 5)):
        if point:
            place = (point.reward.value, point.ability.value), (shift, -8)
            style = {"ha": side, "va": "top", "fontsize": 9.5, "color": INK, "bbox": behind, "zorder": 6}
            axes.annotate(text.point_name(point), *place, textcoords="offset points", **style)


def _legend(figure: Figure, axes: Axes) -> None:
    handles, titles = axes.get_legend_handles_labels()
    style = {"frameon": False, "fontsize": 8.5, "labelcolor": INK, "columnspacing": 1.4, "handletextpad": 0.5}
    figure.legend(handles, titles, loc="outside upper left", ncols=len(titles), **style)


def _plane(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [p.reward.value for p in points], [p.ability.value for p in points]
