"""Opening a study (a pair and a suite, checked by headers and files, without torch) and the store of its points."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from hma.checkpoints.pair import open_pair
from hma.core.study import Study
from hma.evaluate.suite import SPLITS, load_suite
from hma.store import Store

SHIPPED = Path(__file__).resolve().parents[1] / "data" / "miniature"
"""The shipped miniature: pair, judges, tasks, prompts and measured points."""

DEFAULT_STORE = SHIPPED.parents[1] / "runs" / "points.sqlite"
"""Where points go unless a file is named; it begins with the shipped points."""


def open_study(
    reference: str | Path = SHIPPED / "reference",
    policy: str | Path = SHIPPED / "policy",
    suite: str | Path = SHIPPED / "suite.json",
    split: str = "validation",
    size: str | None = None,
    allow: Collection[str] = (),
    program: str = "",
    may_run: bool = True,
) -> Study:
    """The study of a pair and a suite; the shipped ones by default, at the suite's first size.

    ``program`` and ``may_run`` as in ``load_suite``. Raises CheckpointError or SuiteError, naming what does not fit.
    """
    pair = open_pair(reference, policy, allow)
    loaded = load_suite(suite, split, size, program, may_run)
    return Study(
        title=loaded.title,
        reference=pair.reference.place,
        policy=pair.policy.place,
        pair=pair.fingerprint,
        suite_path=str(loaded.path),
        suite=loaded.fingerprint,
        split=split,
        size=loaded.size,
        num_items=loaded.num_items,
        num_layers=pair.num_layers,
        reward=loaded.chat.rewards[0].axis,
        abilities=tuple(ability.axis for ability in loaded.abilities),
        extras=loaded.chat.extras,
        allow=pair.allow,
        program=program,
    )


def suite_fingerprints(suite: str | Path, program: str = "") -> list[str]:
    """The fingerprints of a suite, one for each split; with a reward ``program`` in the place of its first reward."""
    return [load_suite(suite, split, program=program).fingerprint for split in SPLITS]


def open_store(path: str | Path | None = None, *, to_read: bool = False) -> Store:
    """The store in a file: the one named, else ``HMA_STORE``, else the default one with the shipped points in it.

    A file that is named holds only what was measured into it, and stays as it is where it is opened ``to_read``.
    """
    path = path or os.environ.get("HMA_STORE")
    if path:
        return Store.to_read(path) if to_read else Store(path)
    store = Store(DEFAULT_STORE)
    shipped = SHIPPED / "points.sqlite"
    if shipped.exists():
        store.take_in(shipped)
    return store
