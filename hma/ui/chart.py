"""The chart: points to a Plotly figure as a plain dict, which ``diagram.py`` draws on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from hma import look, text
from hma.core.point import Point, Score
from hma.core.study import Axis
from hma.look import INK, MA_COLOUR, NEUTRAL
from hma.ui import layout

BARS_FOR_ALL = 200
"""Points up to which every one may have its bars."""

WEBGL_FROM = 1000


def figure(
    points: Sequence[Point],
    front: Sequence[Point],
    ends: tuple[Point | None, Point | None],
    selected: str | None = None,
    range_mode: str = "all",
    bars: str = "front",
    theme: str = "light",
    reward: Axis | None = None,
    pinned: Point | None = None,
    near: str | None = None,
) -> dict[str, Any]:
    """The chart of one study's points as a Plotly figure.

    ``ends`` are the reference and the policy. ``selected`` is the key of the point with the ring;
    ``pinned`` is the one with the square and the letter B;
    ``range_mode`` is one of ``ranges.MODES``, ``near`` the key of the point that it may be near to;
    ``bars`` says whose 95 % bars are drawn: "none", "front" (and the selection) or "all" (up to
    ``BARS_FOR_ALL`` points).
    """
    drawn = plane(points, front, ends, range_mode, bars, theme, reward, near)
    return selecting(drawn, next((p for p in points if p.key == selected), None), pinned, bars, theme)


def plane(
    points: Sequence[Point],
    front: Sequence[Point],
    ends: tuple[Point | None, Point | None],
    range_mode: str = "all",
    bars: str = "front",
    theme: str = "light",
    reward: Axis | None = None,
    near: str | None = None,
) -> dict[str, Any]:
    """The chart with nothing selected: all that takes long where there are thousands of points. See ``figure``."""
    members = {p.key for p in front}
    everywhere = bars == "all" and len(points) <= BARS_FOR_ALL
    scatter = "scattergl" if len(points) >= WEBGL_FROM else "scatter"
    data = [_front_line(front, theme), *_ma_path(points)]
    for series in look.SERIES:
        kind = [p for p in points if look.series_of(p) == series.name]
        style = {"symbol": series.symbol, "colour": series.colour or INK[theme], "size": series.size}
        if bars != "none":
            data += _bars([p for p in kind if everywhere or p.key in members], style["colour"])
        data += _markers(kind, members, {"name": series.title, "legendgroup": series.name, "type": scatter}, style)
    data.append(_picker(points, members, theme, scatter))
    return {"data": data, "layout": layout.of(points, front, ends, near, range_mode, theme, reward)}


def selecting(
    drawn: Mapping[str, Any], selected: Point | None, pinned: Point | None = None, bars: str = "front", theme: str = "light"
) -> dict[str, Any]:
    """The chart that ``plane`` drew, with the ring, the bars of the selected point unless they are drawn, and the pinned one."""
    *traces, picker = drawn["data"]
    if selected is not None and bars != "none":
        barred = any(selected.key in trace.get("ids", ()) for trace in traces)
        colour = next(series.colour for series in look.SERIES if series.name == look.series_of(selected)) or INK[theme]
        below = next((i for i, trace in enumerate(traces) if trace["mode"] != "lines"), len(traces))
        traces[below:below] = [] if barred else _bars([selected], colour)
    if pinned is not None:
        traces.append(_pin(pinned, theme))
    places = [i for i, key in enumerate(picker["customdata"]) if selected is not None and key == selected.key]
    return {**drawn, "data": [*traces, {**picker, "selectedpoints": places}]}


def _front_line(front: Sequence[Point], theme: str) -> dict[str, Any]:
    """The front as steps that no measured point is beaten by: down first, then right."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": look.FRONT,
        "x": [p.reward.value for p in front],
        "y": [p.ability.value for p in front],
        "line": {"shape": "vh", "color": NEUTRAL[theme], "width": 2},
        "hoverinfo": "skip",
    }


