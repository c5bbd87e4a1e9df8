"""Building a miniature from nothing: reference, policy, judges, tasks, prompts, and a report."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from hma.errors import HmaError
from hma.lab.making import REPORT, Making, StageProgress, is_free, staged
from hma.lab.scenario import Scenario


def build(out: Path, scenario: Scenario, seed: int, progress: StageProgress, force: bool = False) -> dict[str, Any]:
    """Makes the miniature in the folder ``out`` and returns its report.

    Everything is written beside ``out`` and put in its place at the end, so that an interruption leaves
    nothing half made. Raises HmaError for a folder that holds something already, unless that is a
    miniature and ``force`` says to replace it.
    """
    if not is_free(out.expanduser()):
        if not (out.expanduser() / REPORT).is_file():
            raise HmaError(f"{out} holds something else already. Choose another folder with --out.")
        if not force:
            raise HmaError(f"{out} holds a miniature already. Choose another folder with --out, or replace it with --force.")
    with staged(out) as folder:
        return _build(Making(folder, scenario, seed, progress))


def _build(making: Making) -> dict[str, Any]:
    from hma.lab.judging import make_judges
    from hma.lab.tasks import write_judged_suite, write_suite
    from hma.lab.tokenizer import vocabulary

    folder, scenario, progress = making.folder, making.scenario, making.progress
    write_suite(folder, scenario)
    write_judged_suite(folder, scenario)
    making.train_reference()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        judges = pool.submit(make_judges, folder, scenario, making.seed)
        progress("judges, beside it", 0, 1)
        snapshots = making.train_policy()
        path = making.measured_path(snapshots)
        agreement = judges.result()
        progress("judges, beside it", 1, 1)
    parameters = sum(tensor.numel() for tensor in snapshots[0].values())
    return making.report(parameters=parameters, vocabulary=len(vocabulary()), judges=agreement, rlhf_path=path)
