"""The model card of an exported merge: what it is, what was measured of it, the front, how to load it, where it came from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hma import look, picture, text
from hma.board import Board
from hma.checkpoints.export import CARD, Merged
from hma.checkpoints.pair import Checkpoint
from hma.core.difference import Difference, difference
from hma.core.partition import EMBEDDINGS, HEAD, NORM, TITLES, Partition
from hma.core.point import MEAN, REWARD, Point, Score
from hma.core.recipe import Recipe
from hma.core.study import Axis, Study

PICTURE = "front.png"

_MARKS = re.compile(r"([\\`*_<>\[\]|~$&])")
_FIRST = re.compile(r"^(\d*)([-+#=.)])")
"""What makes a heading or a list where a line begins with it."""


def files(merge: Merged, folder: Path, boards: Sequence[Board]) -> dict[str, bytes]:
    """The README.md of a merge that is exported to ``folder``, and the picture of the front in it, by name.

    ``boards`` are what is measured of its pair, the study that says most first: of several that have the merge, the
    first is drawn.
    """
    shown = _shown(boards, merge.recipe)
    parts = [_front_matter(merge), _what(merge), _scores(merge, boards), _front(shown, merge.recipe), _loading(merge, folder)]
    content = "\n".join(line for part in [*parts, _origin(merge)] for line in part) + "\n"
    drawn = {PICTURE: picture.front_png(shown, _point(shown, merge.recipe))} if shown else {}
    return {CARD: content.encode(), **drawn}


def _point(board: Board, recipe: Recipe) -> Point | None:
    return board.point(board.study.point_key(recipe))


def _shown(boards: Sequence[Board], recipe: Recipe) -> Board | None:
    """The board to draw: the first that has the merge, else the one with the most points, if there are any."""
    having = next((board for board in boards if _point(board, recipe)), None)
    return having or max((board for board in boards if board.points), key=lambda board: len(board.points), default=None)


def _front_matter(merge: Merged) -> list[str]:
    hubs = [end.source.partition("@")[0] for end in (merge.pair.reference, merge.pair.policy) if end.revision]
    bases = ["base_model:", *(f"- {source}" for source in hubs)] if hubs else []
    return ["---", "library_name: transformers", "pipeline_tag: text-generation", *bases, "tags:", "- merge", "- rlhf", "---"]


def _what(merge: Merged) -> list[str]:
    recipe, precision, lost = merge.recipe, merge.recipe.precision, text.lost(merge.recipe, merge.effective)
    rounding = "to the nearest" if precision.rounding == "nearest" else f"at random with the right mean (seed {precision.seed})"
    blocks = [recipe.partition.layers(k) for k in range(recipe.partition.num_blocks)]
    rows = [
        f"| {name} | {f'{layers[0]} to {layers[-1]}' if layers else 'none'} | {text.alpha(asked)} | "
        f"{'equal in both' if found is None else f'{found:.3f}'} |"
        for name, layers, asked, found in zip(recipe.partition.block_names(), blocks, recipe.alphas, merge.effective, strict=True)
    ]
    return [
        "",
        f"# {text.recipe_name(recipe)}",
        "",
        "The weights of one language model from before RLHF (the reference) and after (the policy), averaged with one share "
        "per block of layers: `alpha * reference + (1 - alpha) * policy`. Alpha 0 is the policy, alpha 1 is the reference."
        + (" Outside 0 to 1 it goes beyond one of them: extrapolation, not an average." if recipe.is_extrapolation else "")
        + _outside(recipe.partition),
        "",
        "| block | layers | alpha | effective alpha |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        f"Weights: {precision.dtype or 'the dtype of the policy'}, interpolated in float32 and rounded {rounding}. "
        "The effective alpha is what the rounding left of the alpha: the exact average that is nearest to the written weights.",
        *([f"\n> {lost}"] if lost else []),
    ]


def _outside(partition: Partition) -> str:
    """Where the parameters lie that are in no layer, where the table of blocks does not say it; begins with a space."""
    if partition.linear_only:
        return (
            " Only the linear weights of the layers and of the head are averaged, as in the HMA of the paper's code: embeddings, "
            "norms, biases and all else are the reference's, so that alpha 0 in every block is not the policy."
        )
    homes = {"first": (EMBEDDINGS,), "last": (NORM, HEAD)}
    found = {home: [TITLES[part] for part in parts if part not in partition.own] for home, parts in homes.items()}
    return "".join(
        f" The {home} block of layers has the {' and the '.join(parts)} too." for home, parts in found.items() if parts
    )


def _scores(merge: Merged, boards: Sequence[Board]) -> list[str]:
    lines = ["", "## Measured"]
    if merge.tokenizer == "reference":
        lines += [
            "",
            "Merges are measured with the policy's tokenizer and chat template; those in this folder are the reference's.",
        ]
    # Of several sizes of one split, the first board has the most items, and all that the others have.
    having = [board.study for board in boards if _point(board, merge.recipe)]
    largest = {study.split: study for study in reversed(having)}.values()
    measured = [(board, point) for board in boards if board.study in largest and (point := _point(board, merge.recipe))]
    if not measured:
        return [*lines, "", "These weights were not measured in the store that the export was given."]
    for board, point in measured:
        lines += ["", f"{_items(board.study)}, on {safe(point.device)}.", "", *_table(board, point), "", *_read(board, point)]
        if board.study.split == "validation":
            lines += [
                "",
                "Validation items are what alphas are chosen by: a merge that was chosen by them scores lower on others.",
            ]
    return lines


def _table(board: Board, point: Point) -> list[str]:
    """Each score of the reference, the policy and this merge, with the tax of what is an ability."""
    study, mean = board.study, Axis(MEAN, "Mean ability", "points")
    axes = (study.reward, *study.abilities, mean, *study.extras)
    taxed = {axis.name for axis in (*study.abilities, mean)}
    head = ["| score | unit | reference | policy | this merge | tax |", "| --- | --- | --- | --- | --- | --- |"]
    return head + [_row(axis, board, point, axis.name in taxed) for axis in axes]


def _row(axis: Axis, board: Board, point: Point, is_taxed: bool) -> str:
    before, after, here = (_score(p, axis.name) for p in (board.reference, board.policy, point))
    told = [_told(score) for score in (before, after, here)]
    tax = _tax(before, here, axis) if is_taxed and before and here else "–"
    return f"| {' | '.join((safe(axis.title), safe(axis.unit), *told, tax))} |"


def _score(point: Point | None, name: str) -> Score | None:
    if point is None:
        return None
    return point.ability if name == MEAN else point.scores[name]


def _told(score: Score | None) -> str:
    return f"{text.rounded(score)} ({text.interval(score.low, score.high)})" if score else "not measured"


def _tax(before: Score, here: Score, axis: Axis) -> str:
    """The tax; its interval, which is paired by item, is known of the mean alone: points keep no others' resamples."""
    if axis.name == MEAN:
        return _difference(difference(before, here))
    return text.signed(before.value - here.value, max(score.high - score.low for score in (before, here)) / 2)


