"""``python -m hma.lab.shipping FILE``: makes a store of the miniature's points fit to be shipped."""

from __future__ import annotations

import sys

from hma.engine import Engine
from hma.searching import keep_predictors
from hma.store import Store
from hma.study import SHIPPED, open_study


def ship(file: str) -> None:
    """Keeps what the points of each split and size predict, so that the first screen needs no worker for it; then compacts."""
    from hma.evaluate.suite import SPLITS, suite_sizes

    store = Store(file)
    with Engine(store) as engine:
        keep_predictors(engine, [open_study(split=split, size=size) for split in SPLITS for size in suite_sizes(SHIPPED)])
    store.compact()


if __name__ == "__main__":
    ship(sys.argv[1])
