"""Opening checkpoints with transformers, and their weights by the names that the live model has for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from hma.checkpoints.finding import name_of, others
from hma.checkpoints.pair import Checkpoint, Pair
from hma.checkpoints.source import CODE
from hma.checkpoints.tensors import read_tensor
from hma.checkpoints.within import own_code
from hma.errors import CheckpointError

_T = TypeVar("_T")


def load_model(checkpoint: Checkpoint, allow: Collection[str] = ()) -> PreTrainedModel:
    """The model in its config's dtype, without gradients. Raises CheckpointError, like all that follow."""
    options = {"dtype": "auto", "output_loading_info": True}
    model, found = _opened(checkpoint, allow, AutoModelForCausalLM.from_pretrained, "as a language model", **options)
    if missing := sorted(found["missing_keys"]):
        raise CheckpointError(
            f"{checkpoint.folder} has no {name_of(missing[0])}{others(len(missing) - 1, 'weight')}, which a "
            f"{type(model).__name__} needs: it would be random. Fetch or save the checkpoint again."
        )
    return model.eval().requires_grad_(False)


def load_tokenizer(checkpoint: Checkpoint, allow: Collection[str] = ()) -> PreTrainedTokenizerBase:
    return _opened(checkpoint, allow, AutoTokenizer.from_pretrained, "for its tokenizer")


def whole_config(checkpoint: Checkpoint, allow: Collection[str] = ()) -> dict[str, Any]:
    """The config with every default filled in."""
    return _opened(checkpoint, allow, AutoConfig.from_pretrained, "for its config").to_dict()


def _opened(checkpoint: Checkpoint, allow: Collection[str], opener: Callable[..., _T], what: str, **options: Any) -> _T:
    """What transformers opens. The checkpoint's own code is run only when allowed; unsaid, transformers would ask."""
    try:
        return opener(checkpoint.folder, trust_remote_code=CODE in allow, **options)
    except Exception as error:  # transformers raises many kinds, and a checkpoint's own code any.
        reason = (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")
        if CODE not in allow and own_code(checkpoint.folder, checkpoint.config):
            reason = "it needs Python code of its own. If you trust where it comes from, run that with --allow code"
        raise CheckpointError(f"{checkpoint.folder} cannot be opened {what}: {reason}.") from error


def check_vocabulary(pair: Pair, policy: PreTrainedTokenizerBase) -> None:
    """Raise CheckpointError when an ordinary token is another one to the reference. Added tokens may differ.

    A reference without a tokenizer is taken to have the policy's.
    """
    names = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
    if not any((pair.reference.folder / name).exists() for name in names):
        return
    tokenizer = load_tokenizer(pair.reference, pair.allow)
    added = {*tokenizer.added_tokens_decoder, *policy.added_tokens_decoder}
    before = {number: token for token, number in tokenizer.get_vocab().items() if number not in added}
    after = {number: token for token, number in policy.get_vocab().items() if number not in added}
    for number in sorted(before.keys() | after.keys()):
        if before.get(number) != after.get(number):
            raise CheckpointError(
                f"Token {number} is {before.get(number)!r} to the reference's tokenizer and {after.get(number)!r} to the "
                "policy's. Choose two checkpoints that share a vocabulary."
            )


_End = tuple[str, torch.Tensor, torch.Tensor, torch.Tensor]


def ends_of(pair: Pair, model: PreTrainedModel, device: torch.device) -> Iterator[_End]:
    """Every weight of the model by name with its reference and its policy on the device, one at a time.

    NaN and infinity are refused.
    """
    live, stored = _weights_of(model), pair.policy.tensors
    if dict(model.named_parameters()).keys() <= stored.keys():
        return _stored_ends(pair, {name: weight for name, weight in live.items() if name in stored}, device)
    return _loaded_ends(pair, live, device)  # transformers renames or joins them when it loads.


def _weights_of(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Every parameter, tied ones once, and every buffer of floats that is saved with them, by name."""
    saved = model.state_dict().keys()
    buffers = {n: b for n, b in model.named_buffers() if n in saved and b.is_floating_point()}
    return dict(model.named_parameters()) | buffers


def _stored_ends(pair: Pair, live: dict[str, torch.Tensor], device: torch.device) -> Iterator[_End]:
    """As the files have them."""

    def read(checkpoint: Checkpoint, name: str) -> torch.Tensor:
        tensor = checkpoint.tensors[name]
        return _finite(read_tensor(name, tensor), name, tensor.file).to(device)

    for name, parameter in live.items():
        yield name, parameter, read(pair.reference, name), read(pair.policy, name)


def _loaded_ends(pair: Pair, live: dict[str, torch.Tensor], device: torch.device) -> Iterator[_End]:
    """As transformers makes them of the files, by the model's own names: joined experts, for one."""
    reference = _weights_of(load_model(pair.reference, pair.allow))
    for name, parameter in live.items():
        before, after = reference.pop(name).data.to(device), parameter.data.to(device, copy=True)
        yield name, parameter, _finite(before, name, pair.reference.folder), _finite(after, name, pair.policy.folder)


def _finite(tensor: torch.Tensor, name: str, where: Path) -> torch.Tensor:
    """The tensor. Raises CheckpointError where it holds NaN or infinity."""
    if tensor.is_floating_point() and tensor.numel() and not all(map(math.isfinite, torch.stack(tensor.aminmax()).tolist())):
        raise CheckpointError(f"{name} in {where} holds NaN or infinity. Use a checkpoint without them.")
    return tensor
