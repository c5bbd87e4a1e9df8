"""``python -m hma fit``: alphas chosen by an objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hma import options, report
from hma.board import Board
from hma.core import omega
from hma.core.alphas import DIGITS, mean_alpha
from hma.core.descent import MAX_STEPS, Step
from hma.core.fit import OBJECTIVES, OMEGA, PROXY, Draw, Fit
from hma.core.partition import Partition
from hma.engine import SWEEP, Engine
from hma.errors import Cancelled, FitError, MeasureError, Refused
from hma.lookup import measure_command
from hma.measuring import measured, watched
from hma.methods.fitting import num_texts, recipe_of, steps_of, texts_keys
from hma.verb import verb

_screen = Console(stderr=True)

_NUMBERS = "; several with commas"


@dataclass(frozen=True)
class ObjectiveOptions:
    """The options that say what a fit makes likely."""

    objective: Annotated[str, typer.Option(help=f"One of: {', '.join(OBJECTIVES)}.")] = PROXY
    mean: Annotated[str | None, typer.Option(help=f"The mean alpha that is kept, from 0 to 1{_NUMBERS}.")] = None
    balance: Annotated[
        str | None,
        typer.Option(help=f"Of the two-sided objectives: how much the policy's side weighs, from 0 to 1{_NUMBERS}."),
    ] = None
    group: Annotated[str | None, typer.Option(help="Of adamerging: the ability group whose labelled items are fitted.")] = None
    form: Annotated[
        str, typer.Option(help="omega: mean and box are kept at every step. paper: its own form, Eq. 11 with the factor K.")
    ] = OMEGA
    epsilon: Annotated[float, typer.Option(help="Of the paper's form.")] = 0.2
    l1: Annotated[float, typer.Option(help="The weight of the paper's regulariser; the original code has 0.0001.")] = 0.0
    whole: Annotated[
        bool, typer.Option("--whole", help="Score prompts too, as the original code does; the paper's equation scores answers.")
    ] = False
    low: Annotated[float, typer.Option(help="No alpha is below it.")] = 0.0
    high: Annotated[float, typer.Option(help="No alpha is above it.")] = 1.0
    max_steps: Annotated[int, typer.Option(help="Steps after which a fit ends that has not settled before.")] = MAX_STEPS

    def fits(self, partition: Partition, draw: Draw) -> list[Fit]:
        """A fit for each mean or balance. Raises FitError or AlphasError for what does not go together."""
        name, given = ("mean", self.mean) if self.balance is None else ("balance", self.balance)
        if self.mean is not None and self.balance is not None:
            raise FitError("--mean and --balance were both given. The two-sided objectives take a balance, the others a mean.")
        values = [None] if given is None else _numbers(name, given)
        return [
            Fit(
                partition,
                self.objective,
                group=self.group or "",
                form=self.form,
                epsilon=self.epsilon,
                l1=self.l1,
                whole=self.whole,
                low=self.low,
                high=self.high,
                max_steps=self.max_steps,
                draw=draw,
                **({} if value is None else {name: value}),
            )
            for value in values
        ]


@dataclass(frozen=True)
class DrawOptions:
    """The options that say which texts a fit is of."""

    prompts: Annotated[int, typer.Option(help="Training prompts that the policy answers.")] = Draw.prompts
    answers: Annotated[int, typer.Option(help="Answers to each of them.")] = Draw.answers
    kept: Annotated[float, typer.Option(help="The share of these, those with the highest rewards, that is kept.")] = Draw.kept
    drawn: Annotated[int, typer.Option(help="Texts that are drawn of the kept, and of the reference where it has a side.")] = (
        Draw.drawn
    )
    draw_seed: Annotated[int, typer.Option(help="The seed of all this.", min=0)] = Draw.seed

    def draw(self) -> Draw:
        return Draw(self.prompts, self.answers, self.kept, self.drawn, self.draw_seed)


@verb
def fit(
    asked: ObjectiveOptions,
    drawn: DrawOptions,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the merges of the fitted alphas, too.")] = False,
    *,
    blocks: options.BlockOptions,
    chosen: options.StudyOptions,
    as_json: options.AsJson = False,
) -> None:
    """Choose alphas by proxy distillation (HMA), or by another objective; no ability is measured for it.

    Texts and steps are kept in the store: a fit that was interrupted goes on, and one that was done is not done again.
    """
    study = chosen.study()
    partition = blocks.partition(study.num_layers)
    fits = asked.fits(partition, drawn.draw())
    opened = chosen.open_store()
    with Engine(opened) as engine:
        logs = [fitted(engine, study, wanted, as_json) for wanted in fits]
        recipes = [recipe_of(wanted, log[-1]) for wanted, log in zip(fits, logs, strict=True)]
        if measure:
            measured(engine, study, recipes, asked.objective, as_json)
    used = [num_texts(study, wanted, opened.kept(texts_keys(study, wanted).values())) for wanted in fits]
    found = [_as_dict(wanted, log, counts) for wanted, log, counts in zip(fits, logs, used, strict=True)]
    points = [p for recipe in recipes if measure and (p := opened.point(study.point_key(recipe), study.num_items))]
    if as_json:
        shown: dict[str, Any] = found[0] if len(found) == 1 else {"fits": found}
        report.print_json(shown | ({"points": [point.to_dict() for point in points]} if measure else {}))
        return
    _print_fits(fits, logs)
    _print_texts(fits[0], used[0])
    if points:
        report.print_points(study, points, Board.read(opened, study).reference)


def _as_dict(wanted: Fit, log: Sequence[Step], used: Mapping[str, int]) -> dict[str, Any]:
    last = log[-1]
    return {
        "alphas": list(last.alphas),
        "mean_alpha": mean_alpha(last.alphas),
        "objective": [step.objective for step in log],
        "steps": [list(step.alphas) for step in log],
        "settled": last.settled,
        "stuck": last.stuck,
        "texts": dict(used),
        "what": wanted.objective,
        **({"balance": wanted.balance} if wanted.is_two_sided else {}),
    }


def fitted(engine: Engine, study: Any, wanted: Fit, quiet: bool) -> list[Step]:
    """The steps of a fit, with a bar. Raises MeasureError for one that could not be done."""
    try:
        now = watched(engine, engine.fit(study, wanted, SWEEP), quiet)
    except KeyboardInterrupt:
        raise Cancelled("Stopped. Every step so far is in the store; the same command goes on where it stopped.") from None
    if now.state != "finished":
        raise (Refused if now.refused else MeasureError)(now.message)
    return steps_of(wanted, engine.store.kept([now.key])[now.key])


def _print_fits(fits: Sequence[Fit], logs: Sequence[Sequence[Step]]) -> None:
    """A table of each fit's steps, and one of what all of them came to."""
    console = Console()
    console.print(escape(f"{fits[0].objective}: {OBJECTIVES[fits[0].objective]}."), highlight=False)
    for wanted, log in zip(fits, logs, strict=True):
        console.print(_steps(wanted, log))
    name = "balance" if fits[0].is_two_sided else "mean asked"
    table = _table(name, *fits[0].partition.block_names(), "mean alpha", "objective at first", "at last", "steps")
    for wanted, log in zip(fits, logs, strict=True):
        last = log[-1]
        values = (f"{log[0].objective:.4f}", f"{last.objective:.4f}", f"{len(log) - 1}, {last.ending or 'not settled'}")
        table.add_row(f"{_asked(wanted):g}", *_shown(last.alphas), f"{mean_alpha(last.alphas):.3f}", *values)
    console.print(table)
    if any(log[-1].stuck for log in logs):
        console.print(
            "stuck: the objective's slope promises a fall, and no step brings one. These alphas have the lowest that was found, "
            "which may not be the minimum.",
            highlight=False,
        )
    alphas = ",".join(f"{alpha:g}" for alpha in omega.rounded(logs[-1][-1].alphas, DIGITS))
    console.print(f"To measure it, the same with --measure, or: {measure_command(alphas)}", highlight=False, soft_wrap=True)


