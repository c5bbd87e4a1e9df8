"""Pairs of several scenarios and seeds, side by side: what a comparison of methods is made on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hma.core.recipe import digest
from hma.errors import HmaError
from hma.lab.making import REPORT, Making, StageProgress, is_free, is_of, read_report, staged
from hma.lab.scenario import Scenario

SHIPPED = Path(__file__).resolve().parents[2] / "data" / "miniature"
"""The shipped miniature: its reference and policy are taken where they are what is asked for."""


@dataclass(frozen=True)
class Wanted:
    """One pair: a scenario and a seed, in a folder of its own under ``out``, with or without its RLHF path measured."""

    out: Path
    scenario: Scenario
    seed: int
    path: bool = False

    @property
    def folder(self) -> Path:
        return self.out / self.scenario.name / f"seed-{self.seed}"

    @property
    def name(self) -> str:
        return f"{self.scenario.name}, seed {self.seed}"

    @property
    def reference(self) -> Path:
        """Where the pair's reference is kept for every scenario that starts from it."""
        return self.out / "references" / f"{digest(_training(asdict(self.scenario)))}-seed-{self.seed}"

    @property
    def is_there(self) -> bool:
        """Raises HmaError for a folder that holds something else."""
        if is_free(self.folder):
            return False
        if not (self.folder / REPORT).is_file():
            raise HmaError(f"{self.folder} holds something else already. Choose another folder with --out.")
        report = read_report(self.folder)
        if not is_of(report, self.scenario, self.seed):
            raise HmaError(
                f"{self.folder} holds a pair of other settings than the scenario '{self.scenario.name}' and seed {self.seed} "
                "have now. Choose another folder with --out, or remove it."
            )
        return "rlhf_path" in report or not self.path


def make_pairs(wanted: Sequence[Wanted], jobs: int, progress: StageProgress) -> list[Wanted]:
    """Makes the pairs that are missing, and returns which these were.

    A reference is trained once for all that start from it. Everything is whole or not there, so that what was
    interrupted goes on where it stopped. With more than one job as many processes work at a time, each on the pairs
    of one reference. Raises HmaError for a folder that holds something else, before anything is trained.
    """
    missing = [pair for pair in wanted if not pair.is_there]
    families: dict[Path, list[Wanted]] = {}
    for pair in missing:
        families.setdefault(pair.reference, []).append(pair)
    for reference, pairs in families.items():
        _check_reference(reference, pairs[0])
    if jobs == 1:
        for pairs in families.values():
            _make_family(pairs, progress)
        return missing
    with _processes(jobs) as pool:
        running = {pool.submit(_make_family, pairs, _silent): pairs for pairs in families.values()}
        done = 0
        for finished in as_completed(running):
            finished.result()
            done += len(running[finished])
            progress("pairs", done, len(missing))
    return missing


def _make_family(pairs: Sequence[Wanted], progress: StageProgress) -> None:
    """The pairs of one reference, one after the other."""
    for pair in pairs:
        _make(pair, partial(_named, progress, pair.name))


def _named(progress: StageProgress, name: str, stage: str, done: int, total: int) -> None:
    progress(f"{name}: {stage}", done, total)


def _make(pair: Wanted, progress: StageProgress) -> None:
    from hma.lab.tasks import write_suite

    reference = _trained_reference(pair, progress)
    with staged(pair.folder) as folder:
        making = Making(folder, pair.scenario, pair.seed, progress)
        write_suite(folder, pair.scenario)
        making.take("reference", reference, "pretraining")
        if not pair.path and is_of(read_report(SHIPPED), pair.scenario, pair.seed):
            making.take("policy", SHIPPED, "raft")
            making.report()
            return
        snapshots = making.train_policy()
        making.report(**({"rlhf_path": making.measured_path(snapshots)} if pair.path else {}))


def _trained_reference(pair: Wanted, progress: StageProgress) -> Path:
    """A folder with the pair's ``reference`` and a report: the shipped one, one trained before, or one trained now."""
    if _is_trained(SHIPPED, pair):
        return SHIPPED
    if not _is_trained(pair.reference, pair):
        with staged(pair.reference) as folder:
            making = Making(folder, pair.scenario, pair.seed, progress)
            making.train_reference()
            making.report()
    return pair.reference


def _is_trained(folder: Path, pair: Wanted) -> bool:
    """Whether the folder's report tells of a reference of the pair's size, pre-training settings and seed."""
    if not (folder / REPORT).is_file():
        return False
    report = read_report(folder)
    known = report.get("seed"), _training(report.get("scenario", {}))
    return known == (pair.seed, _training(asdict(pair.scenario)))


def _training(scenario: dict[str, Any]) -> dict[str, Any]:
    """What a reference depends on beside its seed."""
    return {part: scenario.get(part) for part in ("size", "pretraining")}


def _check_reference(folder: Path, pair: Wanted) -> None:
    if not is_free(folder) and not _is_trained(folder, pair):
        raise HmaError(f"{folder} holds something else than a reference of {pair.name}. Choose another folder with --out.")


@contextmanager
def _processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Spawned processes, one thread each by ``staged``; after an error what has not begun is left."""
    from transformers.utils.logging import disable_progress_bar

    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=disable_progress_bar)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _silent(stage: str, done: int, total: int) -> None:
    """A progress that reports to nobody."""
