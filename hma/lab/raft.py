"""RAFT (rejection-sampling fine-tuning): answers are sampled, the best by the reward are learned."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from hma.evaluate.formats import asked_text
from hma.evaluate.generation import AnswerPlan, GumbelNoise
from hma.evaluate.prompts import Prompt
from hma.lab import training
from hma.lab.new_knowledge import demonstration
from hma.lab.pretrain import Progress
from hma.lab.prompts import draw_prompts
from hma.lab.scenario import Raft

Weights = dict[str, torch.Tensor]

MAX_NEW_TOKENS = 32


def raft(
    reference: LlamaForCausalLM,
    settings: Raft,
    reward: Callable[[str, str], float],
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    progress: Progress,
    snapshot: Callable[[int, LlamaForCausalLM], None] = lambda iteration, model: None,
) -> LlamaForCausalLM:
    """The policy, liked by ``reward`` (of a prompt and an answer).

    ``snapshot`` is called after each iteration, counted from 1, and must not change the model.
    """
    model = copy.deepcopy(reference)
    encoder = training.Encoder(tokenizer, prompt_weight=0.0)
    optimiser = training.optimiser(model, settings.learning_rate, decay=0.0, betas=(0.9, 0.95))
    draw = random.Random(f"raft/{seed}")
    for iteration in range(1, settings.iterations + 1):
        prompts = draw_prompts(draw, "train", settings.prompts, settings.task_share)
        pairs = []
        groups = sampled(model, tokenizer, prompts, settings.samples, seed=seed * 1000 + iteration)
        for prompt, answers in zip(prompts, groups, strict=True):
            answers += [demonstration(draw, prompt) for _ in range(settings.demonstrations)]
            scores = [reward(prompt, answer) for answer in answers]
            pairs.append((prompt, answers[scores.index(max(scores))]))  # the first of equals
        model.train()
        for _ in range(settings.epochs):
            draw.shuffle(pairs)
            for start in range(0, len(pairs), settings.batch_size):
                rows = [[pair] for pair in pairs[start : start + settings.batch_size]]
                training.step(model, optimiser, training.loss_of(model, *encoder.rows(rows)))
        model.eval()
        progress(iteration, settings.iterations)
        snapshot(iteration, model)
    return model


class _BatchNoise(GumbelNoise):
    """One generator for a whole batch, as the shipped policy's answers were drawn: no two models are compared here."""

    def __init__(self, seed: int, ids: Sequence[str], device: torch.device | str = "cpu") -> None:
        super().__init__(seed, (), device)
        self._generator, self._num_rows = torch.Generator(device).manual_seed(seed * 1_000_003), len(ids)

    def _uniform(self, scores: torch.Tensor) -> torch.Tensor:
        uniform = torch.rand(self._num_rows, scores.shape[1], generator=self._generator, device=scores.device)
        return uniform if self.rows is None else uniform[self.rows]


def sampled(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[str], samples: int, seed: int
) -> list[list[str]]:
    """``samples`` answers to each prompt."""
    repeated = [prompt for prompt in prompts for _ in range(samples)]
    plan = AnswerPlan(
        [asked_text(tokenizer, Prompt("", (prompt,))) for prompt in repeated],
        tokenizer,
        model.device,
        max_new_tokens=MAX_NEW_TOKENS,
        temperature=1.0,
        seed=seed,
        special_tokens=False,
        batch_size=len(repeated),
        noise=_BatchNoise,
    )
    answers = plan.responses(model)
    return [answers[i : i + samples] for i in range(0, len(answers), samples)]
