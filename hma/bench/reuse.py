"""What it would save to compute only what lies above the first block that changed."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console

from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.evaluate.suite import Suite, load_suite
from hma.study import SHIPPED

LIMIT = 0.1
"""It pays when a move of one slider, any of them, is spared this share of its point by the likelihood tasks."""

_HIDDEN, _LAYERS, _WORDS, _ITEMS = 512, 6, 8000, 16
"""The larger model, and how many items of each task it is asked, so that a point of it takes seconds."""


def reuse(
    runs: Annotated[int, typer.Option(help="Times that each is done, in turns.", min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """How much of a point is saved when hidden states are kept, and only what is above the first changed block is computed.

    On the miniature, and on a random Llama some forty times its size with fewer items. For each of three blocks, for a
    move of one slider and for whole sweeps. Likelihood tasks alone, and with the prompts of answers, whose keys and values
    of the layers below would have to be kept as well.
    """
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    found = {"miniature": _miniature(runs), "larger": _larger(runs)}
    verdict = {"limit": LIMIT, "pays": all(model["likelihood"]["saved"]["slider"] >= LIMIT for model in found.values())}
    if as_json:
        print(json.dumps({**found, **verdict}))
    else:
        _print(found, verdict["pays"])


def _miniature(runs: int) -> dict[str, Any]:
    from hma.checkpoints.live import LiveModel  # Brings torch.

    live = LiveModel(open_pair(SHIPPED / "reference", SHIPPED / "policy"))
    partition = Partition.equal(len(live.model.get_decoder().layers))
    live.write(Recipe(partition, (0.5,) * partition.num_blocks))
    return _measured(load_suite(SHIPPED), live.model, live.tokenizer, partition, runs)


def _larger(runs: int) -> dict[str, Any]:
    from hma.checkpoints.loading import load_tokenizer
    from hma.evaluate.reuse import llama

    suite = load_suite(SHIPPED)
    fewer = replace(suite, num_items=_ITEMS)
    pair = open_pair(SHIPPED / "reference", SHIPPED / "policy")
    return _measured(fewer, llama(_HIDDEN, _LAYERS, _WORDS), load_tokenizer(pair.policy), Partition.equal(_LAYERS), runs)


def _measured(suite: Suite, model: Any, tokenizer: Any, partition: Partition, runs: int) -> dict[str, Any]:
    """What ``hma.evaluate.reuse`` measures, and of it the shares of a whole point that are saved."""
    from hma.evaluate.reuse import LIKELIHOOD, PROMPTS, reuse

    found = reuse(suite, model, tokenizer, partition.starts[1:], runs)
    for kind in (LIKELIHOOD, PROMPTS):
        # Nothing is saved when the first block changes: embeddings belong to it.
        found[kind]["saved"] = _saved([0.0, *(found["shares"][kind] * (1 - left) for left in found[kind]["left"])])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"parameters": parameters, "num_items": suite.num_items, **found}


def _saved(by_block: list[float]) -> dict[str, Any]:
    """The share of a point that is saved: by the first block that changed, and on average over what people ask for.

    A slider's move changes one block, any of them as likely. A grid's last block changes fastest. A sweep of MA
    changes every block at every point, and so does a search in all alphas.
    """
    grid = list(itertools.product(range(5), repeat=len(by_block)))
    firsts = [next(k for k, (a, b) in enumerate(zip(*pair, strict=True)) if a != b) for pair in itertools.pairwise(grid)]
    return {
        "by_block": by_block,
        "slider": sum(by_block) / len(by_block),
        "grid": sum(by_block[first] for first in firsts) / len(grid),
        "sweep": 0.0,
    }


def _print(found: dict[str, Any], pays: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for name, model in found.items():
        shares = ", ".join(f"{share:.1%} {kind}" for kind, share in model["shares"].items())
        console.print(
            f"The {name} ({model['parameters'] / 1e6:.2f} million parameters, {model['num_items']} items a task): a point takes "
            f"{model['seconds']:.2f} s on one core; of it forward passes of {shares}."
        )
        for kind, title in (("likelihood", "Likelihood tasks"), ("prompts", "Prompts of answers")):
            console.print(f"  {title}: {_line(model[kind])}")
    console.print(
        f"Verdict: {'it pays' if pays else 'it does not pay'}. Wanted was that likelihood tasks spare a move of one slider "
        f"{LIMIT:.0%} of its point. Where a whole sweep or a search changes every block, nothing is saved."
    )


def _line(passes: dict[str, Any]) -> str:
    saved = passes["saved"]
    left = ", ".join(f"{1 - share:.0%}" for share in passes["left"])
    return (
        f"saved are {left} of their passes where the second or a later block is the first that changed; of a whole point "
        f"{', '.join(f'{share:.1%}' for share in saved['by_block'])} by block, {saved['slider']:.1%} of a slider's move, "
        f"{saved['grid']:.1%} of a grid of five steps, {saved['sweep']:.0%} of a sweep of MA. Kept would be "
        f"{', '.join(f'{size / 1e6:.1f}' for size in passes['kept_bytes'])} MB at the boundaries; "
        f"the largest difference in a logit is {passes['difference']:g}."
    )
