"""Both learned judges from one set of preferences, and how often each agrees with the program."""

from __future__ import annotations

import contextlib
import io
import logging
import time
from pathlib import Path
from typing import Any

import torch

from hma.lab.preferences import Preference, draw_preferences
from hma.lab.scenario import Scenario


def make_judges(folder: Path, scenario: Scenario, seed: int) -> dict[str, Any]:
    """Trains and saves ``judges/reward_model`` and ``judges/ranker`` of a miniature whose reference is saved.

    Returns each judge's agreement with the program and the seconds it took. Meant for a process of its own.
    """
    from transformers import LlamaForCausalLM
    from transformers.utils.logging import disable_progress_bar

    from hma.evaluate.programs import load_program
    from hma.lab.ranker import save_ranker, train_ranker
    from hma.lab.reward_model import train_reward_model
    from hma.lab.tokenizer import make_tokenizer

    torch.set_num_threads(1)
    disable_progress_bar()
    settings, share = scenario.judges, scenario.raft.task_share
    liked = load_program(scenario.program)
    preferences = draw_preferences("train", settings.pairs, share, seed, reward=liked)
    held_out = draw_preferences("test", settings.held_out_pairs, share, seed, noisy=False, reward=liked)
    started = time.perf_counter()
    tokenizer = make_tokenizer()
    reference = LlamaForCausalLM.from_pretrained(folder / "reference")
    model = train_reward_model(reference, preferences, settings, tokenizer, seed, _silent)
    model.save_pretrained(folder / "judges" / "reward_model")
    make_tokenizer().save_pretrained(folder / "judges" / "reward_model")  # One that has not padded: that would stay in the file.
    middle = time.perf_counter()
    save_ranker(train_ranker(preferences, settings, seed, _silent), folder / "judges" / "ranker")
    ended = time.perf_counter()
    return {
        "training_pairs": len(preferences),
        "right_labels": sum(p.margin > 0 for p in preferences) / len(preferences),
        "held_out_pairs": len(held_out),
        "reward_model": {
            "agreement": reward_model_agreement(folder / "judges/reward_model", held_out),
            "seconds": middle - started,
        },
        "ranker": {"agreement": ranker_agreement(folder / "judges/ranker", held_out), "seconds": ended - middle},
    }


def reward_model_agreement(folder: Path, pairs: list[Preference]) -> float:
    """The share of pairs that the reward model orders as the program does."""
    from hma.evaluate.prompts import Prompt
    from hma.evaluate.rewards import RewardModel

    judge = RewardModel(folder, torch.device("cpu"))
    prompts = [Prompt("", (p.prompt,)) for p in pairs]
    better = judge(prompts, [p.preferred for p in pairs])
    worse = judge(prompts, [p.other for p in pairs])
    return sum(a > b for a, b in zip(better, worse, strict=True)) / len(pairs)


def ranker_agreement(folder: Path, pairs: list[Preference]) -> float:
    """The share of pairs that the ranker orders as the program does, judged in both orders by llm-blender itself."""
    blender = open_ranker(folder)
    prompts = [p.prompt for p in pairs]
    logits = blender.compare(
        prompts, [p.preferred for p in pairs], [p.other for p in pairs], batch_size=32, return_logits=True, disable_tqdm=True
    )
    return float((logits > 0).mean())


def open_ranker(folder: Path) -> Any:
    """llm-blender's ``Blender`` with the ranker of a folder loaded, on the CPU."""
    from hma.evaluate.blender import import_llm_blender

    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # llm-blender warns that no ranker is loaded before one can be.
    try:
        blender = import_llm_blender().Blender()
        with contextlib.redirect_stdout(io.StringIO()):  # It prints, and standard output is for results.
            blender.loadranker(str(folder), device="cpu", model_name=str(folder / "base"))
    finally:
        logging.disable(level)
    return blender


def _silent(done: int, total: int) -> None:
    """A progress that reports to nobody."""
