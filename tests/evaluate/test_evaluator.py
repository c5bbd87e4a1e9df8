"""A suite's stages, one after the other or side by side."""

import threading

import numpy as np
import pytest

from hma.errors import Cancelled
from hma.evaluate.evaluator import Evaluator
from hma.evaluate.suite import load_suite


def evaluator(live, suite, lanes):
    return Evaluator(load_suite(suite, size="full"), live.model, live.tokenizer, lanes)


def test_stages_side_by_side_give_the_same_items(live, tiny_suite):
    alone, together = evaluator(live, tiny_suite, 1), evaluator(live, tiny_suite, 4)
    expected = alone.run()
    for _ in range(5):
        found = together.run()
        assert list(found) == list(expected)
        for name, result in found.items():
            np.testing.assert_array_equal(result.items, expected[name].items)
            assert result.outputs == expected[name].outputs
    assert set(together.timings) == set(alone.timings) == {"chat answers", "choice", "words", "translate", "scoring"}


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_stage_that_is_stopped_stops_the_run(live, tiny_suite, lanes):
    def stop(stage, done, total):
        raise Cancelled("enough")

    running = evaluator(live, tiny_suite, lanes)
    with pytest.raises(Cancelled, match="enough"):
        running.run(stop)
    assert running.run()  # and it can be asked again


@pytest.mark.parametrize("start", [1, 8, 10])
def test_going_on_from_some_items_gives_the_items_of_measuring_at_once(live, tiny_suite, start):
    """8 is where quick ends; from elsewhere the batches are others, and the answers of so small a model the same."""
    running = evaluator(live, tiny_suite, 1)
    whole, rest = running.run(), running.run(start=start)
    first = Evaluator(load_suite(tiny_suite, size="quick"), live.model, live.tokenizer).run()
    for name, result in whole.items():
        np.testing.assert_array_equal(result.items[start:], rest[name].items)
        assert result.part(start).outputs == rest[name].outputs
        assert result.part(start).item_set == rest[name].item_set
        if start == 8:
            assert (first[name] + rest[name]).item_set == result.item_set
            np.testing.assert_array_equal((first[name] + rest[name]).items, result.items)
    assert running.item_sets(start) == {name: result.part(0, start).item_set for name, result in whole.items()}


def test_side_by_side_they_run_in_threads_of_their_own(live, tiny_suite):
    seen = set()
    evaluator(live, tiny_suite, 3).run(lambda stage, done, total: seen.add((stage, threading.get_ident())))
    assert {stage for stage, _ in seen} == {"chat answers", "choice", "words", "translate"}
    assert threading.get_ident() not in {thread for _, thread in seen}
