"""A study, and results made up for it, for tests of the store."""

import numpy as np

from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.core.statistics import Result
from hma.core.study import Axis, Study
from hma.store import Measurement

ABILITIES = (Axis("choice", "Choice", "%", "choice"), Axis("translate", "Translate", "BLEU", "translate"))
STUDY = Study("t", "a", "b", "p", "s.json", "s", "validation", "quick", 5, 6, Axis("reward", "Reward", "points"), ABILITIES)


def measurement(alpha=0.2, seed=0, num_items=5):
    draw = np.random.default_rng(seed)
    ids = tuple(f"item-{i}" for i in range(num_items))
    texts = tuple(f"answer {i} é <b>" for i in range(num_items))
    bleu = np.concatenate([draw.integers(1, 4, (num_items, 4)), np.full((num_items, 4), 5), np.full((num_items, 2), 6)], axis=1)
    results = {
        "reward": Result("mean", draw.normal(size=(num_items, 1)), ids, texts),
        "choice": Result("mean", 100.0 * draw.integers(0, 2, (num_items, 1)), ids),
        "translate": Result("bleu", bleu, ids, texts),
    }
    return Measurement(Recipe(Partition.equal(6), (alpha,) * 3), results, "sweep", "CPU", 1.5, {"merge": 0.1})
