"""The front as SVG, which needs nothing but a browser: for a page of its own, and for a file to be handed on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from hma import look, ranges, text
from hma.board import Board
from hma.core.point import Point


@dataclass(frozen=True)
class Shape:
    """The size of a drawing and of its margins in pixels; ``ticks`` is how many steps an axis has at most."""

    name: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    ticks: int


WIDE, NARROW = Shape("wide", 760, 430, 70, 16, 16, 62, 9), Shape("narrow", 358, 330, 58, 10, 16, 58, 5)
"""For a page with room, and for a telephone, where the wide one would shrink until nobody can read it."""

SHAPES = (WIDE, NARROW)

_CORNERS = {
    "diamond": (4, 90, 1.1, 1.1),
    "square": (4, 45, 1.3, 1.3),
    "triangle-up": (3, 90, 1.2, 1.2),
    "star": (10, 90, 1.2, 0.5),
}
"""Of each symbol with corners: how many, the first one's direction in degrees, and how far out they lie by turns."""

OF_PAGE = {"ink": "var(--ink)", "neutral": "var(--neutral)", "paper": "var(--paper)"}
"""Colours that follow the page that the picture stands in."""

_STYLE = ".hma-front text{font:13px 'Source Sans','Source Sans 3',system-ui,sans-serif}"
_LETTER = 7.0
"""Pixels of a letter, rather more than less."""


def of_theme(theme: str) -> dict[str, str]:
    """Colours for a picture that stands alone, by "light" or "dark"."""
    return {"ink": look.INK[theme], "neutral": look.NEUTRAL[theme], "paper": look.PAGE[theme]}


class Frame:
    """Values to pixels of a drawing of this shape, whose axes end at ``left`` and ``right``, ``top`` and ``low``."""

    def __init__(self, board: Board, shape: Shape) -> None:
        self.shape = shape
        self.across, self.up = ranges.of(board.points, board.front, None, "all")
        self.left, self.right = shape.left, shape.width - shape.right
        self.top, self.low = shape.top, shape.height - shape.bottom

    def x(self, value: float) -> float:
        return self.left + _share(value, self.across) * (self.right - self.left)

    def y(self, value: float) -> float:
        return self.low - _share(value, self.up) * (self.low - self.top)

    def place(self, point: Point) -> tuple[float, float]:
        """Where a point stands, in pixels with one decimal."""
        return round(self.x(point.reward.value), 1), round(self.y(point.ability.value), 1)


def _share(value: float, span: Sequence[float]) -> float:
    return (value - span[0]) / ((span[1] - span[0]) or 1.0)


def front(board: Board, chosen: Point | None, words: str, colours: Mapping[str, str], shape: Shape) -> str:
    """The board's points as an SVG element: the front as steps through filled markers, all else open, a ring on the chosen one.

    ``words`` say it to those who do not see. Its class is the shape's name after ``hma-``, so that a page can show the one
    that fits.
    """
    frame = Frame(board, shape)
    drawn = [*_axes(board, frame, colours), _steps(board, frame, colours), *_reference(board, frame, colours)]
    beaten = [p for p in board.points if not board.is_on_front(p)]
    drawn += [_marker(p, frame, colours, on_front=False) for p in beaten]
    drawn += [_marker(p, frame, colours, on_front=True) for p in board.front]
    drawn += _ends(board, frame, colours)
    x, y = frame.place(chosen) if chosen else (-99.0, -99.0)
    ring = f'<circle class="hma-ring" cx="{x}" cy="{y}" r="12" fill="none" stroke="{colours["ink"]}" stroke-width="3"/>'
    size = f'viewBox="0 0 {shape.width} {shape.height}" class="hma-front hma-{shape.name}"'
    head = f'xmlns="http://www.w3.org/2000/svg" {size} role="img"'
    return f'<svg {head} aria-label="{escape(text.printable(words))}"><style>{_STYLE}</style>{"".join(drawn)}{ring}</svg>'


def _axes(board: Board, frame: Frame, colours: Mapping[str, str]) -> list[str]:
    ink, most = colours["ink"], frame.shape.ticks
    edge = f"M{frame.left} {frame.top}V{frame.low}H{frame.right}"
    drawn = [f'<path d="{edge}" fill="none" stroke="{colours["neutral"]}"/>']
    across, up = ticks(*frame.across, most), ticks(*frame.up, most)
    drawn += [_words(text.fixed(v, _digits(across)), frame.x(v), frame.low + 22, ink, "middle") for v in across]
    drawn += [_words(text.fixed(v, _digits(up)), frame.left - 8, frame.y(v) + 5, ink, "end") for v in up]
    named = (look.reward_title(board.study.reward), look.reward_title(None))
    drawn.append(_words(_fitting(named, frame.shape.width - 12), frame.right, frame.shape.height - 10, ink, "end"))
    turned = f'transform="translate(20 {frame.top}) rotate(-90)" text-anchor="end" fill="{ink}"'
    return [*drawn, f"<text {turned}>{escape(look.ABILITY_TITLE)}</text>"]


