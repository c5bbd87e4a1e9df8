"""The live model: one model into which merges of a pair are written in place."""

from __future__ import annotations

from typing import Any

import torch
from safetensors import safe_open
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from hma.checkpoints.pair import Checkpoint, Pair, check_configs
from hma.checkpoints.precision import EffectiveAlpha
from hma.checkpoints.weights import LiveWeights
from hma.core.recipe import Recipe
from hma.errors import CheckpointError


class LiveModel:
    """Reference and policy resident on one device, and one model that holds their merge.

    ``write`` merges in float32 with one rounding: ``alpha * reference + (1 - alpha) * policy`` per layer
    [HMA, in the direction of its code]. Alpha 0 is the policy and alpha 1 the
    reference bit for bit, and weights equal in both stay equal. Embeddings, layers, final norm and head
    whose alpha stays as it was are not written again.
    """

    def __init__(self, pair: Pair, device: torch.device | str = "cpu") -> None:
        """Loads both checkpoints in their own dtype, with the policy's config and tokenizer.

        Raises CheckpointError for NaN, infinity, a model that does not open, and two configs or
        vocabularies that would make the reference another model than it is.
        """
        self.device = torch.device(device)
        check_configs(_whole_config(pair.reference), _whole_config(pair.policy))
        self.tokenizer: PreTrainedTokenizerBase = _tokenizer(pair.policy)
        _check_vocabulary(pair.reference, self.tokenizer)
        self.model: PreTrainedModel = _model(pair.policy).to(self.device)
        # How an answer is decoded is the suite's to say; the checkpoint says only what ends one.
        self.model.generation_config = GenerationConfig(eos_token_id=self.model.generation_config.eos_token_id)
        live = dict(self.model.named_parameters())
        reference, policy = (_weights(c, self.device) for c in (pair.reference, pair.policy))
        if any(name not in policy for name in live):  # transformers renames or joins them when it loads.
            reference, policy = (_loaded(c, self.device) for c in (pair.reference, pair.policy))
        triples = ((name, parameter, reference[name], policy[name]) for name, parameter in live.items())
        self._weights = LiveWeights(pair.num_layers, triples)

    def write(self, recipe: Recipe) -> None:
        """Make the live model the recipe's merge. Raises CheckpointError when a weight does not fit into its dtype."""
        self._weights.write(recipe)

    def effective_alphas(self, recipe: Recipe) -> tuple[float, ...]:
        """What share of the reference each block of the recipe's merge, written just before, really holds."""
        return self._weights.effective_alphas(recipe)

    def effective(self, recipe: Recipe) -> list[EffectiveAlpha]:
        """The sums of ``effective_alphas``, block by block."""
        return self._weights.effective(recipe)


def _model(checkpoint: Checkpoint) -> PreTrainedModel:
    try:
        model = AutoModelForCausalLM.from_pretrained(checkpoint.folder, dtype="auto")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{checkpoint.folder} cannot be opened as a language model: {error}") from error
    return model.eval().requires_grad_(False)


def _tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    try:
        return AutoTokenizer.from_pretrained(checkpoint.folder)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{checkpoint.folder} has no tokenizer that can be opened: {error}") from error


def _whole_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The config with every default filled in."""
    try:
        return AutoConfig.from_pretrained(checkpoint.folder).to_dict()
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{checkpoint.folder} has no config that transformers can read: {error}") from error


def _check_vocabulary(reference: Checkpoint, policy: PreTrainedTokenizerBase) -> None:
    """Raise CheckpointError when an ordinary token is another one to the reference. Added tokens may differ.

    A reference without a tokenizer is taken to have the policy's.
    """
    if not any((reference.folder / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")):
        return
    tokenizer = _tokenizer(reference)
    added = {*tokenizer.added_tokens_decoder, *policy.added_tokens_decoder}
    before = {number: token for token, number in tokenizer.get_vocab().items() if number not in added}
    after = {number: token for token, number in policy.get_vocab().items() if number not in added}
    for number in sorted(before.keys() | after.keys()):
        if before.get(number) != after.get(number):
            raise CheckpointError(
                f"Token {number} is {before.get(number)!r} to the reference's tokenizer and {after.get(number)!r} to the "
                "policy's. Choose two checkpoints that share a vocabulary."
            )


def _weights(checkpoint: Checkpoint, device: torch.device) -> dict[str, torch.Tensor]:
    """Every tensor on the device, by name; NaN and infinity are refused."""
    weights: dict[str, torch.Tensor] = {}
    for file in sorted({tensor.file for tensor in checkpoint.tensors.values()}):
        with safe_open(file, framework="pt", device=str(device)) as tensors:
            for name in tensors.keys():  # noqa: SIM118 (not a dict)
                weights[name] = tensors.get_tensor(name)
                if weights[name].is_floating_point() and not torch.isfinite(weights[name]).all():
                    raise CheckpointError(f"{name} in {file} holds NaN or infinity. Use a checkpoint without them.")
    return weights


def _loaded(checkpoint: Checkpoint, device: torch.device) -> dict[str, torch.Tensor]:
    """Every parameter on the device as transformers loads it, by the model's own name: joined experts, for one."""
    return {name: weight.data for name, weight in _model(checkpoint).to(device).named_parameters()}


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