def _ma_path(points: Sequence[Point]) -> list[dict[str, Any]]:
    """A thin line through the MA points."""
    path = look.ma_path(points)
    if not path:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": look.MA_PATH,
            "x": [p.reward.value for p in path],
            "y": [p.ability.value for p in path],
            "line": {"color": MA_COLOUR, "width": 1.2, "dash": "dash"},
            "hoverinfo": "skip",
        }
    ]


def _markers(points: Sequence[Point], members: set[str], common: dict[str, Any], style: dict[str, Any]) -> list[dict[str, Any]]:
    """One trace for the filled markers on the front, one for the open ones that another point beats."""
    traces: list[dict[str, Any]] = []
    for on_front in (False, True):
        kept = [p for p in points if (p.key in members) == on_front]
        if not kept:
            continue
        symbol = style["symbol"] if on_front else f"{style['symbol']}-open"
        traces.append(
            {
                **common,
                "mode": "markers",
                "x": [p.reward.value for p in kept],
                "y": [p.ability.value for p in kept],
                "customdata": [p.key for p in kept],
                "marker": {
                    "symbol": symbol,
                    "size": style["size"] if on_front else style["size"] - 2,
                    "color": style["colour"],
                    "line": {"width": 1.5 if on_front else 1.2, "color": style["colour"]},
                },
                # The picker shows what is selected; nothing fades for it.
                "selected": {"marker": {"opacity": 1}},
                "unselected": {"marker": {"opacity": 1}},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    if traces:
        traces[-1]["showlegend"] = True
    return traces


def _pin(point: Point, theme: str) -> dict[str, Any]:
    """A square about the pinned point, with its letter."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [point.reward.value],
        "y": [point.ability.value],
        "text": ["<b>B</b>"],
        "textposition": "top right",
        "textfont": {"size": 14, "color": INK[theme]},
        "marker": {"symbol": "square-open", "size": 20, "color": INK[theme], "line": {"width": 2}},
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 1}},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _bars(points: Sequence[Point], colour: str) -> list[dict[str, Any]]:
    """Thin 95 % bars, asymmetric, in a trace of their own: a marker without bars would be asked for its bars all the same."""
    if not points:
        return []
    return [
        {
            "type": "scatter",
            "mode": "none",
            "ids": [p.key for p in points],
            "x": [p.reward.value for p in points],
            "y": [p.ability.value for p in points],
            "error_x": _reach([p.reward for p in points], colour),
            "error_y": _reach([p.ability for p in points], colour),
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]


def _reach(scores: Sequence[Score], colour: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [s.high - s.value for s in scores],
        "arrayminus": [s.value - s.low for s in scores],
        "thickness": 1,
        "width": 0,
        "color": colour,
    }


def _picker(points: Sequence[Point], members: set[str], theme: str, scatter: str) -> dict[str, Any]:
    """An invisible marker over every point: it takes clicks, answers hovering, and is the ring where selected.

    The ring follows a click in the browser at once (``diagram.js``).
    """
    return {
        "type": scatter,
        "mode": "markers",
        "name": "points",
        "x": [p.reward.value for p in points],
        "y": [p.ability.value for p in points],
        "customdata": [p.key for p in points],
        "text": [hover(p, under="on the front" if p.key in members else "another point beats it") for p in points],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": "circle-open", "size": 21, "color": INK[theme], "line": {"width": 2.5}},
        "selectedpoints": [],
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 0}},
        "showlegend": False,
    }


def hover(point: Point, beside: str = "", under: str = "") -> str:
    """What hovering over a point says: its name, with something ``beside`` it, its scores with intervals, and a last line."""
    reward, ability = point.reward, point.ability
    lines = [
        f"<b>{escape(text.point_name(point))}</b>{beside}",
        f"reward {text.rounded(reward)} (95 %: {text.interval(reward.low, reward.high)})",
        f"mean ability {text.rounded(ability)} (95 %: {text.interval(ability.low, ability.high)})",
        under,
    ]
    return "<br>".join(filter(None, lines))
