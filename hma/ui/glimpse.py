"""A still picture in the chart's place until the browser has read the chart's code, which takes it longer than all the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import quote

LEFT, RIGHT, BOTTOM, PAD = 63, 14, 61, 8
TOP, TOP_NARROW = 50, 99
"""Pixels between the chart's edge and what it draws in, once it made room for its titles and legend, and on to its axes. The
legend takes more lines on a screen of ``NARROW`` pixels at most."""

NARROW = 640

_SIZE = 1000
"""Units of the picture to each side, whatever its shape on the page: its lines and dots keep their size when it is stretched."""

_DASHES = {"dash": "7 5"}


def sheet(figure: Mapping[str, Any], key: str) -> str:
    """The style that lays the picture in the container of this ``key``, while the chart in it is not drawn."""
    waiting = f".st-key-{key}:not(:has(.main-svg))"
    hidden = f'{waiting} [data-testid="stSkeleton"] {{ visibility: hidden; }}'
    return f"<style>{rules(figure, waiting)} {hidden}</style>"


def rules(figure: Mapping[str, Any], place: str) -> str:
    """The style that lays the picture in what the selector ``place`` names, where a chart in it will draw its points."""
    height, ink = figure["layout"]["height"], figure["layout"]["xaxis"]["linecolor"]

    def placed(top: int) -> str:
        tall, wide = height - BOTTOM - top, f"calc(100% - {LEFT + RIGHT}px)"
        across = f"calc(100% - {LEFT + RIGHT - PAD}px)"
        axes = f"{LEFT - PAD}px {top}px / 1px {tall + PAD}px", f"{LEFT - PAD}px {top + tall + PAD}px / {across} 1px"
        lines = (f"linear-gradient({ink}, {ink}) no-repeat {axis}" for axis in axes)
        return f"background: {', '.join(lines)}, var(--glimpse) no-repeat {LEFT}px {top}px / {wide} {tall}px;"

    picture = f'--glimpse: url("data:image/svg+xml,{quote(_picture(figure))}")'
    return (
        f"{place} {{ {picture}; min-height: {height}px; {placed(TOP)} }} "
        f"@media (max-width: {NARROW}px) {{ {place} {{ {placed(TOP_NARROW)} }} }}"
    )


def _picture(figure: Mapping[str, Any]) -> str:
    """The visible markers and lines of a Plotly figure as SVG: one path a trace, for thousands of elements take their time."""
    layout = figure["layout"]
    across, up = layout["xaxis"]["range"], layout["yaxis"]["range"]

    def height(y: float) -> int:
        return round(_SIZE * (up[1] - y) / (up[1] - up[0]))

    def places(trace: Mapping[str, Any]) -> list[tuple[int, int]]:
        over = [round(_SIZE * (x - across[0]) / (across[1] - across[0])) for x in trace["x"]]
        return list(zip(over, map(height, trace["y"]), strict=True))

    drawn = [_line(f"M0 {height(shape['y0'])}H{_SIZE}", shape["line"]) for shape in layout["shapes"]]
    for trace in figure["data"]:
        if trace["mode"] == "lines":
            drawn.append(_line(_through(places(trace), trace["line"].get("shape")), trace["line"]))
        elif trace["mode"] == "markers" and "selectedpoints" not in trace:
            marker = trace["marker"]
            width = marker["size"] * (0.55 if marker["symbol"].endswith("-open") else 1)
            drawn.append(_line("".join(f"M{x} {y}h0" for x, y in places(trace)), {"color": marker["color"], "width": width}))
    style = "path{fill:none;stroke-linecap:round;vector-effect:non-scaling-stroke}"
    head = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" preserveAspectRatio="none"'
    return f"<svg {head}><style>{style}</style>{''.join(drawn)}</svg>"


def _through(places: Sequence[tuple[int, int]], shape: str | None) -> str:
    """A line through the places; down first and then across where its shape is steps."""
    if shape == "vh":
        places = [corner for one, other in pairwise(places) for corner in (one, (one[0], other[1]))] + list(places[-1:])
    return "M" + "L".join(f"{x} {y}" for x, y in places) if places else ""


def _line(drawn: str, style: Mapping[str, Any]) -> str:
    dash = _DASHES.get(style.get("dash", ""), style.get("dash", "").replace("px", ""))
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{drawn}" stroke="{style["color"]}" stroke-width="{style["width"]:g}"{dashed}/>'
