"""The chart's layout: its axes and their ranges, its legend, and the labels of what is not a marker."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from hma import look, ranges, text
from hma.core.point import Point
from hma.core.study import Axis
from hma.look import INK, NEUTRAL

BEHIND = {"light": "rgba(255, 255, 255, 0.8)", "dark": "rgba(18, 22, 29, 0.8)"}
"""Behind a label, so that it reads over markers and bars."""

_ROOM = 0.09
"""Of the chart's height, what a name below a point takes."""

HEIGHT = 399


def of(
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
        "margin": {"l": 62, "r": 14, "t": 50, "b": 46},
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
        "annotations": [*_reference_label(ends[0], theme), *_end_labels(ends, theme, up)],
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


def _end_labels(ends: tuple[Point | None, Point | None], theme: str, up: Sequence[float]) -> list[dict[str, Any]]:
    """The names of the two ends: the reference's below it to the right, the policy's below it to the left, or beside it where
    the axis is too near below.
    """
    labels = []
    for point, anchor, shift in zip(ends, ("left", "right"), (-8, 8), strict=True):
        if point is not None:
            is_low = point.ability.value - up[0] < _ROOM * (up[1] - up[0])
            labels.append(
                {
                    "text": text.point_name(point),
                    "x": point.reward.value,
                    "y": point.ability.value,
                    "xanchor": anchor,
                    "yanchor": "middle" if is_low else "top",
                    "xshift": -1.5 * shift if is_low else shift,
                    "yshift": 0 if is_low else -10,
                    "showarrow": False,
                    "font": {"size": 13, "color": INK[theme]},
                    "bgcolor": BEHIND[theme],
                    "borderpad": 1,
                }
            )
    return labels
