"""The replication's page: verdicts, tables and charts, as Markdown beside pictures and the numbers themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hma import look
from hma.comparing import base_of
from hma.core.compare import Estimate
from hma.core.fit import ADAMERGING, TWO_SIDED
from hma.core.front import front
from hma.lab.claims import CLAIMS, FAILS, HOLDS, UNDECIDED, verdicts
from hma.lab.replication import Replicated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES = {
    "ma": ("o-", look.MA_COLOUR),
    "hma": ("D-", "#0072B2"),
    "ma-spaced": ("o--", look.MA_COLOUR),
    "two-sided-spaced": ("s--", "#009E73"),
    "two-sided-free-spaced": ("^--", "#CC79A7"),
}
"""Marker, line and colour of the methods that are drawn; colours that the colour-blind tell apart (Okabe and Ito)."""


def write(out: Path, found: Sequence[Replicated], points: int, num_items: int) -> None:
    """Writes ``report.md``, a picture of each pair, and ``report.json`` into the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    for pair in found:
        _picture(pair, out / _picture_name(pair))
    (out / "report.json").write_text(json.dumps([_as_dict(pair) for pair in found], indent=1) + "\n", encoding="utf-8")
    (out / "report.md").write_text(_markdown(found, points, num_items), encoding="utf-8")


def _markdown(found: Sequence[Replicated], points: int, num_items: int) -> str:
    scenarios = list(dict.fromkeys(pair.scenario for pair in found))
    lines = [
        "# The paper's claims on the miniature",
        "",
        "Made by `python -m hma lab report`. Every method measured the same number of points "
        f"({points}, both ends among them) on {num_items} validation items of each metric, and is judged by its own front of "
        f"these on {num_items} test items. Hypervolumes are per cent of the box between the ends; intervals are 95 % over test "
        f"items, paired between methods. Of RLHF itself, of its early stops, and of single parts nothing is chosen: they "
        "stand as they are on test items. Intervals say what other items would do, not what other texts to fit on would. "
        f"A claim **{HOLDS}** where the interval of every seed lies above zero, **{FAILS}** where "
        f"one lies below, and is **{UNDECIDED}** otherwise.",
    ]
    for scenario in scenarios:
        pairs = [pair for pair in found if pair.scenario == scenario]
        lines += ["", f"## {scenario}", "", *_claims(pairs), "", *_methods(pairs), ""]
        if others := [str(pair.seed) for pair in pairs if not pair.is_own_path]:
            lines += [
                f"The path of RLHF of seed {', '.join(others)} is of the same training run again on another machine than the one "
                "that made the policy: it rounds otherwise, and ends near that policy, not at it.",
                "",
            ]
        lines += [f"![{scenario}, seed {pair.seed}: fronts on test items]({_picture_name(pair)})" for pair in pairs]
    return "\n".join(lines) + "\n"


def _claims(pairs: Sequence[Replicated]) -> list[str]:
    """A table of claims, with each seed's number."""
    seeds = " | ".join(f"seed {pair.seed}" for pair in pairs)
    rows = [f"| claim | verdict | unit | {seeds} |", f"| --- | --- | --- |{' --- |' * len(pairs)}"]
    judged = verdicts([pair.claims for pair in pairs])
    for claim in CLAIMS:
        if claim.name in judged:
            verdict, estimates = judged[claim.name]
            numbers = " | ".join(_cell(estimate, 2 if claim.unit == "reward" else 1) for estimate in estimates)
            rows.append(f"| {claim.says.replace('|', ', ')} | {verdict} | {claim.unit} | {numbers} |")
    return rows


def _methods(pairs: Sequence[Replicated]) -> list[str]:
    """A table of hypervolumes, a row for each method and partition."""
    seeds = " | ".join(f"seed {pair.seed}" for pair in pairs)
    rows = [f"| method | blocks | {seeds} |", f"| --- | --- |{' --- |' * len(pairs)}"]
    for blocks, compared in pairs[0].compared.items():
        for name in compared.tested:
            cells = (pair.compared[blocks].comparison.hypervolumes[name] for pair in pairs)
            rows.append(f"| {_title(name)} | {blocks} | {' | '.join(_cell(cell, 1) for cell in cells)} |")
    return rows


def _title(method: str) -> str:
    """A method's name, fit for a table, with what it uses that the paper's HMA does not."""
    uses = {TWO_SIDED: " (task prompts)", ADAMERGING: " (labels)"}.get(base_of(method), "")
    return method.replace("|", ", ") + uses


def _cell(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _picture_name(pair: Replicated) -> str:
    return f"{pair.scenario}-seed-{pair.seed}.png"


def _picture(pair: Replicated, file: Path) -> None:
    """Fronts on test items with the RLHF path behind them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.4), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes: Axes = figure.add_subplot()
    rewards, abilities = zip(*pair.path, strict=True)
    axes.plot(rewards, abilities, "x:", color=look.NEUTRAL["light"], label="RLHF, stopped early")
    for name, (marker, colour) in _STYLES.items():
        for blocks, compared in list(pair.compared.items())[::-1]:
            if name in compared.tested:  # On its finest partition.
                members = front([*compared.tested[name], *compared.ends])
                places = [p.reward.value for p in members], [p.ability.value for p in members]
                label = f"{_title(name)}, {blocks} blocks"
                axes.plot(*places, marker, color=colour, markersize=4.5, linewidth=1, label=label)
                break
    axes.set(xlabel="alignment reward", ylabel=look.ABILITY_TITLE, title=f"{pair.scenario}, seed {pair.seed}: test items")
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(file, metadata={"Software": None})


def _as_dict(pair: Replicated) -> dict[str, Any]:
    return {
        "scenario": pair.scenario,
        "seed": pair.seed,
        "claims": {name: estimate.to_dict() for name, estimate in pair.claims.items()},
        "path": [list(place) for place in pair.path],
        "is_own_path": pair.is_own_path,
        "methods": {
            blocks: {
                name: {
                    "hypervolume": compared.comparison.hypervolumes[name].to_dict(),
                    "abilities": {f"{s:g}": e.to_dict() for s, e in compared.comparison.abilities[name].items()},
                    "front": [[*p.recipe.alphas, p.reward.value, p.ability.value] for p in points],
                }
                for name, points in compared.tested.items()
            }
            for blocks, compared in pair.compared.items()
        },
    }
