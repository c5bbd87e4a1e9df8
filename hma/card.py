"""The model card of an exported merge: what it is, what was measured of it, how to load it, where it came from."""

from __future__ import annotations

import shlex
from pathlib import Path

from hma import text
from hma.checkpoints.export import Merged
from hma.core.partition import EMBEDDINGS, HEAD, NORM, TITLES, Partition
from hma.core.point import Point, Score
from hma.core.study import Study


def card(merge: Merged, folder: Path, measured: list[tuple[Study, Point]]) -> str:
    """The README.md of a merge that is exported to ``folder``; ``measured`` is its point in each study that has it."""
    return "\n".join([*_front_matter(merge), *_what(merge), *_scores(merge, measured), *_loading(folder), *_origin(merge)]) + "\n"


def _front_matter(merge: Merged) -> list[str]:
    hubs = [end.source for end in (merge.pair.reference, merge.pair.policy) if not Path(end.source).expanduser().is_dir()]
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


def _scores(merge: Merged, measured: list[tuple[Study, Point]]) -> list[str]:
    lines = ["", "## Measured"]
    if not measured:
        return [*lines, "", "These weights were not measured in the store that the export was given."]
    for study, point in measured:
        lines += ["", f"{study.title}: {study.num_items} {study.split} items of each task ({study.size}), on {point.device}."]
        lines += ["", "| score | value | 95 % interval | unit |", "| --- | --- | --- | --- |"]
        lines += [_row(axis.title, point.scores[axis.name], axis.unit) for axis in (study.reward, *study.abilities)]
        lines += [_row("Mean ability", point.ability, "")]
        if study.split == "validation":
            lines += [
                "",
                "Validation items are what alphas are chosen by: a merge that was chosen by them scores lower on others.",
            ]
    return lines


def _row(title: str, score: Score, unit: str) -> str:
    return f"| {title} | {text.rounded(score)} | {text.interval(score.low, score.high)} | {unit} |"


def _loading(folder: Path) -> list[str]:
    return [
        "",
        "## Load it",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"folder = {folder.name!r}  # where this folder lies",
        'model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")',
        "tokenizer = AutoTokenizer.from_pretrained(folder)",
        "```",
    ]


def _origin(merge: Merged) -> list[str]:
    pair, recipe, precision = merge.pair, merge.recipe, merge.recipe.precision
    command = ["python", "-m", "hma", "export", "--alphas", ",".join(f"{a:g}" for a in recipe.alphas)]
    pivots = ",".join(str(start - 1) for start in recipe.partition.starts[1:])
    command += ["--pivots", pivots] if pivots else ["--blocks", "1"]
    own = ["--own", ",".join(recipe.partition.own)] if recipe.partition.own else []
    command += ["--linear-only"] if recipe.partition.linear_only else own
    command += ["--reference", pair.reference.source, "--policy", pair.policy.source]
    command += ["--dtype", precision.dtype] if precision.dtype else []
    command += ["--rounding", precision.rounding, "--seed", str(precision.seed)] if precision.rounding != "nearest" else []
    return [
        "",
        "## Where it came from",
        "",
        f"- Reference: `{pair.reference.source}` (fingerprint {pair.reference.fingerprint})",
        f"- Policy: `{pair.policy.source}` (fingerprint {pair.policy.fingerprint}); config, tokenizer and chat template are its",
        "- `recipe.json` names every file with its SHA-256; `python -m hma verify DIR` checks them",
        "- Made by Heterogeneous Model Averaging (https://arxiv.org/abs/2309.06256). The same again, bit for bit:",
        "",
        "```",
        shlex.join([*command, "--out", "DIR"]),
        "```",
        "",
        "The licences of both checkpoints hold for their average.",
    ]
