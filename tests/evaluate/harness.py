"""lm-eval beside us: its own ``simple_evaluate`` on an exported folder, with tasks that its own factory builds."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager


def simple_evaluate(
    folder: Path, tasks: Mapping[str, Mapping[str, Any]], places: Sequence[Path], **options: Any
) -> dict[str, Any]:
    """lm-eval's results on a model's folder.

    ``tasks`` are names of results with settings that replace those of a YAML file, which lies somewhere below ``places``
    and has the name of the result up to its first space.
    """
    logging.getLogger("lm_eval").setLevel(logging.CRITICAL)
    manager = TaskManager(include_path=[str(place) for place in places], include_defaults=False)
    index = manager.task_index
    built = [
        manager._factory.build(index[name.split()[0]], overrides={**settings, "task": name}, registry=index)
        for name, settings in tasks.items()
    ]
    model = HFLM(pretrained=str(folder), device="cpu", batch_size=16)
    return lm_eval.simple_evaluate(model, tasks=built, task_manager=manager, bootstrap_iters=0, **options)


def samples(results: Mapping[str, Any], task: str, chain: str = "none") -> list[dict[str, Any]]:
    """What lm-eval logged of each document, in their order."""
    return sorted((s for s in results["samples"][task] if s["filter"] == chain), key=lambda sample: sample["doc_id"])
