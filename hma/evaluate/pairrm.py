"""Win rates by PairRM: llm-blender's pairwise ranker, asked in both orders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_model
from transformers import AutoConfig, AutoModel, AutoTokenizer

from hma.errors import SuiteError
from hma.evaluate.batches import Batches
from hma.evaluate.blender import import_llm_blender
from hma.evaluate.prompts import Prompt
from hma.evaluate.rewards import reason_of

BATCH_SIZE = 32
"""Pairs of one forward pass."""


@dataclass(frozen=True)
class Comparison:
    """Answers against others, pair by pair: ``logits (2, num_pairs)`` that the answer is the better, shown first and second."""

    logits: np.ndarray

    @property
    def wins(self) -> np.ndarray:
        """The mean over both orders of 1 for a positive logit, 0 for a negative one, and a half for zero ``(num_pairs,)``.

        The same answers the other way round get exactly 1 − ``wins``, and two answers that are alike a half.
        """
        return ((1 + np.sign(self.logits)) / 2).mean(axis=0)

    @property
    def ties(self) -> np.ndarray:
        """Whether both orders together favour neither answer ``(num_pairs,)``."""
        return self.wins == 0.5


class PairRM:
    """llm-blender's ``PairRM``, or any pairwise ranker in its folder format.

    The modules, the way texts are put together and the comparison are llm-blender's. What is not is opening the
    folder: llm-blender's own fetches the weights of the base model to overwrite them, only logs weights that are
    missing, and takes a path with "phi", "llama" or "alpaca" in it for a model of that family.
    """

    def __init__(self, ranker: Path, base: Path, device: torch.device, batch_size: int = BATCH_SIZE) -> None:
        """``ranker`` holds ``config.json`` and ``model.safetensors``, ``base`` config and tokenizer of the model beneath.

        Raises SuiteError for a folder that holds no pairwise ranker, or another one than ``base`` is made for.
        """
        self._blender = _opened(ranker, base, device)
        self._collator = self._blender.ranker_collator
        self._batch_size = batch_size
        self.note = ""
        """What a person should know of how it judged."""

    def check(self, prompts: Sequence[Prompt]) -> None:
        """Raise SuiteError for a prompt that is longer than the ranker reads: it would be cut."""
        longest = self._collator.source_maxlength
        for prompt in prompts:
            length = len(self._collator.tokenizer.encode(self._collator.source_prefix + self._plain(prompt.text)))
            if length > longest:
                raise SuiteError(
                    f"The prompt '{prompt.id}' has {length} tokens; the ranker reads {longest}. Leave it out of the suite."
                )

    def compare(self, prompts: Sequence[Prompt], answers: Sequence[str], others: Sequence[str]) -> Comparison:
        """Each answer against the other one to the same prompt, in both orders.

        What is longer than the ranker reads is cut at its end, as llm-blender cuts it. How much of an answer fits depends on
        the longest prompt of its batch: it is the same for all answers to the same prompts, given in the same order, but in
        another batch, such as one that was halved because memory ran out, a long answer may keep more or less, and win or lose
        by it. Raises MeasureError when memory runs out for a single pair.
        """
        texts = [self._plain(prompt.text) for prompt in prompts]
        first, second = ([self._plain(answer) for answer in given] for given in (answers, others))

        def logits(places: Sequence[int]) -> np.ndarray:
            asked, ours, theirs = ([column[place] for place in places] for column in (texts, first, second))
            how = {"mode": "[A,B]", "return_logits": True, "batch_size": len(places), "disable_tqdm": True}
            shown_first, shown_second = (self._blender.compare(asked, *pair, **how) for pair in ((ours, theirs), (theirs, ours)))
            return np.stack([shown_first, -shown_second]).astype(np.float64)

        batches = Batches(range(len(texts)), list, self._batch_size, "the ranker")
        found = list(batches.each(logits))
        self._batch_size, self.note = batches.size, batches.note or self.note
        return Comparison(np.concatenate(found, axis=1))

    def _plain(self, text: str) -> str:
        """The text without the marks that tell the ranker where prompt and answers begin; llm-blender stumbles over more."""
        collator = self._collator
        for mark in (collator.source_prefix, collator.candidate1_prefix, collator.candidate2_prefix, collator.candidate_prefix):
            text = text.replace(mark, " ")
        return text


_WANTED = "Expected PairRM's own format: llm-blender's config.json and model.safetensors."


def _opened(ranker: Path, base: Path, device: torch.device) -> Any:
    """llm-blender's ``Blender`` with the ranker in it."""
    blender_package = import_llm_blender()
    from llm_blender.pair_ranker.config import RankerConfig
    from llm_blender.pair_ranker.model_util import build_collator
    from llm_blender.pair_ranker.ranker import CrossCompareReranker

    try:
        config = RankerConfig.from_dict(json.loads((ranker / "config.json").read_text(encoding="utf-8")))
        if config.ranker_type != "pairranker":
            raise ValueError(f"its ranker_type is {config.ranker_type!r}, expected 'pairranker'")
        config.device = str(device)
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
        collator = build_collator("pairranker", tokenizer, config.source_maxlength, config.candidate_maxlength)
        below_config = AutoConfig.from_pretrained(base, trust_remote_code=False)
        below = AutoModel.from_config(below_config, dtype=torch.float32, trust_remote_code=False)
        below.config.out_hidden_state_size = below.config.hidden_size
        below.resize_token_embeddings(len(tokenizer))
        model = CrossCompareReranker(below, config, tokenizer)
        load_model(model, ranker / "model.safetensors")
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError, AssertionError) as error:
        reason = " ".join(reason_of(error).split())[:300].rstrip(".")
        raise SuiteError(f"The ranker {ranker} on {base} cannot be opened: {reason}. {_WANTED}") from error
    halved = config.fp16 and device.type in ("cuda", "mps")  # as llm-blender does
    blender = blender_package.Blender.__new__(blender_package.Blender)  # Its own constructor only warns that it is empty.
    blender.ranker_config, blender.ranker_tokenizer, blender.ranker_collator = config, tokenizer, collator
    blender.blender_config = blender_package.BlenderConfig()
    blender.ranker = (model.half() if halved else model.float()).to(device).eval()
    return blender
