"""How much of a dense grid's front a search finds with a fraction of its measurements: chosen on validation, scored on test."""

from __future__ import annotations

import json
import math
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hma.core.alphas import Alphas, grid, ladder
from hma.core.front import corner_of, front, hypervolume
from hma.core.observation import Observation
from hma.core.partition import Partition
from hma.core.point import REWARD, Point
from hma.core.question import Question, spread_first
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.core.survey import Survey, Surveyed
from hma.engine import Engine
from hma.errors import MeasureError
from hma.measuring import measured
from hma.searching import turns
from hma.store import Store
from hma.study import DEFAULT_STORE, SHIPPED, open_study

TARGET = 0.98
"""What a search is wanted to reach of the grid's hypervolume."""

FAST = 2.0
"""Seconds that a suggestion may take with ``POINTS`` points."""

POINTS = 40

FREE = 200
"""Merges of the grid that a surrogate is given for free, to see what so smooth a model could foresee with so much knowledge."""


def search(
    steps: Annotated[int, typer.Option(help="Alphas of one block in the grid.", min=3)] = 11,
    budget: Annotated[int, typer.Option(help="Measurements of each method, both ends included.", min=8)] = 25,
    seeds: Annotated[int, typer.Option(help="Searches, and random searches.", min=1)] = 5,
    size: Annotated[str, typer.Option(help="A size of the suite.")] = "quick",
    store: Annotated[Path, typer.Option(help="Where the grid is kept; it goes on where it stopped.")] = DEFAULT_STORE.parent
    / "grid.sqlite",
    as_it_is: Annotated[
        bool, typer.Option("--as-it-is", help="Measure no more of the grid: compare with what is measured of it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """The hypervolume that a search reaches, over that of a dense grid of all block alphas; beside random search and MA.

    Every method picks its front on validation items, and is scored by what that front's points do on test items, against
    the corner of the two ends there. On the miniature, three blocks. The grid takes steps ** 3 measurements once. A search is
    not confined to it: it has the ladder that it has everywhere. A surveyed one also reads texts, whose cost is told.
    """
    took = seconds()
    opened = Store(store)
    opened.take_in(SHIPPED / "points.sqlite")
    with Engine(opened) as engine:
        splits = Splits(engine, open_study(size=size), open_study(size=size, split="test"), as_json)
        everything = grid(steps, 3)
        dense = splits.known(everything) if as_it_is else splits.measure(everything)
        found = {"grid": len(dense), "grid_of": len(everything), "steps": steps, "budget": budget, "size": size}
        found |= _compared(splits, dense, budget, seeds, steps)
    best = max(found[name]["median"] for name in ("search", "surveyed"))
    found |= {"target": TARGET, "reached": best >= TARGET, **took}
    if as_json:
        print(json.dumps(found))
    else:
        _print(found)


@dataclass
class Splits:
    """The miniature's validation and test items, and what measures on either."""

    engine: Engine
    validation: Study
    test: Study
    quiet: bool

    def measure(self, alphas: Sequence[Alphas], on_test: bool = False) -> list[Point]:
        """The points of these alphas, measured where they are not yet."""
        study = self.test if on_test else self.validation
        measured(self.engine, study, [self._recipe(a) for a in alphas], "bench", self.quiet or len(alphas) < 10)
        return self.known(alphas, on_test)

    def survey(self, seed: int) -> tuple[Surveyed, float | None]:
        """A survey, and the seconds that it took from its first text on; None where the store had any of it already."""
        survey = Survey(self.validation.partition(3), seed)
        job = self.engine.survey(self.validation, survey)
        began = None
        while not job.is_over:
            if began is None and job.stage.startswith("writing") and " 0 of " in job.stage:
                began = time.perf_counter()
            job = self.engine.wait(job.id, timeout=0.02)
        found = self.engine.surveyed(self.validation, survey)
        if found is None:
            raise MeasureError(job.message)
        return found, time.perf_counter() - began if began else None

    def known(self, alphas: Sequence[Alphas], on_test: bool = False) -> list[Point]:
        """The points of these alphas that are measured."""
        study = self.test if on_test else self.validation
        by_key = {point.key: point for point in self.engine.store.points(study)}
        recipes = map(self._recipe, alphas)
        # One model may have been measured under another partition: here it has this one's alphas.
        return [replace(by_key[key], recipe=r) for r in recipes if (key := study.point_key(r)) in by_key]

    def score(self, chosen: Sequence[Point]) -> float:
        """The hypervolume on test items of the front that validation items pick from these points."""
        ends = self.measure([(0.0,) * 3, (1.0,) * 3], on_test=True)
        corner = corner_of(ends)
        assert corner is not None
        return hypervolume(self.measure([p.recipe.alphas for p in front(chosen)], on_test=True), corner)

    def _recipe(self, alphas: Alphas) -> Recipe:
        return Recipe(self.validation.partition(3), alphas)


def _compared(splits: Splits, dense: list[Point], budget: int, seeds: int, steps: int) -> dict[str, Any]:
    """Each method's share of the grid's hypervolume, by seed and as a median."""
    whole = splits.score(dense)
    on_ladder = ladder(steps)
    searches = [_searched(splits, budget, seed) for seed in range(seeds)]
    surveys = [splits.survey(seed) for seed in range(seeds)]
    surveyed = [_searched(splits, budget, seed, survey) for seed, (survey, _) in enumerate(surveys)]
    strayed = []
    for seed in range(seeds):
        draw = random.Random(seed)
        drawn = {(0.0,) * 3: None, (1.0,) * 3: None}
        while len(drawn) < budget:
            drawn[tuple(draw.choice(on_ladder) for _ in range(3))] = None
        strayed.append(splits.score(splits.measure(list(drawn))) / whole)
    swept = splits.measure([(alpha,) * 3 for alpha in ladder(budget)])
    foreseen = [splits.score(_foreseen(dense, budget - 2, seed)) / whole for seed in range(seeds)]
    ratios = [[splits.score(points) / whole for points, _ in some] for some in (searches, surveyed)]
    seconds = [took for _, took in surveys if took]
    return {
        "grid_front": len(front(dense)),
        "grid_hypervolume": whole,
        "search": {"seeds": ratios[0], "median": statistics.median(ratios[0])},
        "surveyed": {"seeds": ratios[1], "median": statistics.median(ratios[1])},
        "survey_merges": len(surveys[0][0].alphas),
        "survey_seconds": statistics.median(seconds) if seconds else None,
        "point_seconds": statistics.median(point.elapsed_seconds for point in swept),
        "random": {"seeds": strayed, "median": statistics.median(strayed)},
        "ma": splits.score(swept) / whole,
        "foreseen": {"seeds": foreseen, "median": statistics.median(foreseen), "free": min(FREE, len(dense))},
        "best": splits.score(_best(dense, budget - 2)) / whole,
        "details": [details for _, details in (*searches, *surveyed)],
    }


def _searched(splits: Splits, budget: int, seed: int, surveyed: Surveyed | None = None) -> tuple[list[Point], dict[str, Any]]:
    """All points that a search measured, and what its surrogate came to."""
    from hma.methods.search import fitted, replied  # These bring torch.

    def known(own: Sequence[Alphas]) -> list[Observation]:
        return [Observation.of(point) for point in splits.known(own)]

    own, taken = [], []
    for turn in turns(3, budget, replied, known, seed, surveyed=surveyed):
        own += turn.reply.alphas
        taken.append(turn)
        splits.measure(turn.reply.alphas)
    points, observed = splits.known(own), known(own)
    surrogate = fitted(observed, surveyed)
    left_out = surrogate.leave_one_out
    return points, {
        "name": f"{'Surveyed search' if surveyed else 'Search'}, seed {seed}",
        "on_front": len(front(points)),
        "leave_one_out": left_out.relative_rmse.tolist(),
        "coverage": left_out.coverage.tolist(),
        "knows": surrogate.knows,
        "inert": list(surrogate.inert),
        "seconds": [turn.seconds for turn in taken if turn.reply.why == "front"],
    }


def _best(dense: Sequence[Point], count: int) -> list[Point]:
    """``count`` points that hold most of the grid's hypervolume on validation items, picked greedily: what could be reached."""
    corner = corner_of(dense)
    assert corner is not None
    left, chosen = front(dense), []
    while left and len(chosen) < count:
        chosen.append(max(left, key=lambda p: hypervolume([*chosen, p], corner)))
        left.remove(chosen[-1])
    return chosen


def _foreseen(dense: Sequence[Point], count: int, seed: int) -> list[Point]:
    """``count`` points that a surrogate of ``FREE`` others expects to hold most of the grid's hypervolume, and the two ends.

    What it expects is chosen by alone: nothing that is learned of one point helps to choose the next.
    """
    from hma.methods.search import fitted  # Brings torch.

    ends = [p for p in dense if set(p.recipe.alphas) in ({0.0}, {1.0})]
    free = random.Random(seed).sample(list(dense), min(FREE, len(dense)))
    surrogate = fitted([Observation.of(p) for p in {p.key: p for p in (*ends, *free)}.values()])
    means = surrogate.predictor.means([p.recipe.alphas for p in dense]).tolist()
    expected = [
        replace(p, scores={**p.scores, REWARD: replace(p.reward, value=reward)}, ability=replace(p.ability, value=ability))
        for p, (reward, ability) in zip(dense, means, strict=True)
    ]
    chosen = {p.key for p in (*ends, *_best(expected, count))}
    return [p for p in dense if p.key in chosen]


def seconds() -> dict[str, Any]:
    """Processor seconds of a fit and a suggestion together with ``POINTS`` points of ``smooth``: the median of several, and the
    longest, without a survey and with one. The first of all, which also loads what it needs, is not among them."""
    from hma.methods.search import design, replied

    found: dict[str, Any] = {"suggestion_points": POINTS}
    for name, surveyed in (("suggestion", None), ("surveyed_suggestion", _surveyed())):
        took = []
        for seed in range(-1, 5):
            observed = tuple(smooth(alphas, seed) for alphas in design(3, POINTS, seed + 1))
            before = time.process_time()
            reply = replied(Question(observed, 3, spread_first(3), 1, seed + 1, surveyed=surveyed))
            took.append(time.process_time() - before)
            assert reply.why == "front"
        found |= {f"{name}_seconds": statistics.median(took[1:]), f"{name}_longest": max(took[1:])}
    return found


def _surveyed() -> Surveyed:
    """A made-up survey: unlikelihoods that follow what ``smooth`` says, bent and with noise."""
    from hma.methods.search import design

    alphas = design(3, Survey(Partition.equal(3)).num_merges, seed=7)
    values = [(math.exp(-o.reward / 4), -((o.ability / 100) ** 2)) for o in (smooth(a, 7) for a in alphas)]
    return Surveyed(tuple(alphas), tuple(values))


def smooth(alphas: Alphas, seed: int = 0) -> Observation:
    """What a made-up point over three blocks says: a reward that falls and an ability that rises with each alpha, and noise."""
    low, middle, high = alphas
    reward = 4 - 2 * low**2 - middle - 2 * high**3
    ability = 30 + 14 * math.sqrt(low) + 4 * middle**2 + 32 / (1 + math.exp(-10 * (high - 0.6)))
    draw = random.Random(f"{seed} {alphas}")
    return Observation(alphas, reward + draw.gauss(0, 0.1), 0.01, ability + draw.gauss(0, 1.0), 1.0)


def _print(found: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    whole = f"{found['grid']:,} of {found['grid_of']:,}" if found["grid"] < found["grid_of"] else f"all {found['grid']:,}"
    console.print(
        f"Grid of {found['steps']} steps over three blocks, {whole} measured on validation items ({found['size']}); the "
        f"{found['grid_front']} points of its front there have a hypervolume of {found['grid_hypervolume']:.1f} on test items."
    )
    table = Table(title=f"Share of that, {found['budget']} measurements each, both ends included", title_justify="left")
    for head in ("method", "median", "by seed"):
        table.add_column(head, justify="left" if head == "method" else "right")
    for name, title in (("search", "search"), ("surveyed", "search after a survey"), ("random", "random")):
        shares = found[name]
        table.add_row(title, f"{shares['median']:.1%}", ", ".join(f"{share:.1%}" for share in shares["seeds"]))
    table.add_row("MA sweep", f"{found['ma']:.1%}", "")
    foreseen = found["foreseen"]
    by_seed = ", ".join(f"{share:.1%}" for share in foreseen["seeds"])
    table.add_row(f"what a surrogate of {foreseen['free']} others foresees", f"{foreseen['median']:.1%}", by_seed)
    table.add_row("the best of the grid's front, if one knew", f"{found['best']:.1%}", "")
    console.print(table)
    merges, took, point = (found[name] for name in ("survey_merges", "survey_seconds", "point_seconds"))
    cost = "was in the store already" if took is None else f"took {took:.1f} s, as long as {took / point:.0f} measurements"
    console.print(f"A survey of {merges} merges {cost}: on top of the {found['budget']}, no labels, once for any budget.")
    for details in found["details"]:
        errors = ", ".join(f"{error:.3f}" for error in details["leave_one_out"])
        bands = ", ".join(f"{share:.0%}" for share in details["coverage"])
        seconds = details["seconds"] or [0.0]
        console.print(
            f"{details['name']}: {details['on_front']} on the front; leave-one-out error over spread {errors} (reward, ability); "
            f"bands hold {bands}; {statistics.median(seconds):.2f} s a suggestion ({max(seconds):.2f} s at most)."
        )
    for name, when in (("suggestion", ""), ("surveyed_suggestion", ", after a survey")):
        console.print(
            f"A fit and a suggestion with {found['suggestion_points']} made-up points{when}: {found[f'{name}_seconds']:.2f} s of "
            f"one core ({found[f'{name}_longest']:.2f} s at most; {FAST:g} s is wanted)."
        )
    median = max(found[name]["median"] for name in ("search", "surveyed"))
    verdict = "reaches" if found["reached"] else "falls short of"
    console.print(f"The better search {verdict} the {TARGET:.0%} that was wanted: {median:.1%}.")