def _difference(found: Difference) -> str:
    return f"{text.signed(found.value, found.half_width)} ({text.interval(found.low, found.high)})"


def _read(board: Board, point: Point) -> list[str]:
    """What the table means, and what this merge gained in reward."""
    lines = ["Intervals are 95 % over the items. Tax is the reference's ability less this merge's: a positive one is a loss."]
    if board.reference is not None:
        gain = _difference(difference(point.scores[REWARD], board.reference.scores[REWARD]))
        lines += ["", f"Reward against the reference: {gain}, on the same prompts."]
    return lines


def safe(name: str) -> str:
    """A name that a file made up, in one line and without what Markdown would give a meaning to."""
    name = _MARKS.sub(r"\\\1", " ".join(text.printable(name).split()))
    return _FIRST.sub(r"\1\\\2", name)


def _items(study: Study) -> str:
    return f"{safe(study.title)}: {study.num_items} {study.split} items of each task ({safe(study.size)})"


def _front(board: Board | None, recipe: Recipe) -> list[str]:
    if board is None:
        return []
    point = _point(board, recipe)
    if point is None:
        place = "This merge is not on it, since it was not measured."
    else:
        place = "This merge is on the front." if board.is_on_front(point) else "Another point beats this merge."
    alt = look.alt(board.points, board.front) + (" A ring marks this merge." if point else "")
    return [
        "",
        "## The front",
        "",
        f"![{alt}]({PICTURE})",
        "",
        f"{_items(board.study)}. {look.filled(board.points, board.front)} Bars are 95 % intervals. {place}",
    ]


def _loading(merge: Merged, folder: Path) -> list[str]:
    code = ", trust_remote_code=True" if merge.has_code else ""
    return [
        "",
        "## Load it",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"folder = {folder.name!r}  # where this folder lies",
        f'model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto"{code})',
        f"tokenizer = AutoTokenizer.from_pretrained(folder{code})",
        "```",
    ]


def _origin(merge: Merged) -> list[str]:
    pair, recipe, precision = merge.pair, merge.recipe, merge.recipe.precision
    command = ["python", "-m", "hma", "export", "--alphas", ",".join(map(repr, recipe.alphas))]
    command += ["--beyond"] if recipe.is_extrapolation else []
    pivots = ",".join(str(start - 1) for start in recipe.partition.starts[1:])
    command += ["--pivots", pivots] if pivots else ["--blocks", "1"]
    own = ["--own", ",".join(recipe.partition.own)] if recipe.partition.own else []
    command += ["--linear-only"] if recipe.partition.linear_only else own
    command += ["--reference", pair.reference.place, "--policy", pair.policy.place]
    command += [word for kind in pair.allow for word in ("--allow", kind)]
    command += ["--dtype", precision.dtype] if precision.dtype else []
    command += ["--rounding", precision.rounding] if precision.rounding != "nearest" else []
    command += ["--seed", str(precision.seed)] if precision.seed else []
    command += ["--tokenizer", merge.tokenizer] if merge.tokenizer != "policy" else []
    return [
        "",
        "## Where it came from",
        "",
        f"- Reference: {_named(pair.reference)}",
        f"- Policy: {_named(pair.policy)}",
        f"- Tokenizer, chat template and generation settings are the {merge.tokenizer}'s, the config is the policy's",
        "- `recipe.json` names every file with its SHA-256; `python -m hma verify DIR` checks them",
        "- Made by Heterogeneous Model Averaging (https://arxiv.org/abs/2309.06256). The same again, bit for bit:",
        "",
        "```",
        shlex.join([*command, "--out", "DIR"]),
        "```",
        "",
        "The licences of both checkpoints hold for their average.",
    ]


def _named(end: Checkpoint) -> str:
    revision = f"revision {end.revision}, " if end.revision else ""
    return f"`{end.source}` ({revision}fingerprint {end.fingerprint})"
