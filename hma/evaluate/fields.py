"""Fields of a suite file, checked one by one."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

from hma.core.study import Axis


def number(data: Mapping[str, Any], name: str, kind: type[int] | type[float], low: float, high: float = float("inf")) -> Any:
    """A finite number of the suite file. Raises ValueError outside of ``low`` to ``high``, TypeError for anything else."""
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise TypeError(f"'{name}' is {value!r}, expected {'a whole number' if kind is int else 'a number'}")
    if not abs(value) <= sys.float_info.max:
        raise ValueError(f"'{name}' is {str(value)[:60]}, expected a finite number")
    if not low <= value <= high:
        raise ValueError(f"'{name}' is {value}, expected {low} {'or more' if high == float('inf') else f'to {high}'}")
    return kind(value)


def axis_of(name: Any, title: Any, unit: Any, group: Any = "") -> Axis:
    """An axis. Raises TypeError where what is said of it is no text."""
    for field, value in {"name": name, "title": title, "unit": unit, "group": group}.items():
        if not isinstance(value, str):
            raise TypeError(f"the {field} of '{name}' is {value!r:.60}, expected a text")
    return Axis(name, title, unit, group)


def refuse_unknown(what: str, data: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise ValueError for a field that nothing reads: most likely it is misspelt."""
    if unknown := [name for name in data if name not in known]:
        raise ValueError(f"{what} has the unknown field '{unknown[0]}', expected some of: {', '.join(known)}")
