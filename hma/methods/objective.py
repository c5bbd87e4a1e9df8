"""How unlikely a merge finds texts, and its slopes along the alphas: one backward pass and a dot product a tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from hma.checkpoints.live import LiveModel
from hma.checkpoints.weights import Slopes
from hma.core.fit import Fit, l1_slopes, l1_weights
from hma.core.recipe import Recipe
from hma.errors import FitError
from hma.evaluate.batches import Batches
from hma.evaluate.proxies import summed
from hma.methods.texts import Text, by_length

_BATCH_ROWS = 64
_BATCH_LOGITS = 1 << 27
"""Logits of one pass at most: half a gibibyte in float32, and as much again for their gradient."""


_Pair = tuple[tuple[int, ...], tuple[int, ...]]
"""Tokens that are read, and those after them that are scored."""


def _whole(text: Text) -> _Pair:
    """A text of which all is scored but its first token, which nothing stands before."""
    tokens = text.prompt + text.answer
    return tokens[:1], tokens[1:]


class Likelihood:
    """The mean negative log-likelihood of texts, in nats a token: of their answers, or (``whole``) of prompts too."""

    def __init__(self, texts: Sequence[Text], whole: bool, vocabulary: int) -> None:
        pairs = [_whole(text) if whole else (text.prompt, text.answer) for text in by_length(texts)]
        longest = max(len(scored) for _, scored in pairs)
        rows = max(1, min(_BATCH_ROWS, _BATCH_LOGITS // (longest * vocabulary)))
        self._batches = Batches(pairs, list, rows, "the texts of a fit")
        self.num_tokens = sum(len(scored) for _, scored in pairs)

    @property
    def note(self) -> str:
        return self._batches.note

    @torch.inference_mode()
    def value(self, model: PreTrainedModel) -> float:
        """How unlikely the model finds the texts; no slopes."""
        return sum(self._batches.each(lambda batch: -summed(model, *zip(*batch, strict=True)).sum().item())) / self.num_tokens

    def pass_back(self, model: PreTrainedModel, weight: float, slopes: Slopes) -> float:
        """The value, unweighted; ``weight`` times its slopes are added to ``slopes``."""

        def of_batch(batch: list[_Pair]) -> float:
            before = slopes.copy()
            try:
                total = -summed(model, *zip(*batch, strict=True)).sum()
                (total * (weight / self.num_tokens)).backward()
                return total.item()
            except BaseException:
                slopes.restore(before)  # The batch is tried again in halves.
                raise

        return sum(self._batches.each(of_batch)) / self.num_tokens


class FitObjective:
    """What a fit lets fall: the weighted unlikelihoods of its texts under the merge, with the paper's regulariser if asked.

    The merge is written in ``LiveModel.fine`` numbers: between two neighbours of half precision rounding would leave an
    objective of steps, flat in between, whatever its slopes say.
    """

    def __init__(self, fit: Fit, live: LiveModel, texts: Sequence[tuple[float, Sequence[Text]]]) -> None:
        vocabulary = live.model.config.get_text_config().vocab_size
        self._fit, self._live, self._precision = fit, live, live.fine
        self._parts = [(weight, Likelihood(some, fit.whole, vocabulary)) for weight, some in texts]
        self._l1 = fit.l1 * np.array(l1_weights(fit.partition)) * _linear_weights(live.model, fit.partition.num_layers)

    @property
    def note(self) -> str:
        """What a person should know of how it was computed."""
        rounded = "rounded at random: no memory for float32" if self._precision.rounding == "stochastic" else ""
        return "; ".join(filter(None, [rounded, *dict.fromkeys(part.note for _, part in self._parts)]))

    def __call__(self, alphas: np.ndarray) -> tuple[float, np.ndarray]:
        """The value and its slopes ``(num_blocks,)``. Raises FitError where logits are no numbers."""
        self._live.write(Recipe(self._fit.partition, tuple(map(float, alphas)), self._precision))
        with self._live.slopes(self._fit.partition) as slopes:
            value = sum(weight * part.pass_back(self._live.model, weight, slopes) for weight, part in self._parts)
        found = slopes.values
        if not np.isfinite([value, *found]).all():
            raise FitError(
                f"The likelihood of the texts is no number at alphas {', '.join(f'{a:.3g}' for a in alphas)}. The merge computes "
                f"in {str(self._live.model.dtype).removeprefix('torch.')}: its checkpoints may be broken, or need another dtype."
            )
        if self._fit.l1:
            assert self._fit.mean is not None
            away = alphas - self._fit.mean
            value, found = value + float(self._l1 @ np.abs(away)), found + l1_slopes(found, self._l1, away)
        return value, found


def _linear_weights(model: PreTrainedModel, num_layers: int) -> float:
    """How many linear weights a layer has: the code's regulariser counts each."""
    linear = sum(isinstance(module, torch.nn.Linear) for name, module in model.named_modules() if "lm_head" not in name)
    return linear / num_layers