def _fitting(words: Sequence[str], room: float) -> str:
    """The first of these that has room for it, in pixels; the last where none has."""
    return next((said for said in words if len(said) * _LETTER <= room), words[-1])


def ticks(low: float, high: float, most: int = WIDE.ticks) -> list[float]:
    """Round numbers from low to high, with at most ``most`` steps between them."""
    if high <= low:
        return [low]
    size = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(size * m for m in (1, 2, 5, 10) if (high - low) / (size * m) <= most)
    return [step * i for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _digits(found: Sequence[float]) -> int:
    """How many decimals tell these ticks apart."""
    step = found[1] - found[0] if len(found) > 1 else 1.0
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _steps(board: Board, frame: Frame, colours: Mapping[str, str]) -> str:
    """Down first, then right, so that no step passes above a measured point."""
    places = [frame.place(p) for p in board.front]
    corners = [corner for one, other in pairwise(places) for corner in (one, (one[0], other[1]))] + places[-1:]
    joined = " ".join(f"{x:g},{y:g}" for x, y in corners)
    return f'<polyline class="hma-steps" points="{joined}" fill="none" stroke="{colours["neutral"]}" stroke-width="2"/>'


def _reference(board: Board, frame: Frame, colours: Mapping[str, str]) -> list[str]:
    """The level of the reference, below which the gap is the tax."""
    if board.reference is None:
        return []
    (at, _), level, grey = frame.place(board.reference), frame.y(board.reference.ability.value), colours["neutral"]
    line = f'<path d="M{frame.left} {level:.1f}H{frame.right}" stroke="{grey}" stroke-width="1.2" stroke-dasharray="6 5"/>'
    room = frame.right - at - _LETTER * len(text.point_name(board.reference))  # Its name stands at the same height.
    said = _fitting((look.REFERENCE_LINE, look.REFERENCE_LINE.partition(";")[0], ""), room)
    return [line, *([_words(said, frame.right, level - 6, grey, "end")] if said else [])]


def _marker(point: Point, frame: Frame, colours: Mapping[str, str], *, on_front: bool) -> str:
    """Filled on the front, open where another point beats it; shapes and colours as on every chart."""
    series = next(s for s in look.SERIES if s.name == look.series_of(point))
    colour, (x, y) = series.colour or colours["ink"], frame.place(point)
    size = series.size / 2 - (0 if on_front else 1)
    fill = colour if on_front else "none"
    shape = f'd="{_outline(series.symbol, x, y, size)}"'
    return f'<path {shape} fill="{fill}" stroke="{colour}" stroke-width="1.3" opacity="{1 if on_front else 0.75}"/>'


def _outline(symbol: str, x: float, y: float, size: float) -> str:
    if symbol == "circle":
        return f"M{x - size:.1f} {y}a{size} {size} 0 1 0 {2 * size} 0a{size} {size} 0 1 0 {-2 * size} 0Z"
    count, first, outer, inner = _CORNERS[symbol]
    places = []
    for i in range(count):
        turn, reach = math.radians(first + 360 * i / count), size * (outer if i % 2 == 0 else inner)
        places.append(f"{x + reach * math.cos(turn):.1f} {y - reach * math.sin(turn):.1f}")
    return f"M{'L'.join(places)}Z"


def _ends(board: Board, frame: Frame, colours: Mapping[str, str]) -> list[str]:
    """The names of the two ends: the reference's above it to the right, off the front, the policy's below it to the left."""
    drawn = []
    for point, anchor, across, down in ((board.reference, "start", -6, -12), (board.policy, "end", 6, 26)):
        if point:
            x, y = frame.place(point)
            below = min(y + down, frame.low - 6)
            drawn.append(_words(text.point_name(point), x + across, below, colours["ink"], anchor, behind=colours["paper"]))
    return drawn


def _words(said: str, x: float, y: float, colour: str, anchor: str, behind: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    halo = f' stroke="{behind}" stroke-width="4" paint-order="stroke"' if behind else ""
    return f'<text {place} fill="{colour}"{halo}>{escape(text.printable(said))}</text>'
