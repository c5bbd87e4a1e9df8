"""The other way of ``hma bench suite`` does the same work: the same weights, the same abilities, rewards of the same answers."""

import contextlib
import json
import logging
import runpy
import sys
from dataclasses import replace

import lm_eval.tasks
import pytest
import torch
from safetensors.torch import load_file

from hma.bench.peer import MERGE, Measured, Peer
from hma.bench.suite import SPREAD, _compared
from hma.core import statistics
from hma.core.partition import Partition
from hma.core.point import Point, Score
from hma.core.recipe import Recipe
from hma.errors import MeasureError
from hma.evaluate.evaluator import Evaluator
from hma.evaluate.suite import load_suite
from hma.study import open_study


def here(arguments, folder=None, **environment):
    """Run a program in this process, which has torch already."""
    kind, what, *rest = arguments
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(lm_eval.tasks.TaskManager.__init__, "__defaults__", (None, None, False, None))  # Its own tasks: many files.
        patch.setattr(sys, "argv", [what if kind == "-m" else "-c", *rest])
        if folder:
            patch.chdir(folder)
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(what, {"__name__": "__main__"})
    return ""


def test_it_writes_the_same_merge(live, tiny_pair, tmp_path):
    here(["-c", MERGE, *map(str, tiny_pair), "0.3", str(tmp_path / "merge")])
    written = load_file(tmp_path / "merge" / "model.safetensors")
    for name, weight in live.model.state_dict().items():
        torch.testing.assert_close(written[name], weight, atol=1e-6, rtol=0)


@pytest.mark.filterwarnings("ignore")
def test_it_finds_the_same_abilities_and_rewards(live, tiny_pair, tiny_suite, tmp_path, capfd):
    study = open_study(*tiny_pair, tiny_suite, split="test", size="full")
    try:
        found = Peer(study, tmp_path / "peer", here).measure(0.3)
    finally:
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
    ours = Evaluator(load_suite(tiny_suite, "test", "full"), live.model, live.tokenizer).run()
    for name, value in found.abilities.items():
        assert value == pytest.approx(statistics.value(ours[name]), abs=1e-6)
    assert len(found.abilities) == 3
    rewards = ours["reward"].items[:, 0]
    assert len(found.rewards) == len(rewards)
    assert sum(found.rewards) / 12 == pytest.approx(rewards.mean(), abs=SPREAD * (2 * rewards.var() / 12) ** 0.5)
    assert json.dumps(found.seconds) and all(seconds > 0 for seconds in found.seconds.values())


POINT = Point(
    "key",
    Recipe(Partition.equal(3), (0, 0, 0)),
    {"reward": Score(1.0, 0.1, 4, 0, 2), "choice": Score(50.0, 5.0, 4, 40, 60)},
    Score(50.0, 5.0, 4, 40, 60),
    elapsed_seconds=1.0,
    timings={"merge": 0.1, "chat answers": 1.0, "choice": 1.0, "model": 2.0},
)
OTHER = Measured({"merge": 2.0, "lm_eval": 5.0, "reward": 3.0}, {"choice": 50.0}, [0.9, 1.0, 1.1, 1.2])


def test_ratios_are_of_what_was_measured():
    found = _compared([2.0, 1.0, 4.0], [0.6, 0.6, 0.6], [1.0, 1.0, 1.0], [POINT, POINT], [OTHER, OTHER])
    assert (found["ratio"], found["to_floor"], found["sweep_seconds"]) == (10.0, 1.25, 2.0)
    assert found["to_model"] == 2.0
    assert found["points_to_floor"] == 2.0
    assert found["work_to_model"] == pytest.approx(1.05)


@pytest.mark.parametrize("other", [replace(OTHER, abilities={"choice": 48.0}), replace(OTHER, rewards=[9.0, 9.1, 9.2, 9.3])])
def test_two_ways_that_disagree_are_not_compared(other):
    with pytest.raises(MeasureError, match="The two ways disagree"):
        _compared([1.0], [1.0], [1.0], [POINT], [other])
