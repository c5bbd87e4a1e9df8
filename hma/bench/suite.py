"""The same MA sweep by this project and by the way people do it without, and against the model's own time."""

from __future__ import annotations

import json
import math
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hma.bench.peer import Measured, Peer, run
from hma.core.alphas import ladder
from hma.core.point import Point
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.errors import MeasureError
from hma.store import Store
from hma.study import open_study

RATIO, FLOOR = 15, 1.15
"""Wanted: so many times as fast as the other way, and at most so much of the model's own time."""

NEAR, SPREAD = 1.0, 5.0
"""Abilities may be one item of a hundred apart, where two tokens are as likely; mean rewards so many standard errors."""

_MODEL_ALONE = """
import sys, time
started = time.perf_counter()
import torch
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.evaluate.evaluator import Evaluator
from hma.evaluate.suite import load_suite

layers, reference, policy, suite, split, size, *alphas = sys.argv[1:]
torch.set_num_threads(1)
live = LiveModel(open_pair(reference, policy))
loaded = time.perf_counter() - started
evaluator = Evaluator(load_suite(suite, split, size), live.model, live.tokenizer)
partition = Partition.equal(int(layers), 1)
evaluator.run()
seconds = 0.0
for alpha in alphas:
    live.write(Recipe(partition, (float(alpha),)))
    evaluator.run()
    seconds += evaluator.model_seconds
print(loaded, seconds)
"""
"""Seconds until a process has loaded the pair, and those in the model's forward passes and ``generate`` for all points, one
after the other on one core, once it is warm."""


