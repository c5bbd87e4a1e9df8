"""Small pictures as SVG in an image of HTML, light enough to be drawn again at every touch of a slider."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from hma import look, ranges
from hma.board import Board

WIDTH, HEIGHT = 380, 112
_LEFT, _RIGHT, _TOP, _BOTTOM = 20, 6, 6, 20
_LABEL = 'font-size="11" font-family="Source Sans, system-ui, sans-serif" fill="currentColor"'
_COLOURS = (look.HMA_COLOUR, look.MA_COLOUR, look.OWN_COLOUR, look.BEYOND_COLOUR)
_DASHES = ("none", "6 3", "2 2", "8 2 2 2")

Band = tuple[float, float, float]
"""A value, and the low and high end of its 95 % band."""


class _Frame:
    """Data to pixels, upwards; what lies outside the two spans is put at their edge."""

    def __init__(self, across: Sequence[float], up: Sequence[float]) -> None:
        self._across, self._up = across, up

    def x(self, value: float) -> float:
        return _LEFT + _share(value, self._across) * (WIDTH - _RIGHT - _LEFT)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - _share(value, self._up) * (HEIGHT - _BOTTOM - _TOP)

    def line(self, points: Sequence[tuple[float, float]], style: str) -> str:
        places = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return f'<polyline points="{places}" fill="none" {style}/>'

    def dots(self, points: Sequence[tuple[float, float]], style: str) -> str:
        return "".join(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" {style}/>' for x, y in points)


def _share(value: float, span: Sequence[float]) -> float:
    return min(1.0, max(0.0, (value - span[0]) / ((span[1] - span[0]) or 1.0)))


def front(board: Board, reward: Band, ability: Band, words: str, theme: str = "light") -> str:
    """The front with a predicted point: hollow, dashed, its 95 % bands a cross. ``words`` say it to those who do not see."""
    across, up = ranges.of(board.points, board.front, None, "all")
    frame = _Frame([min(across[0], reward[1]), max(across[1], reward[2])], [min(up[0], ability[1]), max(up[1], ability[2])])
    places = [(p.reward.value, p.ability.value) for p in board.front]
    # Down first, then right, so that no step passes above a measured point.
    steps = [corner for one, other in pairwise(places) for corner in (one, (one[0], other[1]))] + places[-1:]
    dashed = f'stroke="{look.OWN_COLOUR}" stroke-width="1.8" stroke-dasharray="3 2.2"'
    content = (
        frame.line(steps, 'stroke="currentColor" opacity="0.5"'),
        frame.dots(places, 'r="2" fill="currentColor" opacity="0.6"'),
        frame.line([(end, ability[0]) for end in reward[1:]], dashed),
        frame.line([(reward[0], end) for end in ability[1:]], dashed),
        frame.dots([(reward[0], ability[0])], f'r="4.5" fill="none" {dashed}'),
    )
    return _picture(f"Small chart of the front. {words}.", "reward →", "ability →", "".join(content), theme)


def lines(series: Mapping[str, Sequence[float]], span: Sequence[float], across: str, words: str, theme: str = "light") -> str:
    """Lines over 0, 1, 2 … in colours and dashes of their own, each with its name at its end; ``span`` is the range upwards."""
    longest = max(map(len, series.values()), default=0)
    frame = _Frame([0, max(1, longest - 1) * 1.3], span)  # Room for the names.
    content = []
    for place, values in enumerate(series.values()):
        colour, dash = _COLOURS[place % len(_COLOURS)], _DASHES[place % len(_DASHES)]
        points = list(enumerate(values))
        content.append(frame.line(points, f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'))
        content.append(frame.dots(points, f'r="2.2" fill="{colour}"'))
    return _picture(words, across, "", "".join(content) + _names(series, frame), theme)


def _names(series: Mapping[str, Sequence[float]], frame: _Frame) -> str:
    """A name beside each line's last point, moved down where two would lie upon one another."""
    ends = sorted((frame.y(values[-1]), name, len(values) - 1) for name, values in series.items() if values)
    drawn, above = [], float("-inf")
    for height, name, last in ends:
        above = max(height + 3.5, above + 12)
        drawn.append(f'<text x="{frame.x(last) + 7:.1f}" y="{above:.1f}" {_LABEL}>{escape(name)}</text>')
    return "".join(drawn)


def _picture(words: str, across: str, up: str, content: str, theme: str) -> str:
    """The content in a frame with titles, in the theme's ink. As an image, since the page lets no SVG through in HTML."""
    low = HEIGHT - _BOTTOM
    frame = (
        f'<path d="M{_LEFT} {_TOP}V{low}H{WIDTH - _RIGHT}" fill="none" stroke="currentColor" opacity="0.35"/>'
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 5}" text-anchor="end" opacity="0.8" {_LABEL}>{escape(across)}</text>'
        f'<text transform="translate(13 {low}) rotate(-90)" opacity="0.8" {_LABEL}>{escape(up)}</text>'
    )
    size = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    svg = f'<svg {size} color="{look.INK[theme]}">{frame}{content}</svg>'
    data = base64.b64encode(svg.encode()).decode()
    return f'<img class="hma-sketch" alt="{escape(words)}" src="data:image/svg+xml;base64,{data}">'
