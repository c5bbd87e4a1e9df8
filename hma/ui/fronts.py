"""The fronts of several methods on one chart: to a Plotly figure as a plain dict, and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import chain
from typing import Any

from hma import text
from hma.contest import Contest
from hma.core import front as fronts
from hma.core.point import Point
from hma.look import INK, NEUTRAL, FrontStyle
from hma.ui import chart, layout

_CORNER = "corner"


def figure(found: Contest, titles: Mapping[str, str], styles: Mapping[str, FrontStyle], theme: str = "light") -> dict[str, Any]:
    """The fronts of a contest as steps, each with its points: filled on the front, open where another of them is better.

    ``titles`` and ``styles`` are by the contenders' names. The first is drawn last, so that it lies above the others.
    """
    data: list[dict[str, Any]] = []
    for rank, name in reversed(list(enumerate(found.drawn))):
        common = {"name": escape(titles[name]), "legendgroup": name, "legendrank": rank + 1}
        data += _front(found, name, common, styles[name])
    ends = [end for end in found.ends if end is not None]
    data += _ends(ends, theme)
    every = list({p.key: p for p in chain(ends, *found.drawn.values())}.values())
    drawn_on = layout.of(every, [], found.ends, None, "all", theme, found.study.reward)
    drawn_on["annotations"] += _corner_label(ends, theme)
    return {"data": data, "layout": drawn_on}


def _front(found: Contest, name: str, common: dict[str, Any], style: FrontStyle) -> list[dict[str, Any]]:
    """A contender's steps with the points on them, then what it chose and these beat."""
    members = found.front(name)
    on_it = {p.key for p in members}
    beaten = [p for p in found.drawn[name] if p.key not in on_it]
    line = {"line": {"shape": "vh", "color": style.colour, "width": 2.2, "dash": style.dash}}
    filled = {"symbol": style.symbol, "size": 9, "color": style.colour, "line": {"width": 1, "color": style.colour}}
    hollow = {"symbol": f"{style.symbol}-open", "size": 8, "color": style.colour, "line": {"width": 1.3, "color": style.colour}}
    return [
        {**_scatter(members, common["name"]), **common, "mode": "lines+markers", "marker": filled, **line},
        {**_scatter(beaten, common["name"]), **common, "mode": "markers", "marker": hollow, "showlegend": False},
    ][: 1 + bool(beaten)]


def _scatter(points: Sequence[Point], title: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [p.reward.value for p in points],
        "y": [p.ability.value for p in points],
        "customdata": [p.key for p in points],
        "text": [chart.hover(p, beside=f" · {title}" if title else "") for p in points],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _ends(ends: Sequence[Point], theme: str) -> list[dict[str, Any]]:
    """Both ends, and the corner, which is the same for all."""
    square = {"symbol": "square", "size": 11, "color": INK[theme]}
    common = {"mode": "markers", "showlegend": False}
    drawn: list[dict[str, Any]] = [{**_scatter(ends, ""), **common, "name": "ends", "marker": square}]
    corner = fronts.corner_of(ends)
    if corner is not None:
        cross = {"symbol": "x-thin", "size": 9, "color": NEUTRAL[theme], "line": {"width": 1.6, "color": NEUTRAL[theme]}}
        place = {"x": [corner.reward], "y": [corner.ability]}
        drawn.append({"type": "scatter", **common, "name": _CORNER, **place, "marker": cross, "hoverinfo": "skip"})
    return drawn


def _corner_label(ends: Sequence[Point], theme: str) -> list[dict[str, Any]]:
    corner = fronts.corner_of(ends)
    if corner is None:
        return []
    where = {"x": corner.reward, "y": corner.ability, "xanchor": "left", "yanchor": "bottom", "xshift": 6, "yshift": 2}
    return [{"text": _CORNER, **where, "showarrow": False, "font": {"size": 12, "color": NEUTRAL[theme]}}]


def alt(found: Contest, titles: Mapping[str, str]) -> str:
    """The chart in words."""
    listed = ", ".join(f"{titles[name]} with {len(found.front(name))} points" for name in found.drawn)
    return f"Chart of alignment reward against mean ability, {text.items(found.study)}: the front of {listed}; both ends."