def suite(
    steps: Annotated[int, typer.Option(help="Evenly spaced alphas from 0 to 1, both ends included.", min=2)] = 11,
    size: Annotated[str, typer.Option(help="A size of the suite.")] = "quick",
    sweeps: Annotated[int, typer.Option(help="Sweeps of this project; the median counts.", min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """A sweep of the miniature by `python -m hma sweep`, from a cold start, and by processes that people start without it.

    The other way writes each merge to disk, then runs lm-eval's command line and a reward script, each in a fresh process.
    Both ask the same test items on the CPU, and what they find must agree. Sweeps of this project take turns with the other
    way's merges, so that both see the same machine; neither side's first start is counted.

    The floor is the model's own time: the same forward passes and calls of `generate` for the same points, one after the
    other on one core, with all that is around them left out; also in turns. A sweep from a cold start is compared with a cold
    start that loads the pair and then runs the model alone; its points are compared with the model alone. A sweep has its
    merges and its scoring on top, and has all cores to work on.
    """
    study = open_study(split="test", size=size)
    turns = {round(turn * steps / sweeps) for turn in range(sweeps)}
    ours, loads, floors, theirs, points = [], [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peer = Peer(study, folder / "peer")
        _swept(study, 2, folder)
        peer.measure(0.5)
        for turn, alpha in enumerate(ladder(steps)):
            if turn in turns:
                seconds, points = _swept(study, steps, folder)
                ours.append(seconds)
                loaded, floor = _model_alone(study, steps)
                loads.append(loaded)
                floors.append(floor)
            theirs.append(peer.measure(alpha))
    found = _compared(ours, loads, floors, points, theirs) | {
        "steps": steps,
        "num_items": study.num_items,
        "cores": os.cpu_count(),
    }
    if as_json:
        print(json.dumps(found))
    else:
        _print(found)


def _swept(study: Study, steps: int, folder: Path) -> tuple[float, list[Point]]:
    """Seconds of ``hma sweep`` in a process and a store of its own, and its points by rising alpha."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "points.sqlite"
    command = ["-m", "hma", "sweep", "--json", "--steps", str(steps), "--store", str(path)]
    started = time.perf_counter()
    run([*command, "--split", study.split, "--size", study.size])
    seconds = time.perf_counter() - started
    store, partition = Store(path), study.partition()
    found = [store.point(study.point_key(Recipe(partition, (alpha,) * partition.num_blocks))) for alpha in ladder(steps)]
    return seconds, [point for point in found if point is not None]


def _model_alone(study: Study, steps: int) -> tuple[float, float]:
    """Seconds to load the pair, and in the model."""
    place = [str(study.num_layers), study.reference, study.policy, study.suite_path, study.split, study.size]
    loaded, seconds = run(["-c", _MODEL_ALONE, *place, *(str(alpha) for alpha in ladder(steps))]).split()
    return float(loaded), float(seconds)


def _compared(
    ours: list[float], loads: list[float], floors: list[float], points: list[Point], theirs: list[Measured]
) -> dict[str, Any]:
    """The two ways and the floor in seconds, their ratios, and how far what they found is apart.

    Raises MeasureError when it is too far for the same work to have been done.
    """
    parts = {part: statistics.median(measured.seconds[part] for measured in theirs) for part in theirs[0].seconds}
    other, sweep = sum(sum(measured.seconds.values()) for measured in theirs), statistics.median(ours)
    gaps = [
        abs(point.scores[name].value - value)
        for point, measured in zip(points, theirs, strict=True)
        for name, value in measured.abilities.items()
    ]
    errors = [_standard_errors(point, measured.rewards) for point, measured in zip(points, theirs, strict=True)]
    if max(gaps) > NEAR or max(errors) > SPREAD:
        raise MeasureError(
            f"The two ways disagree: abilities by up to {max(gaps):.2f} points, mean rewards by up to {max(errors):.1f} standard "
            "errors. What they took is not compared."
        )
    work = [point.timings for point in points]
    return {
        "sweep_seconds": sweep,
        "sweeps": ours,
        "point_seconds": statistics.median(point.elapsed_seconds for point in points),
        "other_seconds": other,
        "other_parts": parts,
        "ratio": other / sweep,
        "floor_seconds": statistics.median(floors),
        "floors": floors,
        "loads": loads,
        "to_floor": statistics.median(o / (load + f) for o, load, f in zip(ours, loads, floors, strict=True)),
        "to_model": statistics.median(o / f for o, f in zip(ours, floors, strict=True)),
        "points_to_floor": sum(point.elapsed_seconds for point in points) / floors[-1],
        "work_to_model": statistics.median(sum(w.values()) / w["model"] - 1 for w in work),
        "largest_ability_difference": max(gaps),
        "largest_reward_difference": max(errors),
        "wanted": {"ratio": RATIO, "to_floor": FLOOR},
    }


def _standard_errors(point: Point, rewards: list[float]) -> float:
    """How many standard errors two means of independent samples of answers are apart."""
    error = statistics.stdev(rewards) / math.sqrt(len(rewards))
    return abs(point.reward.value - statistics.mean(rewards)) / math.hypot(error, point.reward.standard_error)


def _print(found: dict[str, Any]) -> None:
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found["other_parts"].items())
    near = max(found["to_floor"], found["work_to_model"]) <= FLOOR
    met = "met" if found["ratio"] >= RATIO and near else "not met"
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{found['steps']} points of {found['num_items']} items a task, {found['cores']} cores. This project, its start "
        f"included: {found['sweep_seconds']:.1f} s (each sweep: {', '.join(f'{s:.1f}' for s in found['sweeps'])}), a point in it "
        f"{found['point_seconds']:.2f} s. A process for each merge, task run and reward: {found['other_seconds']:.1f} s "
        f"(medians: {parts}). Ratio {found['ratio']:.1f}."
    )
    console.print(
        f"The model alone, on one core: {found['floor_seconds']:.1f} s, and {statistics.median(found['loads']):.1f} s to load. "
        f"Sweep to both: {found['to_floor']:.2f}; its points, without its start, to the model: {found['points_to_floor']:.2f}; "
        f"sweep with its start to the model without: {found['to_model']:.2f}; "
        f"all work of a point to the model's part of it: {found['work_to_model']:.3f}."
    )
    console.print(
        f"Abilities are at most {found['largest_ability_difference']:.3g} points apart, mean rewards "
        f"{found['largest_reward_difference']:.1f} standard errors. Wanted: a ratio of at least {RATIO}, at most {FLOOR} both "
        f"of a cold start of the model alone and of the model's part of a point's work: {met}."
    )
