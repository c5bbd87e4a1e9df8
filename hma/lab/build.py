"""Building a miniature from nothing: reference, policy, judges, tasks, prompts, and a report."""

from __future__ import annotations

import json
import multiprocessing
import platform
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hma.errors import HmaError
from hma.lab.scenario import Scenario

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps in all)."""

Weights = dict[str, "torch.Tensor"]

_PACKAGES = ("torch", "transformers", "tokenizers", "lm-eval", "llm-blender", "sacrebleu", "numpy")


def build(out: Path, scenario: Scenario, seed: int, progress: StageProgress, force: bool = False) -> dict[str, Any]:
    """Makes the miniature in the folder ``out`` and returns its report.

    Everything is written beside ``out`` and put in its place at the end, so that an interruption leaves
    nothing half made. Raises HmaError for a folder that holds something already, unless that is a
    miniature and ``force`` says to replace it.
    The same scenario and seed give the same files on the same machine and versions (except the report's times).
    """
    import torch

    out = out.expanduser().absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if not (out / "report.json").is_file():
            raise HmaError(f"{out} holds something else already. Choose another folder with --out.")
        if not force:
            raise HmaError(f"{out} holds a miniature already. Choose another folder with --out, or replace it with --force.")
    staging = out.parent / f".{out.name}.building"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # Tensors this small gain nothing from more, and lose much on a busy machine.
    try:
        report = _build(staging, scenario, seed, progress)
        (staging / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        _replace(staging, out)
    finally:
        torch.set_num_threads(threads)
        shutil.rmtree(staging, ignore_errors=True)
    return report


def _build(folder: Path, scenario: Scenario, seed: int, progress: StageProgress) -> dict[str, Any]:
    from hma.lab.pretrain import pretrain
    from hma.lab.tasks import write_suite
    from hma.lab.tokenizer import make_tokenizer

    seconds: dict[str, float] = {}
    tokenizer = make_tokenizer()
    write_suite(folder, scenario.raft.task_share, num_items=scenario.num_items)
    started = time.perf_counter()
    reference = pretrain(scenario.size, scenario.pretraining, tokenizer, seed, _stage(progress, "pre-training"))
    seconds["pretraining"] = time.perf_counter() - started
    _save(reference, tokenizer, folder / "reference")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        from hma.lab.judging import make_judges

        judges = pool.submit(make_judges, folder, scenario, seed)
        progress("judges, beside it", 0, 1)
        started = time.perf_counter()
        policy, snapshots = _rlhf(reference, scenario, tokenizer, seed, progress)
        seconds["raft"] = time.perf_counter() - started
        _save(policy, tokenizer, folder / "policy")
        started = time.perf_counter()
        path = _measured_path(folder, snapshots, progress)
        seconds["measuring the path"] = time.perf_counter() - started
        agreement = judges.result()
        progress("judges, beside it", 1, 1)
    return {
        "seed": seed,
        "scenario": asdict(scenario),
        "parameters": reference.num_parameters(),
        "vocabulary": len(tokenizer),
        "judges": agreement,
        "rlhf_path": {"split": "test", "num_items": scenario.num_items, "iterations": path},
        "seconds": seconds,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def _rlhf(
    reference: LlamaForCausalLM, scenario: Scenario, tokenizer: PreTrainedTokenizerFast, seed: int, progress: StageProgress
) -> tuple[LlamaForCausalLM, dict[int, Weights]]:
    """The policy, and the weights after every iteration from 0 (the reference)."""
    from hma.lab.raft import raft

    snapshots = {0: reference.state_dict()}

    def keep(iteration: int, model: LlamaForCausalLM) -> None:
        snapshots[iteration] = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    policy = raft(reference, scenario.raft, tokenizer, seed, _stage(progress, "RAFT"), keep)
    return policy, snapshots


def _measured_path(folder: Path, snapshots: dict[int, Weights], progress: StageProgress) -> list[dict[str, float]]:
    """Reward and abilities after each iteration, on the test items: the early-stopping curve."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from hma.lab.measuring import evaluator, scores_of

    model = AutoModelForCausalLM.from_pretrained(folder / "policy")
    measure = evaluator(folder / "suite.json", model, AutoTokenizer.from_pretrained(folder / "policy"), "test")
    path = []
    for place, (iteration, weights) in enumerate(snapshots.items(), start=1):
        model.load_state_dict(weights)
        path.append({"iteration": iteration, **scores_of(measure.run())})
        progress("measuring the path", place, len(snapshots))
    return path


def _save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _replace(staging: Path, out: Path) -> None:
    """Puts the finished folder in place; an older one is removed only when the new one can follow at once."""
    old = out.parent / f".{out.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    staging.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _stage(progress: StageProgress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)
