"""Axis ranges of the chart: chosen by us and kept between updates, so that a new point moves nothing."""

from __future__ import annotations

from collections.abc import Sequence

from hma.core.point import Point

MODES = ("all", "front", "near")
"""Every point; the front alone; the surroundings of the selected point."""

_NEAR = 0.18
"""Half the width of the surroundings, as a share of the whole."""


def of(points: Sequence[Point], front: Sequence[Point], selected: str | None, mode: str) -> tuple[list[float], list[float]]:
    """The ranges of reward and ability, each ``[low, high]``."""
    if not points:
        return [0.0, 1.0], [0.0, 100.0]
    whole = _around(points)
    chosen = next((p for p in points if p.key == selected), None)
    if mode == "near" and chosen is not None:
        centre = chosen.reward.value, chosen.ability.value
        spans = [_NEAR * (high - low) for low, high in whole]
        across, up = ([c - s, c + s] for c, s in zip(centre, spans, strict=True))
        return across, up
    return _around(front) if mode == "front" and front else whole


def _around(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Ranges that hold the points with room at the edges, more of it below, where the policy's name stands."""
    return (
        _padded([p.reward.value for p in points], 0.06, 0.08),
        _padded([p.ability.value for p in points], 0.12, 0.09),
    )


def _padded(values: list[float], below: float, above: float) -> list[float]:
    low, high = min(values), max(values)
    span = (high - low) or max(1.0, abs(high) * 0.1)
    return [low - below * span, high + above * span]
