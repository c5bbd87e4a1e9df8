"""The live model: one model into which merges of a pair are written in place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
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

from hma.checkpoints.hold import Hold, Memory, changed_bytes, choose
from hma.checkpoints.pair import Checkpoint, Pair, check_configs
from hma.checkpoints.preflight import available_memory
from hma.checkpoints.weights import LiveWeights
from hma.core.recipe import Recipe
from hma.errors import CheckpointError


class LiveModel:
    """One model on a device that holds a pair's merge, and both ends, held as ``hold`` says.

    ``write`` merges in float32 with one rounding: ``alpha * reference + (1 - alpha) * policy`` per layer
    [HMA, in the direction of its code]. Alpha 0 is the policy and alpha 1 the
    reference bit for bit, and weights equal in both stay equal. Embeddings, layers, final norm and head
    whose alpha stays as it was are not written again. Every way of holding gives the same bits.
    """

    def __init__(self, pair: Pair, device: torch.device | str = "cpu", hold: Hold | None = None) -> None:
        """Loads both checkpoints in their own dtype, with the policy's config and tokenizer; ``hold`` None is what fits.

        Raises CheckpointError for NaN, infinity, a model that does not open, two configs or
        vocabularies that would make the reference another model than it is, and a pair that fits in no way.
        """
        self.device = torch.device(device)
        check_configs(_whole_config(pair.reference), _whole_config(pair.policy))
        self.tokenizer: PreTrainedTokenizerBase = _tokenizer(pair.policy)
        _check_vocabulary(pair.reference, self.tokenizer)
        model = _model(pair.policy)
        self.hold: Hold = hold or choose(_memory(pair, model, self.device), lambda: changed_bytes(pair))
        self.model: PreTrainedModel = model.to(self.device)
        # How an answer is decoded is the suite's to say; the checkpoint says only what ends one.
        self.model.generation_config = GenerationConfig(eos_token_id=self.model.generation_config.eos_token_id)
        # Ends that stay in host memory are not brought to the device to be looked at.
        read_to = torch.device("cpu") if self.hold == "host" else self.device
        self._weights = LiveWeights(pair.num_layers, _ends(pair, self.model, read_to), self.hold)

    def write(self, recipe: Recipe) -> None:
        """Make the live model the recipe's merge. Raises CheckpointError when a weight does not fit into its dtype."""
        self._weights.write(recipe)

    @property
    def held_bytes(self) -> int:
        """What is held of both ends beside the live model."""
        return self._weights.held_bytes

    def effective_alphas(self, recipe: Recipe) -> tuple[float, ...]:
        """What share of the reference each block of the recipe's merge, written just before, really holds."""
        return self._weights.effective_alphas(recipe)


def _model(checkpoint: Checkpoint) -> PreTrainedModel:
    try:
        model = AutoModelForCausalLM.from_pretrained(checkpoint.folder, dtype="auto", trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointError(f"{checkpoint.folder} cannot be opened as a language model: {error}") from error
    return model.eval().requires_grad_(False)


def _tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    try:
        return AutoTokenizer.from_pretrained(checkpoint.folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{checkpoint.folder} has no tokenizer that can be opened: {error}") from error


def _whole_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The config with every default filled in."""
    try:
        return AutoConfig.from_pretrained(checkpoint.folder, trust_remote_code=False).to_dict()
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


def _memory(pair: Pair, model: PreTrainedModel, device: torch.device) -> Memory:
    """What the pair takes and what is free; ``model`` is loaded already, in host memory."""
    live = sum(parameter.nbytes for parameter in model.parameters())
    ends = sum(t.end - t.start for checkpoint in (pair.reference, pair.policy) for t in checkpoint.tensors.values())
    host = available_memory()
    free = None if host is None else host + live
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        free = torch.cuda.mem_get_info(device)[0] + unused
    return Memory(device.type, live, ends, free, host)


_End = tuple[str, torch.nn.Parameter, torch.Tensor, torch.Tensor]


def _ends(pair: Pair, model: PreTrainedModel, device: torch.device) -> Iterator[_End]:
    """Every parameter by name with its reference and its policy on the device, one at a time; NaN and infinity are refused."""
    live = dict(model.named_parameters())
    if live.keys() <= pair.policy.tensors.keys():
        return _stored_ends(pair, live, device)
    return _loaded_ends(pair, live, device)  # transformers renames or joins them when it loads.


def _stored_ends(pair: Pair, live: dict[str, torch.nn.Parameter], device: torch.device) -> Iterator[_End]:
    """As the files have them."""
    with ExitStack() as stack:
        files: dict[Path, Any] = {}

        def read(checkpoint: Checkpoint, name: str) -> torch.Tensor:
            file = checkpoint.tensors[name].file
            if file not in files:
                files[file] = stack.enter_context(safe_open(file, framework="pt", device=str(device)))
            return _finite(files[file].get_tensor(name), name, file)

        for name, parameter in live.items():
            yield name, parameter, read(pair.reference, name), read(pair.policy, name)


def _loaded_ends(pair: Pair, live: dict[str, torch.nn.Parameter], device: torch.device) -> Iterator[_End]:
    """As transformers makes them of the files, by the model's own names: joined experts, for one."""
    reference = dict(_model(pair.reference).named_parameters())
    for name, parameter in live.items():
        before, after = reference.pop(name).data.to(device), parameter.data.to(device, copy=True)
        yield name, parameter, _finite(before, name, pair.reference.folder), _finite(after, name, pair.policy.folder)


def _finite(tensor: torch.Tensor, name: str, where: Path) -> torch.Tensor:
    """The tensor. Raises CheckpointError where it holds NaN or infinity."""
    if tensor.is_floating_point() and tensor.numel() and not all(map(math.isfinite, torch.stack(tensor.aminmax()).tolist())):
        raise CheckpointError(f"{name} in {where} holds NaN or infinity. Use a checkpoint without them.")
    return tensor


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
