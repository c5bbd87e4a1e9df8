"""``mask_alphas.bin`` as the original code writes it: its numbers by hand, and other files refused without running code."""

import math
import os
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hma.core.precision import Precision
from hma.errors import AlphasError
from hma.methods.mask_alphas import read_file
from tests import tiny

THREE = math.log(3)
"""Its sigmoid is 0.75, and that of its negative 0.25."""


@pytest.mark.parametrize(
    ("arguments", "sizes", "alphas"),
    [
        # Sigmoids .5, .75, .25 add up to 1.5: 0.2 * 3 / 1.5 = 0.4 of each; the head has the mean.
        ({"level": "block3", "num_layers": 26, "scores": (0, THREE, -THREE)}, [8, 8, 10], (0.2, 0.3, 0.1, 0.2)),
        ({"level": "block3", "num_layers": 32, "scores": (0, THREE, -THREE)}, [11, 10, 11], (0.2, 0.3, 0.1, 0.2)),
        # With epsilon .25 they are .75, 1 and .5 of 2.25.
        (
            {"level": "block3", "num_layers": 26, "scores": (0, THREE, -THREE), "epsilon": 0.25},
            [8, 8, 10],
            (0.2, 0.266667, 0.133333, 0.2),
        ),
        # A score of the head counts in the sum and in K: 0.2 * 4 / 2.25.
        (
            {"level": "lblock3", "num_layers": 26, "scores": (0, THREE, -THREE, THREE)},
            [8, 8, 10],
            (0.177778, 0.266667, 0.088889, 0.2),
        ),
        ({"level": "layerwise", "num_layers": 3, "scores": (0, THREE, -THREE)}, [1, 1, 1], (0.2, 0.3, 0.1, 0.2)),
        # Two blocks of twelve layers, by each of the code's rules.
        ({"level": "block3", "num_layers": 12, "scores": (THREE, -THREE), "init_val": 0.4}, [8, 4], (0.6, 0.2, 0.4)),
        ({"level": "block2", "num_layers": 12, "scores": (THREE, -THREE), "init_val": 0.4}, [6, 6], (0.6, 0.2, 0.4)),
        ({"level": "block6", "num_layers": 26, "scores": [math.log(0.25)] * 6}, [4, 4, 4, 4, 4, 6], (0.2,) * 7),
        # As it begins: every score is logit(init_val), and 0 and 1 have infinite ones.
        ({"level": "block3", "num_layers": 26, "scores": [math.inf] * 3, "init_val": 1.0}, [8, 8, 10], (1.0,) * 4),
        (
            {"level": "block3", "num_layers": 26, "scores": [-math.inf] * 3, "init_val": 0.0, "epsilon": 0.1},
            [8, 8, 10],
            (0.0,) * 4,
        ),
    ],
)
def test_its_numbers_are_those_of_the_equation_with_the_factor_k(tmp_path, arguments, sizes, alphas):
    recipe = read_file(tiny.write_mask_alphas(tmp_path, **arguments), arguments["num_layers"], Precision("float16"))
    assert [len(recipe.partition.layers(k)) for k in range(len(sizes))] == sizes
    assert recipe.alphas == pytest.approx(alphas, abs=1e-6)
    assert recipe.partition.linear_only
    assert recipe.precision == Precision("float16")


@pytest.mark.parametrize("kind", [torch.nn.Parameter, torch.Tensor.double, float])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_its_numbers_may_be_parameters_tensors_or_floats(tmp_path, kind, shape):
    content = tiny.mask_alphas(26, "block3", (0, THREE, -THREE), shape=shape, kind=kind)
    content["init_val"] = torch.tensor(0.2)
    del content["epsilon"]
    recipe = read_file(tiny.write_mask_alphas(tmp_path, content), 26)
    assert recipe.alphas == pytest.approx((0.2, 0.3, 0.1, 0.2), abs=1e-5)


def test_an_alpha_beyond_the_reference_is_refused_with_the_nearest_that_keep_the_mean(tmp_path):
    path = tiny.write_mask_alphas(tmp_path, num_layers=26, level="block3", scores=(THREE, 0, -THREE), init_val=0.8)
    with pytest.raises(AlphasError) as raised:
        read_file(path, 26)
    said = str(raised.value)
    assert said.startswith(f"{path}: Block 0 (layers 0 to 7) comes to an alpha of 1.2, of 1.2,0.8,0.4.")
    assert said.endswith("--alphas 1,0.9,0.5,0.8 --blocks block3 --linear-only")


GOOD = {"num_layers": 26, "level": "block3", "scores": (0, THREE, -THREE)}


