"""The live model: one model into which merges of a pair are written in place."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from hma.checkpoints.hold import Hold, Memory, changed_bytes, choose
from hma.checkpoints.loading import check_vocabulary, ends_of, load_model, load_tokenizer, whole_config
from hma.checkpoints.machine import available_memory
from hma.checkpoints.pair import Pair, check_configs
from hma.checkpoints.precision import EffectiveAlpha
from hma.checkpoints.weights import LiveWeights, Slopes
from hma.core.partition import Partition
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe

_FINE = {"F32", "F64"}
"""Dtypes as safetensors names them, whose numbers lie closer than any delta that counts."""


class LiveModel:
    """One model on a device that holds a pair's merge, and both ends, held as ``hold`` says.

    ``write`` merges in float32 with one rounding: ``alpha * reference + (1 - alpha) * policy`` per layer
    [HMA, in the direction of its code]. Alpha 0 is the policy and alpha 1 the
    reference bit for bit, and weights equal in both stay equal. Embeddings, layers, final norm and head
    whose alpha stays as it was are not written again. Every way of holding gives the same bits.
    """

    def __init__(self, pair: Pair, device: torch.device | str = "cpu", hold: Hold | None = None) -> None:
        """Loads both checkpoints, with the policy's config, its dtype, and its tokenizer; ``hold`` None is what fits.

        Raises CheckpointError for NaN, infinity, a model that does not open, two configs or
        vocabularies that would make the reference another model than it is, and a pair that fits in no way.
        """
        self.device = torch.device(device)
        check_configs(whole_config(pair.reference, pair.allow), whole_config(pair.policy, pair.allow))
        self.tokenizer: PreTrainedTokenizerBase = load_tokenizer(pair.policy, pair.allow)
        check_vocabulary(pair, self.tokenizer)
        model = load_model(pair.policy, pair.allow)
        self.hold: Hold = hold or choose(_memory(pair, model, self.device), lambda: changed_bytes(pair))
        self.model: PreTrainedModel = model.to(self.device)
        stored = {tensor.dtype for checkpoint in (pair.reference, pair.policy) for tensor in checkpoint.tensors.values()}
        self._is_fine = self.model.dtype in (torch.float32, torch.float64) and stored <= _FINE
        # How an answer is decoded is the suite's to say; the checkpoint says only what ends one.
        self.model.generation_config = GenerationConfig(eos_token_id=self.model.generation_config.eos_token_id)
        # Ends that stay in host memory are not brought to the device to be looked at.
        read_to = torch.device("cpu") if self.hold == "host" else self.device
        self._weights = LiveWeights(pair.num_layers, ends_of(pair, self.model, read_to), self.hold)

    def write(self, recipe: Recipe) -> None:
        """Make the live model the recipe's merge. Raises CheckpointError when a weight does not fit into its dtype."""
        self._weights.write(recipe)

    @property
    def fine(self) -> Precision:
        """Numbers in which the live model moves with every change of alpha, however small the pair's delta.

        Those of the checkpoints where they are float32 or finer; of half precision float32, or where memory has no
        room for that, the checkpoints' own, rounded at random: right on average, from one seed.
        """
        if self._is_fine:
            return NEAREST
        more = sum(4 * parameter.numel() - parameter.nbytes for parameter in self.model.parameters())
        free = available_memory() if self.device.type == "cpu" else _free(self.device)
        return Precision("float32") if free is None or more + more // 4 <= free else Precision(rounding="stochastic")

    @property
    def held_bytes(self) -> int:
        """What is held of both ends beside the live model."""
        return self._weights.held_bytes

    def effective_alphas(self, recipe: Recipe) -> tuple[float, ...]:
        """What share of the reference each block of the recipe's merge, written just before, really holds."""
        return self._weights.effective_alphas(recipe)

    def slopes(self, partition: Partition) -> AbstractContextManager[Slopes]:
        """Within it, every ``loss.backward()`` through ``model`` adds to the slopes of the loss with respect to the alphas.

        d loss / d alpha_k is the sum over the tensors W of block k of <d loss / d W, reference - policy>: one backward pass and
        a dot product a tensor, with no second copy of the gradients.
        """
        return self._weights.slopes(partition)

    def effective(self, recipe: Recipe) -> list[EffectiveAlpha]:
        """The sums of ``effective_alphas``, block by block."""
        return self._weights.effective(recipe)


def _memory(pair: Pair, model: PreTrainedModel, device: torch.device) -> Memory:
    """What the pair takes and what is free; ``model`` is loaded already, in host memory."""
    live = sum(parameter.nbytes for parameter in model.parameters())
    ends = sum(t.end - t.start for checkpoint in (pair.reference, pair.policy) for t in checkpoint.tensors.values())
    host = available_memory()
    free = None if host is None else host + live
    if device.type == "cuda":
        free = _free(device)
    return Memory(device.type, live, ends, free, host)


def _free(device: torch.device) -> int | None:
    """Free bytes of a GPU's memory; None where it does not say."""
    if device.type != "cuda":
        return None
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + unused


def find_device() -> torch.device:
    """CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def device_name(device: torch.device) -> str:
    """The device in words for a screen, such as ``CUDA: NVIDIA H200``."""
    if device.type == "cuda":
        return f"CUDA: {torch.cuda.get_device_name(device)}"
    return {"mps": "Apple MPS", "cpu": "CPU"}.get(device.type, str(device))
