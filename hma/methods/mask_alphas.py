"""``mask_alphas.bin``: what the original code's HMA by proxy distillation has learned [HMA Eq. 11, code]."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hma.core.alphas import DIGITS, mean_alpha
from hma.core.omega import Omega
from hma.core.partition import HEAD, Partition, layer_of
from hma.core.precision import NEAREST, Precision
from hma.core.recipe import Recipe
from hma.errors import AlphasError
from hma.methods import original

_EPSILON = 1e-6
"""What the code takes where the file says none."""


def is_file(text: str) -> bool:
    """Whether a text names such a file, rather than alphas."""
    return text.endswith(".bin")


def read_file(path: str | Path, num_layers: int, precision: Precision = NEAREST, beyond: bool = False) -> Recipe:
    """The merge that the original code makes of its ``mask_alphas.bin``: linear weights only, the head at the mean.

    ``alpha_k = init_val * K * (sigmoid(s_k) + epsilon) / sum_j (sigmoid(s_j) + epsilon)`` [HMA Eq. 11, with the code's
    factor K]. No code in the file is run. Raises AlphasError for another file, one of another model, and, unless
    they may go ``beyond``, for alphas above 1, which this form does not exclude: it names the nearest ones within [0, 1].
    """
    from hma.checkpoints.saved import read_saved  # Brings torch.

    try:
        return _recipe(_Learned.of(read_saved(Path(path).expanduser())), num_layers, precision, beyond)
    except AlphasError as error:
        raise AlphasError(f"{path}: {error}") from None


@dataclass(frozen=True)
class _Learned:
    """The file's numbers: the scores s of the blocks (and of the head, where it has one), and of each layer."""

    blocks: tuple[float, ...]
    others: tuple[float, ...]
    layers: tuple[float, ...]
    mean: float
    epsilon: float

    @classmethod
    def of(cls, content: Any) -> _Learned:
        if not isinstance(content, Mapping):
            raise AlphasError(f"It holds a {type(content).__name__}, expected mask_alphas, mask_bkp_alphas and init_val by name.")
        missing = [name for name in ("mask_alphas", "mask_bkp_alphas", "init_val") if name not in content]
        if missing:
            raise AlphasError(f"{' and '.join(missing)} cannot be found in it. Expected a mask_alphas.bin of the original code.")
        mean, epsilon = (_number(content.get(name, _EPSILON), name) for name in ("init_val", "epsilon"))
        if not 0 <= mean <= 1 or not 0 <= epsilon < math.inf:
            raise AlphasError(f"init_val is {mean:g} and epsilon {epsilon:g}. Expected 0 to 1, and 0 or more.")
        scores = {str(key): score for key, score in _scores(content, "mask_bkp_alphas").items()}
        blocks = tuple(scores[str(k)] for k in range(len(scores)) if str(k) in scores)
        others = scores.keys() - {str(k) for k in range(len(blocks))}
        if not blocks or not others <= {"lm_head"}:
            told = f"{sorted(scores)}"[:200] if scores else "no block (linearwise)"
            raise AlphasError(f"mask_bkp_alphas names {told}. Expected blocks or layers from 0 on, and lm_head at most.")
        return cls(blocks, tuple(scores[key] for key in others), _layers(_scores(content, "mask_alphas")), mean, epsilon)

    @property
    def alphas(self) -> tuple[float, ...]:
        """One for each block of layers, in or above [0, 1]. A score of the head counts in the sum, as in the code."""
        shares = [_sigmoid(score) + self.epsilon for score in (*self.blocks, *self.others)]
        if not sum(shares):
            raise AlphasError("All its scores are minus infinity and epsilon is 0, which says nothing. Learn them again.")
        scale = self.mean * len(shares) / sum(shares)
        return tuple(round(scale * share, DIGITS) for share in shares[: len(self.blocks)])

    def partition(self, num_layers: int) -> tuple[str, Partition]:
        """The code's partition, and its name, in which every layer has its block's score."""
        if len(self.layers) != num_layers:
            raise AlphasError(f"It has alphas of {len(self.layers)} layers, and the model has {num_layers}.")
        for name in ("layerwise", "block3", f"block{len(self.blocks)}"):
            found = original.partition(name, num_layers)
            if found and found.num_blocks == len(self.blocks):
                wanted = [score for k, score in enumerate(self.blocks) for _ in found.layers(k)]
                if all(math.isclose(*pair, abs_tol=1e-6) for pair in zip(self.layers, wanted, strict=True)):
                    return name, found
        raise AlphasError(f"Its {len(self.blocks)} blocks of {num_layers} layers are neither layerwise nor block3 nor blockN.")


def _recipe(learned: _Learned, num_layers: int, precision: Precision, beyond: bool) -> Recipe:
    name, cut = learned.partition(num_layers)
    alphas, partition = learned.alphas, Partition(num_layers, cut.starts, (HEAD,), linear_only=True)
    worst = max(range(len(alphas)), key=alphas.__getitem__)
    if alphas[worst] > 1 and not beyond:
        layers = cut.layers(worst)
        near = (*Omega(len(alphas), min(1.0, mean_alpha(alphas))).project(alphas), learned.mean)
        raise AlphasError(
            f"Block {worst} (layers {layers[0]} to {layers[-1]}) comes to an alpha of {alphas[worst]:g}, of {_listed(alphas)}. "
            "More than 1 is beyond the reference, where the original code goes and this program does with --beyond alone. "
            f"The nearest alphas from 0 to 1 with the same mean: --alphas {_listed(near)} --blocks {name} --linear-only"
        )
    return Recipe(partition, (*alphas, learned.mean), precision)


def _listed(alphas: tuple[float, ...]) -> str:
    return ",".join(f"{round(alpha, DIGITS):g}" for alpha in alphas)


def _scores(content: Mapping[str, Any], name: str) -> dict[Any, float]:
    if not isinstance(content[name], Mapping):
        raise AlphasError(f"{name} is a {type(content[name]).__name__}, expected a number for each name.")
    return {key: _number(value, f"{name}[{key!r}]") for key, value in content[name].items()}


def _number(value: Any, name: str) -> float:
    if type(value) is int and abs(value) < 1 << 53:
        return float(value)
    if not isinstance(value, float) or math.isnan(value):
        raise AlphasError(f"{name} is {reprlib.repr(value)}, expected a number.")
    return value


def _layers(scores: Mapping[Any, float]) -> tuple[float, ...]:
    """The score of each layer, from those of its linear modules by name; the rest (a head) is left out."""
    found: dict[int, set[float]] = {}
    for module, score in scores.items():
        layer = layer_of(str(module)[:200])
        if layer is not None:
            found.setdefault(layer, set()).add(score)
    if sorted(found) != list(range(len(found))):
        raise AlphasError(f"mask_alphas names the layers {sorted(found)!s:.200}. Expected all from 0 on.")
    several = [layer for layer, values in found.items() if len(values) > 1]
    if several:
        raise AlphasError(f"The modules of layer {several[0]} have several alphas (linearwise). Expected one for each block.")
    return tuple(found[layer].pop() for layer in range(len(found)))


def _sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))
