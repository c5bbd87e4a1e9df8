"""The chart: points to a Plotly figure as a plain dict, which ``diagram.py`` draws on a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from hma import look, ranges, text
from hma.core.point import Point, Score
from hma.core.study import Axis
from hma.look import INK, MA_COLOUR, NEUTRAL

BEHIND = {"light": "rgba(255, 255, 255, 0.8)", "dark": "rgba(18, 22, 29, 0.8)"}
"""Behind a label, so that it reads over markers and bars."""

BARS_FOR_ALL = 200
"""Points up to which every one may have its bars."""

WEBGL_FROM = 1000
HEIGHT = 390


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
    members = {p.key for p in front}
    everywhere = bars == "all" and len(points) <= BARS_FOR_ALL
    barred = {p.key for p in points if everywhere or p.key in members or p.key == selected} if bars != "none" else set()
    scatter = "scattergl" if len(points) >= WEBGL_FROM else "scatter"
    data = [_front_line(front, theme), *_ma_path(points)]
    for series in look.SERIES:
        kind = [p for p in points if look.series_of(p) == series.name]
        style = {"symbol": series.symbol, "colour": series.colour or INK[theme], "size": series.size}
        data += _bars([p for p in kind if p.key in barred], style["colour"])
        data += _markers(kind, members, {"name": series.title, "legendgroup": series.name, "type": scatter}, style)
    if pinned is not None:
        data.append(_pin(pinned, theme))
    data.append(_picker(points, selected, members, theme, scatter))
    return {"data": data, "layout": layout(points, front, ends, near, range_mode, theme, reward)}


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


def _picker(points: Sequence[Point], selected: str | None, members: set[str], theme: str, scatter: str) -> dict[str, Any]:
    """An invisible marker over every point: it takes clicks, answers hovering, and is the ring where selected.

    The ring follows a click in the browser at once (``diagram.js``).
    """
    places = [i for i, p in enumerate(points) if p.key == selected]
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
        "selectedpoints": places,
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


def layout(
    points: Sequence[Point],
    front: Sequence[Point],
    ends: tuple[Point | None, Point | None],
    near: str | None,
    range_mode: str,
    theme: str,
    reward: Axis | None,
) -> dict[str, Any]:
    """Axes, legend, and the labels of the reference's ability and both ends, for a chart of these points."""
    across, up = ranges.of(points, front, near, range_mode)
    axis = {"zeroline": False, "showline": True, "linecolor": NEUTRAL[theme], "ticks": "outside", "ticklen": 4}
    return {
        "height": HEIGHT,
        "margin": {"l": 62, "r": 14, "t": 30, "b": 46},
        "xaxis": {**axis, "title": {"text": escape(look.reward_title(reward)), "standoff": 8}, "range": across},
        "yaxis": {**axis, "title": {"text": look.ABILITY_TITLE, "standoff": 14}, "range": up},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.0,
            "yanchor": "bottom",
            "itemclick": False,
            "itemdoubleclick": False,
            "font": {"size": 12},
        },
        "hovermode": "closest",
        "hoverdistance": 14,
        "dragmode": "pan",
        "shapes": _reference_line(ends[0], theme),
        "annotations": [*_reference_label(ends[0], theme), *_end_labels(ends, theme)],
    }


def _reference_line(reference: Point | None, theme: str) -> list[dict[str, Any]]:
    if reference is None:
        return []
    level = reference.ability.value
    line = {"color": NEUTRAL[theme], "width": 1.2, "dash": "6px 5px"}
    across = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": level, "y1": level}
    return [{"type": "line", **across, "line": line, "layer": "above"}]


def _reference_label(reference: Point | None, theme: str) -> list[dict[str, Any]]:
    if reference is None:
        return []
    return [
        {
            "text": look.REFERENCE_LINE,
            "xref": "paper",
            "x": 1,
            "xanchor": "right",
            "y": reference.ability.value,
            "yanchor": "bottom",
            "yshift": 2,
            "showarrow": False,
            "font": {"size": 12, "color": NEUTRAL[theme]},
            "bgcolor": BEHIND[theme],
            "borderpad": 1,
        }
    ]


def _end_labels(ends: tuple[Point | None, Point | None], theme: str) -> list[dict[str, Any]]:
    """The names of the two ends: the reference's below it to the right, the policy's below it to the left."""
    labels = []
    for point, anchor, shift in zip(ends, ("left", "right"), (-8, 8), strict=True):
        if point is not None:
            labels.append(
                {
                    "text": text.point_name(point),
                    "x": point.reward.value,
                    "y": point.ability.value,
                    "xanchor": anchor,
                    "yanchor": "top",
                    "xshift": shift,
                    "yshift": -10,
                    "showarrow": False,
                    "font": {"size": 13, "color": INK[theme]},
                    "bgcolor": BEHIND[theme],
                    "borderpad": 1,
                }
            )
    return labels
