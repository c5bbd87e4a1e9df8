"""What tests of exports share: a recipe, and the weights of a folder."""

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hma.core.partition import Partition
from hma.core.recipe import Recipe

SOME = Recipe(Partition.equal(3, 3), (0.2, 0.3, 0.45))


def whole(alpha):
    return Recipe(Partition.equal(3, 1), (alpha,))


def weights(folder):
    return {name: tensor for file in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def same_bits(one, other):
    return (
        one.dtype == other.dtype and one.shape == other.shape and bool((one.view(torch.uint8) == other.view(torch.uint8)).all())
    )


def sharded(folders, size="4KB"):
    for folder in folders:
        AutoModelForCausalLM.from_pretrained(folder, dtype="auto").save_pretrained(folder, max_shard_size=size)
        (folder / "model.safetensors").unlink()
    return folders
