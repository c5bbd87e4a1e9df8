"""The paper's experiments on one pair: what each of its claims comes to, with intervals over test items."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hma import comparing, searching
from hma.comparing import Budget, Compared, Tools
from hma.core.compare import Estimate, compare
from hma.core.difference import Difference, differences
from hma.core.fit import Draw, Fit
from hma.core.partition import OWN, Partition
from hma.core.point import MEAN, REWARD, Point, scores_of
from hma.core.recipe import Recipe
from hma.core.statistics import Result
from hma.core.study import Study
from hma.engine import SWEEP, Engine
from hma.errors import HmaError
from hma.lab.making import Making, Weights, read_report
from hma.lab.scenario import read_scenario
from hma.methods.fitting import steps_of
from hma.store import Store
from hma.study import open_study
from hma.threads import one_thread

PATH = "path.json"
"""The results of RLHF's snapshots on test items, beside the pair."""

EARLY = 2
"""The iteration that stands for the beginning of RLHF."""

PART_ALPHA = 0.4
"""The alpha of one third of the layers while the others stay the policy's."""

PARTS = ("input", "middle", "output")

THIRDS, SIXTHS, NINTHS = "3", "6", "9"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Replicated:
    """A pair's claims by name, its comparisons, and the early-stopping path as (reward, mean ability).

    ``is_own_path`` says whether that path led to the pair's own policy, or to one of the same RLHF on another machine.
    """

    scenario: str
    seed: int
    claims: Mapping[str, Estimate]
    compared: Mapping[str, Compared]
    path: Sequence[tuple[float, float]]
    is_own_path: bool = True


def replicate(folder: Path, points: int, size: str, draw: Draw, brief: bool, say: Say) -> Replicated:
    """Everything that the claims need of one pair, measured into its own store; what is there already is not done again.

    ``brief`` leaves out all methods but MA, HMA and the two-sided variant.
    """
    report = read_report(folder)
    validation, test = (_study(folder, split, size) for split in ("validation", "test"))
    store = Store(folder / "points.sqlite")
    with Engine(store) as engine:
        tools = _tools(engine, validation, say)
        compared = {}
        for blocks, methods in _wanted(brief).items():
            partition = _partition(validation.num_layers, blocks)
            compared[blocks] = comparing.run(validation, test, store, methods, Budget(points, partition, 0, draw), tools)
        parts = Partition.equal(validation.num_layers)
        alone = [Recipe(parts, tuple(PART_ALPHA * (i == part) for i in range(3))) for part in range(3)]
        tools.measure(test, alone, "partwise")
    snapshots, is_own = early_stopping(folder, test, say)
    claims = {**_of_rlhf(snapshots, test), **_of_parts(store, test, parts, alone), **_of_methods(compared)}
    path = _points(snapshots, test)
    first = compared[THIRDS].tested["ma"]
    stopped = compare({"early": path, "ma": first}, *compared[THIRDS].ends)
    claims["ma"] = stopped.against["ma"].hypervolume
    name, seed = report["scenario"]["name"], report["seed"]
    return Replicated(name, seed, claims, compared, [(p.reward.value, p.ability.value) for p in path], is_own)


def _wanted(brief: bool) -> dict[str, list[str]]:
    """The methods to compare on each partition; the first of each is MA."""
    spaced = ["ma-spaced", "two-sided-spaced"]
    if brief:
        return {THIRDS: ["ma", "hma"], NINTHS: ["ma", "hma", *spaced]}
    thirds = ["ma", "hma", "offset:0|0|-0.1", "offset:0|-0.1|-0.1", "adamerging:reading"]
    return {
        THIRDS: [*thirds, "two-sided", *spaced, "two-sided-free-spaced"],
        SIXTHS: ["ma", "hma"],
        NINTHS: ["ma", "hma", *spaced],
    }


def _partition(num_layers: int, blocks: str) -> Partition:
    count = int(blocks)
    if count <= num_layers:
        return Partition.equal(num_layers, count)
    if count == num_layers + len(OWN):
        return replace(Partition.equal(num_layers, num_layers), own=OWN)
    raise HmaError(
        f"{count} blocks of {num_layers} layers: expected as many at most, or with embeddings, norm and head of their own."
    )


def _of_methods(compared: Mapping[str, Compared]) -> dict[str, Estimate]:
    """Each method's hypervolume on each partition less that of MA, or, of methods that go where gaps are, of MA that does."""
    found = {}
    for blocks, some in compared.items():
        for name, points in some.tested.items():
            rival = comparing.MA + (comparing.SPACED if name.endswith(comparing.SPACED) else "")
            if name != rival:
                both = compare({rival: some.tested[rival], name: points}, *some.ends)
                found[f"{name} {blocks}"] = both.against[name].hypervolume
    return found


