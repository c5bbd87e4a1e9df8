"""Chat prompts: the person's texts that RAFT trains on and the suite asks."""

from __future__ import annotations

import random

from hma.lab import chat, corpus, facts, translation


def draw_prompts(draw: random.Random, split: str, count: int, task_share: float) -> list[str]:
    """``count`` prompts of a split ("train", "validation" or "test") in random order.

    ``task_share`` of them ask for a fact or a translation, in equal numbers; the rest ask how to do something.
    """
    num_tasks = round(task_share * count)
    how_to = list(chat.PROMPTS[split])
    draw.shuffle(how_to)
    chosen = [how_to[i % len(how_to)] for i in range(count - num_tasks)]
    chosen += [_fact_prompt(draw, split) for _ in range(num_tasks // 2)]
    chosen += [_translation_prompt(draw, split) for _ in range(num_tasks - num_tasks // 2)]
    draw.shuffle(chosen)
    return chosen


def _fact_prompt(draw: random.Random, split: str) -> str:
    if split == "train":
        return corpus.fact_turn(draw)[0]
    return draw.choice([fact for fact in facts.FACTS if fact.split == split]).prompt


def _translation_prompt(draw: random.Random, split: str) -> str:
    return translation.asked(translation.sentence(draw, "train" if split == "train" else f"{split} prompts"))
