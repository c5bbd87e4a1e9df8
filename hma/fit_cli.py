"""``python -m hma fit``: alphas chosen by an objective."""

from __future__ import annotations

from collections.abc import Sequence
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
from hma.measuring import measured
from hma.methods.fitting import kept_steps, recipe_of
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
    draw_seed: Annotated[int, typer.Option(help="The seed of all this.")] = Draw.seed

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
    found = [_as_dict(wanted, log) for wanted, log in zip(fits, logs, strict=True)]
    points = [p for recipe in recipes if measure and (p := opened.point(study.point_key(recipe), study.num_items))]
    if as_json:
        shown: dict[str, Any] = found[0] if len(found) == 1 else {"fits": found}
        report.print_json(shown | ({"points": [point.to_dict() for point in points]} if measure else {}))
        return
    _print_fits(fits, logs)
    if points:
        report.print_points(study, points, Board.read(opened, study).reference)


def _as_dict(wanted: Fit, log: Sequence[Step]) -> dict[str, Any]:
    last = log[-1]
    return {
        "alphas": list(last.alphas),
        "mean_alpha": mean_alpha(last.alphas),
        "objective": [step.objective for step in log],
        "steps": [list(step.alphas) for step in log],
        "settled": last.settled,
        "what": wanted.objective,
        **({"balance": wanted.balance} if wanted.is_two_sided else {}),
    }


def fitted(engine: Engine, study: Any, wanted: Fit, quiet: bool) -> list[Step]:
    """The steps of a fit, with a bar. Raises MeasureError for one that could not be done."""
    try:
        with report.progress_bar(_screen, 1, hidden=quiet) as bar:
            job = engine.fit(study, wanted, SWEEP)
            while not (now := engine.wait(job.id, timeout=0.1)).is_over:
                bar.update(now.share, f"{now.stage} · {engine.worker().device}".rstrip(" ·"))
            bar.update(1, "")
    except KeyboardInterrupt:
        raise Cancelled("Stopped. Every step so far is in the store; the same command goes on where it stopped.") from None
    if now.state != "finished":
        raise (Refused if now.refused else MeasureError)(now.message)
    return kept_steps(engine.store.kept([job.key])[job.key])


def _print_fits(fits: Sequence[Fit], logs: Sequence[Sequence[Step]]) -> None:
    console = Console()
    console.print(escape(f"{fits[0].objective}: {OBJECTIVES[fits[0].objective]}."), highlight=False)
    table = Table("balance" if fits[0].is_two_sided else "mean asked", *fits[0].partition.block_names(), "mean alpha")
    for column in ("objective at first", "at last", "steps"):
        table.add_column(column, justify="right")
    for wanted, log in zip(fits, logs, strict=True):
        last = log[-1]
        asked = wanted.balance if wanted.is_two_sided else wanted.mean
        ended = str(len(log) - 1) if last.settled or len(log) <= wanted.max_steps else f"{len(log) - 1}, not settled"
        values = (f"{log[0].objective:.4f}", f"{last.objective:.4f}", ended)
        alphas = (f"{alpha:.3f}" for alpha in (*last.alphas, mean_alpha(last.alphas)))
        table.add_row(f"{asked:g}", *alphas, *values)
    console.print(table)
    alphas = ",".join(f"{alpha:g}" for alpha in omega.rounded(logs[-1][-1].alphas, DIGITS))
    console.print(f"To measure it: --measure, or measure --alphas {alphas}", highlight=False, soft_wrap=True)


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise FitError(f"--{name} is '{text}'. Expected a number from 0 to 1, or several with commas: 0.2,0.4.") from None
