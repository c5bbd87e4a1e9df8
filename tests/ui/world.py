"""A pair, a suite and points for the app's tests: real files, made-up measurements."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from hma.core.recipe import Recipe, digest
from hma.core.statistics import Result
from hma.core.study import Study
from hma.store import Measurement, Store

NUM_LAYERS = 6

_DRAWING = 0
"""Of the noise of made-up points: one in which some points of the front cannot be told apart, as on most."""

ABILITIES = ("choice", "reading", "translation")
TRAP = '<script>document.title = "ran"</script> **bold** [link](https://example.org) <img src=x onerror="document.title=1">'
"""An answer that must be shown as it stands."""


def write_pair(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Two checkpoint folders whose headers match; their weights are a few bytes."""
    for name, drawing in (("reference", seed), ("policy", seed + 1)):
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps({"model_type": "llama"}))
        header, data = {}, np.random.default_rng(drawing).normal(size=(NUM_LAYERS, 2)).astype("<f4")
        for layer in range(NUM_LAYERS):
            where = [8 * layer, 8 * layer + 8]
            header[f"model.layers.{layer}.w.weight"] = {"dtype": "F32", "shape": [2], "data_offsets": where}
        text = json.dumps(header).encode()
        (folder / name / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data.tobytes())
    return folder / "reference", folder / "policy"


def write_suite(folder: Path, quick: int = 40, full: int = 80) -> Path:
    """A suite of three abilities with prompts in both splits."""
    folder.mkdir(parents=True)
    for split in ("validation", "test"):
        prompts = [{"id": f"{split}-{i}", "prompt": f"How do I look after plant {i}?"} for i in range(full)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(p) + "\n" for p in prompts))
    for name in ABILITIES:
        (folder / f"{name}.yaml").write_text(f"task: {name}\nvalidation_split: validation\ntest_split: test\n")
    suite = {
        "title": "Test suite",
        "reward": {
            "kind": "program",
            "function": "tests.tiny:reward",
            "unit": "points an answer",
            "prompts": {split: f"{split}.jsonl" for split in ("validation", "test")},
            "generation": {"max_new_tokens": 8, "temperature": 1.0, "top_p": 1.0, "seed": 3},
        },
        "abilities": [
            {"name": n, "title": n.capitalize(), "task": f"{n}.yaml", "metric": "acc", "unit": "% right"} for n in ABILITIES
        ],
        "sizes": {"quick": quick, "full": full},
    }
    (folder / "suite.json").write_text(json.dumps(suite))
    return folder / "suite.json"


def write(folder: Path) -> tuple[Path, Path, Path]:
    """Reference, policy and suite in a folder."""
    return *write_pair(folder), write_suite(folder / "suite")


def measurement(study: Study, recipe: Recipe, method: str = "sweep", answer: str | None = None) -> Measurement:
    """Made-up results in the shape of a real trade-off: reward falls and ability rises with the share of the reference."""
    layers = np.array(recipe.layer_alphas).reshape(3, -1).mean(axis=1)
    seed = int(digest([study.split, recipe.identity, _DRAWING])[:8], 16)
    n = study.num_items
    draw = np.random.default_rng([7, n])
    noise = draw.normal(size=(n, 1))
    level = 4.3 - 5.1 * float(layers @ [0.15, 0.1, 0.75]) ** 1.7
    ids = tuple(f"{study.split}-{i}" for i in range(n))
    own = np.random.default_rng(seed)
    texts = tuple(
        answer or f"Answer {i} of {recipe.alphas}. Happy to help! Water it, give it light, and be patient." for i in range(n)
    )
    results = {"reward": Result("mean", level + noise + own.normal(scale=0.3, size=(n, 1)), ids, texts)}
    results |= {axis.name: Result("mean", own.normal(level, size=(n, 1)), ids) for axis in study.extras}
    for place, name in enumerate(ABILITIES):
        kept = 0.42 + 0.5 * (1 - (1 - float(layers @ [0.6, 0.1, 0.3])) ** 2.2)
        threshold = np.random.default_rng([11, place]).random((n, 1))
        results[name] = Result("mean", 100.0 * (threshold < kept + 0.03 * own.normal()), ids)
    return Measurement(recipe, results, method, "CPU (test)", 1.4, {"merge": 0.01}, "2026-01-02T03:04:05+00:00")


def add(store_path: Path, study: Study, method: str, *alphas: tuple[float, ...]) -> None:
    """Points of a method at these alphas, in the store at a path."""
    store = Store(store_path)
    for one in alphas:
        store.add(study, measurement(study, Recipe(study.partition(), one), method))


def fill(store: Store, study: Study, grid: int = 5, sweep: int = 11, answer: str | None = None) -> None:
    """The MA sweep and a grid over three blocks."""
    partition = study.partition()
    for step in range(sweep):
        store.add(study, measurement(study, Recipe(partition, (step / (sweep - 1),) * 3), "sweep", answer))
    places = [i / (grid - 1) for i in range(grid)] if grid > 1 else []
    for a in places:
        for b in places:
            for c in places:
                store.add(study, measurement(study, Recipe(partition, (a, b, c)), "grid", answer))
