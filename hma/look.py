"""How points look and what they are called on every chart; what draws them is ``ui/chart.py`` and ``picture.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hma import text
from hma.core.point import Point
from hma.core.study import Axis

HMA_COLOUR, MA_COLOUR, OWN_COLOUR = "#0072B2", "#D55E00", "#009E73"
"""Blue, vermillion and green that colour-blind eyes tell apart, 3:1 against the light and the dark background."""

NEUTRAL = {"light": "#5b6573", "dark": "#97a1b0"}
INK = {"light": "#1b2330", "dark": "#e8ebf0"}


@dataclass(frozen=True)
class Series:
    """Points of one kind: title, symbol, colour (None: the ink's), and size in pixels."""

    name: str
    title: str
    symbol: str
    colour: str | None
    size: int


SERIES = (
    Series("hma", "HMA: share per block", "circle", HMA_COLOUR, 9),
    Series("ma", "MA: one share", "diamond", MA_COLOUR, 10),
    Series("own", "measured here", "star", OWN_COLOUR, 13),
    Series("end", "ends", "square", None, 11),
)

FRONT, MA_PATH = "front", "MA path"
ABILITY_TITLE = "Mean ability kept (points), better →"
REFERENCE_LINE = "the reference's ability; the gap below it is the tax"


def reward_title(axis: Axis | None) -> str:
    """The title of the axis of rewards."""
    return f"{f'{axis.title} ({axis.unit})' if axis else 'Alignment reward'}, better →"


def series_of(point: Point) -> str:
    """The name of the series that a point belongs to."""
    if point.recipe.is_end:
        return "end"
    if text.is_own(point):
        return "own"
    return "ma" if point.recipe.is_average else "hma"


def ma_path(points: Sequence[Point]) -> list[Point]:
    """The MA points in the order of their alphas, for a line through them (the models between them exist), or nothing for two."""
    path = sorted((p for p in points if p.recipe.is_average), key=lambda p: p.recipe.alphas[0])
    return path if len(path) >= 3 else []


def alt(points: Sequence[Point], front: Sequence[Point]) -> str:
    """The chart in words."""
    return f"Chart of alignment reward against mean ability: {len(points)} points, {len(front)} on the front."


def filled(points: Sequence[Point], front: Sequence[Point]) -> str:
    """What filled and open markers mean."""
    return f"Filled: on the front ({len(front)} of {len(points)}). Open: another point beats it."