def without(name):
    return {key: value for key, value in tiny.mask_alphas(**GOOD).items() if key != name}


def changed(name, **values):
    content = tiny.mask_alphas(**GOOD)
    return content | {name: content[name] | values}


WRONG = {
    "no block_init": (without("init_val"), "init_val cannot be found"),
    "no blocks": (without("mask_bkp_alphas"), "mask_bkp_alphas cannot be found"),
    "no modules": (without("mask_alphas"), "mask_alphas cannot be found"),
    "a list": ([1, 2], "It holds a list"),
    "blocks in a list": (tiny.mask_alphas(**GOOD) | {"mask_bkp_alphas": [1, 2]}, "mask_bkp_alphas is a list"),
    "nan": (tiny.mask_alphas(26, "block3", (0, math.nan, 1)), r"mask_bkp_alphas\[1\] is nan"),
    "text": (tiny.mask_alphas(**GOOD) | {"init_val": "0.2"}, "init_val is '0.2'"),
    "a vast integer": (tiny.mask_alphas(**GOOD) | {"init_val": 10**400}, "init_val is 1000"),
    "a truth": (tiny.mask_alphas(**GOOD) | {"init_val": True}, "init_val is True"),
    "a mean above 1": (tiny.mask_alphas(**GOOD) | {"init_val": 1.5}, "init_val is 1.5"),
    "a negative epsilon": (tiny.mask_alphas(**GOOD) | {"epsilon": -1.0}, "epsilon -1"),
    "an infinite epsilon": (tiny.mask_alphas(**GOOD) | {"epsilon": math.inf}, "epsilon inf"),
    "a large tensor": (
        changed("mask_alphas", lm_head=torch.ones(2, 3)),
        r"mask_alphas\['lm_head'\] is a tensor of shape \(2, 3\)",
    ),
    "a complex one": (changed("mask_alphas", lm_head=torch.tensor(1j)), "complex64"),
    "another block": (changed("mask_bkp_alphas", tail=torch.tensor(0.0)), "tail"),
    "a missing block": (tiny.mask_alphas(**GOOD) | {"mask_bkp_alphas": {0: 0.0, 2: 0.0}}, r"names \['0', '2'\]"),
    "linearwise": (tiny.mask_alphas(**GOOD) | {"mask_bkp_alphas": {}}, "names no block"),
    "layers that differ within": (changed("mask_alphas", **{"model.layers.4.mlp.up_proj": 0.7}), "The modules of layer 4"),
    "a missing layer": (changed("mask_alphas", **{"model.layers.99.mlp.up_proj": 0.7}), "names the layers"),
    "other blocks": (
        changed("mask_alphas", **{f"model.layers.8.{n}": 0.0 for n in ("self_attn.q_proj", "mlp.up_proj")}),
        "neither",
    ),
    "fewer layers": (tiny.mask_alphas(12, "block2", (0, 1)), "It has alphas of 12 layers, and the model has 26"),
    "nothing learned": (tiny.mask_alphas(26, "block3", [-math.inf] * 3, init_val=0.0), "minus infinity"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_says_something_else_is_refused(tmp_path, kind):
    content, said = WRONG[kind]
    with pytest.raises(AlphasError, match=said):
        read_file(tiny.write_mask_alphas(tmp_path, content), 26)


class Trap:
    """Unpickled carelessly, it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("write", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_code_in_a_file_is_not_run(tmp_path, write):
    path = tmp_path / "mask_alphas.bin"
    write(tiny.mask_alphas(**GOOD) | {"base_gammas": Trap(tmp_path / "sprung")}, path)
    with pytest.raises(AlphasError, match="without running code in it"):
        read_file(path, 26)
    assert not (tmp_path / "sprung").exists()


@given(st.binary(max_size=200), st.booleans(), st.integers(0, 2000))
def test_broken_files_are_refused_whatever_is_in_them(tmp_path_factory, noise, begins_well, length):
    folder = tmp_path_factory.mktemp("broken")
    path = tiny.write_mask_alphas(folder, **GOOD)
    path.write_bytes((path.read_bytes()[:length] if begins_well else b"") + noise)
    with pytest.raises(AlphasError, match=r"mask_alphas\.bin: "):
        read_file(path, 26)


def test_what_is_not_there_and_what_is_too_large_are_said(tmp_path):
    path = tmp_path / "mask_alphas.bin"
    with pytest.raises(AlphasError, match="cannot be opened: No such file"):
        read_file(path, 26)
    with path.open("wb") as file:
        file.truncate(1 << 30)  # A model's weights, say.
    with pytest.raises(AlphasError, match="1,073,741,824 bytes are too many"):
        read_file(path, 26)
