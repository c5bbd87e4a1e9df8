"""What the miniature claims, checked: three seeds, the MA front against early stopping, and the noise of a test set."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.core.alphas import ladder
from hma.errors import HmaError
from hma.lab.build import build
from hma.lab.making import REPORT, StageProgress, is_of, read_report
from hma.lab.measuring import Scores
from hma.lab.scenario import Scenario

MIN_REWARD_GAIN = 2.0
MIN_TAX = 10.0
NUM_ALPHAS = 21

NOISE = 2.0
"""Ability points within which two points of one chart are alike: twice the spread of mean ability over test sets."""

NUM_FRESH_SETS = 5


@dataclass(frozen=True)
class Comparison:
    """The MA front against the early-stopping curve of the same RLHF run.

    ``margins``: for each snapshot strictly between reference and policy, the best MA ability at a reward at
    least as high, less the snapshot's ability. A snapshot whose reward no MA point reaches counts as the
    MA ability of the corner, so it can only be lost. Hypervolumes share one corner: the worse reward and the
    worse ability of the two ends.
    """

    margins: tuple[float, ...]
    ma_hypervolume: float
    path_hypervolume: float

    @property
    def passed(self) -> bool:
        """Whether MA encloses more, lies above by more than noise on average, and loses at most one snapshot in four."""
        lost = sum(margin < -NOISE for margin in self.margins)
        mean = statistics.mean(self.margins)
        return self.ma_hypervolume > self.path_hypervolume and mean > NOISE and lost <= 0.25 * len(self.margins)

    def to_dict(self) -> dict[str, Any]:
        return {
            "margins": list(self.margins),
            "ma_hypervolume": self.ma_hypervolume,
            "path_hypervolume": self.path_hypervolume,
            "difference": self.ma_hypervolume - self.path_hypervolume,
            "passed": self.passed,
        }


def compared(ma: Sequence[Scores], path: Sequence[Scores]) -> Comparison:
    """``ma`` holds both ends; ``path`` runs from the reference (first) to the policy (last)."""
    reference, policy = path[0], path[-1]
    corner = min(reference["reward"], policy["reward"]), min(reference["ability"], policy["ability"])

    def reachable(reward: float) -> float:
        return max((p["ability"] for p in ma if p["reward"] >= reward), default=corner[1])

    margins = tuple(reachable(snapshot["reward"]) - snapshot["ability"] for snapshot in path[1:-1])
    return Comparison(margins, _hypervolume(ma, corner), _hypervolume(path, corner))


def _hypervolume(points: Sequence[Scores], corner: tuple[float, float]) -> float:
    import moocore
    import numpy as np

    plane = np.array([[p["reward"], p["ability"]] for p in points])
    return float(moocore.hypervolume(plane, ref=list(corner), maximise=True))


def check_seed(folder: Path, scenario: Scenario, seed: int, progress: StageProgress) -> dict[str, Any]:
    """Builds a seed's miniature in ``folder`` unless it is there, measures it on test items, and judges its claims."""
    if not (folder / REPORT).exists():
        build(folder, scenario, seed, progress)
    report = read_report(folder)
    if not is_of(report, scenario, seed):
        raise HmaError(
            f"{folder} holds seed {report['seed']} of the scenario '{report['scenario']['name']}' with its own settings, "
            f"not seed {seed} of '{scenario.name}' as it is now. Name another folder with --keep."
        )
    path = report["rlhf_path"]["iterations"]
    ma = measure_ma(folder, progress)
    comparison = compared(ma, path)
    gain = path[-1]["reward"] - path[0]["reward"]
    tax = path[0]["ability"] - path[-1]["ability"]
    headroom = max(path[0][name] for name in ("common_sense", "reading", "translation")) < 100
    return {
        "seed": seed,
        "reference": path[0],
        "policy": path[-1],
        "reward_gain": gain,
        "tax": tax,
        "judges": report["judges"],
        "path": path,
        "ma": ma,
        "ma_against_early_stopping": comparison.to_dict(),
        "noise": measure_noise(folder, scenario, progress),
        "claims": {
            f"reward rises by at least {MIN_REWARD_GAIN:g}": gain >= MIN_REWARD_GAIN,
            f"mean ability falls by at least {MIN_TAX:g} points": tax >= MIN_TAX,
            "the MA front lies above early stopping": comparison.passed,
            "no ability of the reference is at 100": headroom,
        },
    }


def measure_ma(folder: Path, progress: StageProgress) -> list[Scores]:
    """The MA sweep on all test items, from alpha 0 (the policy) to 1 (the reference)."""
    from hma.checkpoints.live import LiveModel
    from hma.checkpoints.pair import open_pair
    from hma.core.partition import Partition
    from hma.core.recipe import Recipe
    from hma.lab.measuring import evaluator, scores_of

    pair = open_pair(folder / "reference", folder / "policy")
    live = LiveModel(pair)
    measure = evaluator(folder / "suite.json", live.model, live.tokenizer, "test")
    points = []
    for i, alpha in enumerate(ladder(NUM_ALPHAS), start=1):
        live.write(Recipe(Partition.equal(pair.num_layers, 1), (alpha,)))
        points.append({"alpha": alpha, **scores_of(measure.run())})
        progress("MA sweep", i, NUM_ALPHAS)
    return points


def measure_noise(folder: Path, scenario: Scenario, progress: StageProgress) -> dict[str, Scores]:
    """Standard deviation of each score over freshly drawn test sets, for reference and policy."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from hma.lab.measuring import evaluator, scores_of
    from hma.lab.tasks import write_suite

    ends = ("reference", "policy")
    models = {end: AutoModelForCausalLM.from_pretrained(folder / end) for end in ends}
    tokenizer = AutoTokenizer.from_pretrained(folder / "reference")
    drawn: dict[str, list[Scores]] = {end: [] for end in ends}
    for drawing in range(1, NUM_FRESH_SETS + 1):
        with tempfile.TemporaryDirectory() as fresh:
            write_suite(Path(fresh), scenario, drawing)
            for end in ends:
                measure = evaluator(Path(fresh) / "suite.json", models[end], tokenizer, "test")
                drawn[end].append(scores_of(measure.run()))
        progress("fresh test sets", drawing, NUM_FRESH_SETS)
    return {end: {name: statistics.stdev(scores[name] for scores in sets) for name in sets[0]} for end, sets in drawn.items()}
