"""How long it takes to measure what is not open yet, as far as the store knows."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

from hma import text
from hma.core import front
from hma.core.study import Study
from hma.store import Store

_LATEST = 20
"""Points by whose seconds the next ones are reckoned."""

_LOADING = "Before the first, both checkpoints are loaded."


def words(store: Store, study: Study) -> str:
    """What measuring a study's two ends takes: by its own points, else that it is not known, with what others took."""
    points = store.points(study)
    lacking = front.ends(points).count(None)
    if not lacking:
        return "Both ends are measured already."
    own = _seconds(store, study)
    if own is not None:
        what = "the two ends" if lacking == 2 else "the end that is missing"
        about = f"{text.seconds(lacking * own)}, at {own:.1f} s a point as the latest of this study took"
        return f"Measuring {what}: {about}. {_LOADING}"
    return f"How long the two ends take is not known before the first is measured{_others(store, study)}. {_LOADING}"


def _seconds(store: Store, study: Study) -> float | None:
    """What the latest points of a study took each, of those that were timed."""
    took = [point.elapsed_seconds for point in store.points(replace(study, num_items=1)) if point.elapsed_seconds]
    return median(took[-_LATEST:]) if took else None


def _others(store: Store, study: Study) -> str:
    """What points took of the study that is most like it: of the same pair, else the newest."""
    others = sorted((other for other in store.studies() if other.key != study.key), key=lambda o: o.pair != study.pair)
    for other in others[:1]:
        if (took := _seconds(store, other)) is not None:
            alike = other.pair == study.pair
            whose = "this pair with other items or scores" if alike else "another pair, which may be of another size"
            return f"; points of {whose} took {took:.1f} s each here"
    return "; no point has been timed yet"