def _of_rlhf(snapshots: Sequence[Mapping[str, Result]], study: Study) -> dict[str, Estimate]:
    """What RLHF did from its first to its last iteration, and at its beginning."""
    whole = differences(snapshots[-1], snapshots[0], study.groups)
    first = differences(snapshots[EARLY], snapshots[0], study.groups)
    rest = differences(snapshots[-1], snapshots[EARLY], study.groups)
    return {
        "reward rises": _estimate(whole[REWARD]),
        "reading falls": _estimate(whole["reading"], -1),
        "translation falls": _estimate(whole["translation"], -1),
        "common sense rises first": _estimate(first["common_sense"]),
        "common sense falls then": _estimate(rest["common_sense"], -1),
    }


def _of_parts(store: Store, study: Study, parts: Partition, alone: Sequence[Recipe]) -> dict[str, Estimate]:
    """What averaging one part alone changes of the policy."""
    policy = store.results(study.point_key(Recipe(parts, (0.0,))), study.num_items)
    found = {}
    for part, recipe in zip(PARTS, alone, strict=True):
        change = differences(store.results(study.point_key(recipe), study.num_items), policy, study.groups)
        found |= {f"{part} abilities": _estimate(change[MEAN]), f"{part} reward": _estimate(change[REWARD])}
    return found


def _estimate(difference: Difference, sign: int = 1) -> Estimate:
    low, high = sorted((sign * difference.low, sign * difference.high))
    return Estimate(sign * difference.value, low, high, difference.is_enough)


def early_stopping(folder: Path, study: Study, say: Say) -> tuple[list[dict[str, Result]], bool]:
    """The results of RLHF's snapshots on the study's items, from the reference on; trained again where they are not there.

    And whether the last of them is the policy itself: training is deterministic, but another machine rounds otherwise.
    """
    file = folder / PATH
    if file.is_file() and (kept := json.loads(file.read_text(encoding="utf-8")))["study"] == study.view:
        read = [{n: Result(r["aggregation"], np.array(r["items"]), tuple(r["ids"])) for n, r in p.items()} for p in kept["path"]]
        return read, kept.get("is_own", True)
    import tempfile

    report = read_report(folder)
    with tempfile.TemporaryDirectory() as name, one_thread():
        making = Making(Path(name), read_scenario(report["scenario"]), report["seed"], lambda stage, done, total: say(stage))
        making.take("reference", folder, "pretraining")
        found, is_own = _measured(folder, making.train_policy(), study)
    kept = [
        {n: {"aggregation": r.aggregation, "items": r.items.tolist(), "ids": list(r.ids)} for n, r in point.items()}
        for point in found
    ]
    whole = file.with_suffix(".new")  # Minutes of training: what is cut short while it is written never takes the place of it.
    whole.write_text(json.dumps({"study": study.view, "is_own": is_own, "path": kept}), encoding="utf-8")
    whole.replace(file)
    return found, is_own


def _measured(folder: Path, snapshots: Mapping[int, Weights], study: Study) -> tuple[list[dict[str, Result]], bool]:
    """The snapshots' results, and whether the last one's weights are the policy's."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from hma.evaluate.evaluator import Evaluator
    from hma.evaluate.suite import load_suite

    model = AutoModelForCausalLM.from_pretrained(folder / "policy")
    policy = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    last = snapshots[max(snapshots)]
    is_own = all(torch.equal(policy[name], last[name]) for name in policy)
    evaluator = Evaluator(
        load_suite(study.suite_path, study.split, study.size), model, AutoTokenizer.from_pretrained(folder / "policy")
    )
    found = []
    for weights in snapshots.values():
        model.load_state_dict(weights)
        found.append(evaluator.run())
    return found, is_own


def _points(path: Sequence[Mapping[str, Result]], study: Study) -> list[Point]:
    """Snapshots as points, for a comparison only: they are no merges, and their recipe means nothing."""
    recipe = Recipe(Partition.equal(study.num_layers, 1), (0.5,))
    return [Point(f"iteration {i}", recipe, *scored) for i, scored in enumerate(scores_of(path, study.groups))]


def _study(folder: Path, split: str, size: str) -> Study:
    return open_study(folder / "reference", folder / "policy", folder / "suite.json", split, size)


def _tools(engine: Engine, validation: Study, say: Say) -> Tools:
    """Methods' tools that wait without a bar, and say what they do."""

    def measure(study: Study, recipes: Sequence[Recipe], method: str) -> None:
        missing = [r for r in recipes if engine.store.point(study.point_key(r), study.num_items) is None]
        for job in [engine.submit(study, recipe, method, SWEEP) for recipe in missing]:
            say(f"{method}, {study.split}")
            if (now := engine.wait(job.id)).state != "finished":
                raise HmaError(now.message)

    def fit(wanted: Fit) -> list:
        say(f"fit {wanted.objective}")
        now = engine.wait(engine.fit(validation, wanted, SWEEP).id)
        if now.state != "finished":
            raise HmaError(now.message)
        return steps_of(wanted, engine.store.kept([now.key])[now.key])

    def search(budget: Budget) -> list[Recipe]:
        return searching.run(engine, validation, budget, lambda some: measure(validation, some, budget.search))

    return Tools(measure, fit, search)
