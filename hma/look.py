"""How points look and what they are called on every chart; what draws them is ``ui/chart.py`` and ``picture.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hma import text
from hma.core.point import Point
from hma.core.study import Axis

HMA_COLOUR, MA_COLOUR, OWN_COLOUR, BEYOND_COLOUR = "#0072B2", "#D55E00", "#009E73", "#A8578A"
"""Blue, vermillion, green and purple that colour-blind eyes tell apart, 3:1 against the light and the dark background."""

NEUTRAL = {"light": "#5b6573", "dark": "#97a1b0"}
INK = {"light": "#1b2330", "dark": "#e8ebf0"}
PAGE = {"light": "#ffffff", "dark": "#12161d"}
"""What the page is drawn on, as ``.streamlit/config.toml`` has it."""


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
    Series("beyond", "extrapolation", "triangle-up", BEYOND_COLOUR, 10),
    Series("own", "own points", "star", OWN_COLOUR, 13),
    Series("end", "ends", "square", None, 11),
)
_SHAPES = {"circle": "circles", "diamond": "diamonds", "square": "squares", "triangle-up": "triangles", "star": "stars"}


@dataclass(frozen=True)
class FrontStyle:
    """How one of several fronts on a chart is drawn: colour, symbol and dash each tell it apart by themselves."""

    symbol: str
    colour: str
    dash: str


FRONT_STYLES = {
    "hma": FrontStyle("circle", HMA_COLOUR, "solid"),
    "ma": FrontStyle("diamond", MA_COLOUR, "dash"),
    "own": FrontStyle("star", OWN_COLOUR, "dot"),
    "beyond": FrontStyle("triangle-up", BEYOND_COLOUR, "longdash"),
}
"""By the names of contenders."""

OTHER_FRONTS = (
    FrontStyle("triangle-down", BEYOND_COLOUR, "dashdot"),
    FrontStyle("cross", "#A07800", "longdash"),
    FrontStyle("hexagon2", "#7A7F88", "dot"),
    FrontStyle("pentagon", OWN_COLOUR, "longdashdot"),
)
"""Of further methods, in the order in which they stand."""

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
    if point.recipe.is_extrapolation:
        return "beyond"
    if text.is_own(point):
        return "own"
    return "ma" if point.recipe.is_average else "hma"


def front_style(name: str, names: Sequence[str]) -> FrontStyle:
    """How the front of one of these contenders is drawn, whichever of them are."""
    others = [other for other in names if other not in FRONT_STYLES]
    return FRONT_STYLES.get(name) or OTHER_FRONTS[others.index(name) % len(OTHER_FRONTS)]


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


def legend(points: Sequence[Point], front: Sequence[Point]) -> str:
    """What markers mean where a ring stands on the model that a lever stands on: their filling, and the shapes that are there."""
    here = {series_of(point) for point in points}
    shapes = [f"{_SHAPES[series.symbol]}: {series.title}" for series in SERIES if series.name in here]
    listed = f" In shapes, {'; '.join(shapes)}." if shapes else ""
    return f"{filled(points, front)} The ring is the model that the lever stands on.{listed}"
