"""The suite's files: lm-eval tasks with their items, chat prompts, and ``suite.json``."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hma.lab import facts, stories, translation
from hma.lab.prompts import draw_prompts
from hma.lab.scenario import Scenario

NUM_TRAINING_PROMPTS = 600

GENERATION = {"max_new_tokens": 32, "temperature": 1.0, "top_p": 1.0, "seed": 7}

_FILES = Path(__file__).parent / "task_files"


def write_suite(folder: Path, scenario: Scenario, drawing: int = 0) -> None:
    """Writes ``tasks/``, ``prompts/`` and ``suite.json``, whose reward is the program that the policy is trained on.

    Drawing 0 is the shipped one; any other number draws fresh items and prompts from the same splits, which
    measures the noise of a test set.
    """
    (folder / "tasks").mkdir(parents=True)
    (folder / "prompts").mkdir()
    for file in sorted(_FILES.iterdir()):
        if file.is_file():
            shutil.copy(file, folder / "tasks")
    num_items, task_share = scenario.num_items, scenario.raft.task_share
    for split in ("validation", "test"):
        draw = random.Random(f"items/{split}/{drawing}")
        _write_lines(folder / f"tasks/common_sense_{split}.jsonl", common_sense_items(draw, split, num_items))
        _write_lines(folder / f"tasks/reading_{split}.jsonl", reading_items(draw, split, num_items))
        _write_lines(folder / f"tasks/translation_{split}.jsonl", translation_items(draw, split, num_items))
        _write_lines(folder / f"prompts/{split}.jsonl", prompt_lines(draw, split, num_items, task_share))
    draw = random.Random(f"items/train/{drawing}")
    _write_lines(folder / "prompts/train.jsonl", prompt_lines(draw, "train", NUM_TRAINING_PROMPTS, task_share))
    _write_rewards(folder / "suite.json", [{"kind": "program", "function": scenario.program}], num_items)


def write_judged_suite(folder: Path, scenario: Scenario) -> None:
    """Writes ``judged.json`` beside ``suite.json``: the learned judges, and every other kind of reward, on the same answers."""
    rewards = [
        {"kind": "reward_model", "model": "judges/reward_model", "title": "Learned reward"},
        {"kind": "program", "function": scenario.program, "name": "program", "title": "Transparent reward"},
        {"kind": "pairrm", "name": "wins", "ranker": "judges/ranker", "baseline": "reference", "title": "Wins over reference"},
        {"kind": "policy_likelihood", "name": "proxy_likelihood"},
        {"kind": "kl_to_reference", "name": "proxy_kl"},
    ]
    _write_rewards(folder / "judged.json", rewards, scenario.num_items)


def _write_rewards(path: Path, rewards: list[dict[str, str]], num_items: int) -> None:
    path.write_text(json.dumps(_suite(rewards, num_items), indent=2) + "\n", encoding="utf-8")


def common_sense_items(draw: random.Random, split: str, count: int) -> list[dict[str, Any]]:
    """Questions in forms that are never trained on, about facts that only this split asks, with four options."""
    asked = [(question, fact) for fact in facts.FACTS if fact.split == split for question in fact.items]
    items = []
    for i, (question, fact) in enumerate(draw.sample(asked, count)):
        choices = facts.options(draw, fact)
        label = choices.index(fact.answer)
        items.append({"id": f"{split}-fact-{i:03}", "question": question, "choices": choices, "label": label})
    return items


def reading_items(draw: random.Random, split: str, count: int) -> list[dict[str, Any]]:
    """One question each about stories that only this split tells."""
    items: dict[str, dict[str, Any]] = {}
    while len(items) < count:
        text, pairs = stories.story(draw, split)
        question, answer = pairs[0]
        items.setdefault(text, {"id": f"{split}-story-{len(items):03}", "story": text, "question": question, "answer": answer})
    return list(items.values())


def translation_items(draw: random.Random, split: str, count: int) -> list[dict[str, Any]]:
    """Sentences that only this split asks for."""
    sentences: dict[str, None] = {}
    while len(sentences) < count:
        sentences[translation.sentence(draw, split)] = None
    return [
        {"id": f"{split}-sentence-{i:03}", "english": english, "translation": translation.translated(english)}
        for i, english in enumerate(sentences)
    ]


def prompt_lines(draw: random.Random, split: str, count: int, task_share: float) -> list[dict[str, str]]:
    """Chat prompts; a text may stand more than once, with different ids."""
    prompts = draw_prompts(draw, split, count, task_share)
    return [{"id": f"{split}-prompt-{i:03}", "prompt": prompt} for i, prompt in enumerate(prompts)]


def _suite(rewards: list[dict[str, str]], num_items: int) -> dict[str, Any]:
    return {
        "name": "miniature",
        "title": "Miniature world",
        "chat": {
            "prompts": {split: f"prompts/{split}.jsonl" for split in ("validation", "test", "train")},
            "generation": GENERATION,
        },
        "rewards": rewards,
        "abilities": [
            _ability("common_sense", "Common sense", "acc", "% accuracy"),
            _ability("reading", "Reading", "f1", "F1"),
            _ability("translation", "Translation", "bleu", "BLEU"),
        ],
        "sizes": {"quick": min(100, num_items), "full": num_items},
    }


def _ability(name: str, title: str, metric: str, unit: str) -> dict[str, str]:
    return {"name": name, "title": title, "task": f"tasks/{name}.yaml", "metric": metric, "unit": unit}


def _write_lines(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
