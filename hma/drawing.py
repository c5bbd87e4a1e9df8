"""The front as SVG, which needs nothing but a browser: for a page of its own, and for a file to be handed on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from hma import look, ranges, text
from hma.board import Board
from hma.core.point import Point

WIDTH, HEIGHT = 760, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 16, 62

_CORNERS = {
    "diamond": (4, 90, 1.1, 1.1),
    "square": (4, 45, 1.3, 1.3),
    "triangle-up": (3, 90, 1.2, 1.2),
    "star": (10, 90, 1.2, 0.5),
}
"""Of each symbol with corners: how many, the first one's direction in degrees, and how far out they lie by turns."""

OF_PAGE = {"ink": "var(--ink)", "neutral": "var(--neutral)", "paper": "var(--paper)"}
"""Colours that follow the page that the picture stands in."""

_STYLE = (
    ".hma-front text{font:13px 'Source Sans','Source Sans 3',system-ui,sans-serif}"
    "@media (max-width:600px){.hma-front text{font-size:22px}.hma-front .hma-fine{display:none}}"
)
"""On a narrow screen the picture shrinks: its words are larger then, and the fine ones left out."""


def of_theme(theme: str) -> dict[str, str]:
    """Colours for a picture that stands alone, by "light" or "dark"."""
    return {"ink": look.INK[theme], "neutral": look.NEUTRAL[theme], "paper": look.PAGE[theme]}


class Frame:
    """Values to pixels."""

    def __init__(self, board: Board) -> None:
        self.across, self.up = ranges.of(board.points, board.front, None, "all")

    def x(self, value: float) -> float:
        return _LEFT + _share(value, self.across) * (WIDTH - _RIGHT - _LEFT)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - _share(value, self.up) * (HEIGHT - _BOTTOM - _TOP)

    def place(self, point: Point) -> tuple[float, float]:
        """Where a point stands, in pixels with one decimal."""
        return round(self.x(point.reward.value), 1), round(self.y(point.ability.value), 1)


def _share(value: float, span: Sequence[float]) -> float:
    return (value - span[0]) / ((span[1] - span[0]) or 1.0)


def front(board: Board, chosen: Point | None, words: str, colours: Mapping[str, str]) -> str:
    """The board's points as an SVG element: the front as steps through filled markers, all else open, a ring on the chosen one.

    ``words`` say it to those who do not see.
    """
    frame = Frame(board)
    drawn = [*_axes(board, frame, colours), _steps(board, frame, colours), *_reference(board, frame, colours)]
    beaten = [p for p in board.points if not board.is_on_front(p)]
    drawn += [_marker(p, frame, colours, on_front=False) for p in beaten]
    drawn += [_marker(p, frame, colours, on_front=True) for p in board.front]
    drawn += _ends(board, frame, colours)
    x, y = frame.place(chosen) if chosen else (-99.0, -99.0)
    ring = f'<circle class="hma-ring" cx="{x}" cy="{y}" r="12" fill="none" stroke="{colours["ink"]}" stroke-width="3"/>'
    head = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" class="hma-front" role="img"'
    return f'<svg {head} aria-label="{escape(text.printable(words))}"><style>{_STYLE}</style>{"".join(drawn)}{ring}</svg>'


def _axes(board: Board, frame: Frame, colours: Mapping[str, str]) -> list[str]:
    low, right, ink = HEIGHT - _BOTTOM, WIDTH - _RIGHT, colours["ink"]
    drawn = [f'<path d="M{_LEFT} {_TOP}V{low}H{right}" fill="none" stroke="{colours["neutral"]}"/>']
    for value in ticks(*frame.across):
        drawn.append(_words(text.fixed(value, _digits(frame.across)), frame.x(value), low + 22, ink, "middle"))
    for value in ticks(*frame.up):
        drawn.append(_words(text.fixed(value, _digits(frame.up)), _LEFT - 8, frame.y(value) + 5, ink, "end"))
    drawn.append(_words(look.reward_title(board.study.reward), right, HEIGHT - 10, ink, "end"))
    turned = f'transform="translate(20 {_TOP}) rotate(-90)" text-anchor="end" fill="{ink}"'
    return [*drawn, f"<text {turned}>{escape(look.ABILITY_TITLE)}</text>"]


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, four to ten of them."""
    if high <= low:
        return [low]
    size = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(size * m for m in (1, 2, 5, 10) if (high - low) / (size * m) <= 9)
    return [step * i for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _digits(span: Sequence[float]) -> int:
    found = ticks(*span)
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
    level, right, grey = frame.y(board.reference.ability.value), WIDTH - _RIGHT, colours["neutral"]
    line = f'<path d="M{_LEFT} {level:.1f}H{right}" stroke="{grey}" stroke-width="1.2" stroke-dasharray="6 5"/>'
    return [line, _words(look.REFERENCE_LINE, right, level - 6, grey, "end", "hma-fine")]


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
            drawn.append(_words(text.point_name(point), x + across, y + down, colours["ink"], anchor, behind=colours["paper"]))
    return drawn


def _words(said: str, x: float, y: float, colour: str, anchor: str, kind: str = "", behind: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"' + (f' class="{kind}"' if kind else "")
    halo = f' stroke="{behind}" stroke-width="4" paint-order="stroke"' if behind else ""
    return f'<text {place} fill="{colour}"{halo}>{escape(text.printable(said))}</text>'