def _steps(wanted: Fit, log: Sequence[Step]) -> Table:
    """Objective and alphas, step by step; the last says how it ended."""
    table = _table("step", "objective", *wanted.partition.block_names(), "")
    table.title = f"balance {_asked(wanted):g}" if wanted.is_two_sided else f"mean {_asked(wanted):g}"
    for number, step in enumerate(log):
        table.add_row(str(number), f"{step.objective:.5f}", *_shown(step.alphas), step.ending)
    return table


def _table(*columns: str) -> Table:
    table = Table()
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table


def _shown(alphas: Sequence[float]) -> list[str]:
    return [f"{alpha:.3f}" for alpha in alphas]


def _asked(wanted: Fit) -> float:
    """The mean or balance that a fit is at."""
    asked = wanted.balance if wanted.is_two_sided else wanted.mean
    assert asked is not None
    return asked


def _print_texts(wanted: Fit, used: Mapping[str, int]) -> None:
    """How many texts were fitted on; fewer than asked for where answers, prompts or items were fewer."""
    for source, count in used.items():
        asked = wanted.draw.drawn
        fewer = f", of {asked:,} asked for (--drawn): there are no more" if count < asked else ""
        Console().print(f"Fitted on {count:,} texts, {source}{fewer}.", highlight=False, soft_wrap=True)


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise FitError(f"--{name} is '{text}'. Expected a number from 0 to 1, or several with commas: 0.2,0.4.") from None
