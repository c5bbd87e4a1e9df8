"""Memory that runs out halves a batch and changes no number; logits that are no numbers end the measurement."""

import contextlib

import pytest
import torch

from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.core.partition import Partition
from hma.core.recipe import Recipe
from hma.errors import MeasureError
from hma.evaluate.evaluator import CHAT, Evaluator
from hma.evaluate.generation import AnswerPlan
from hma.evaluate.likelihood import LikelihoodPlan
from hma.evaluate.proxies import log_likelihoods
from hma.evaluate.suite import load_suite

TEXTS = ["a b c", "question : a b h answer :", "d", "e f g a b c d", "g g", "b a", "c", "f e d c"]
PLANS = {
    "sampled": {"temperature": 1.0, "seed": 5},
    "greedy": {},
    "whole rows": {"spared": 1},
    "shared prefixes": {"spared": 0},
}


@pytest.fixture
def live(tiny_pair):
    live = LiveModel(open_pair(*tiny_pair))
    live.write(Recipe(Partition.equal(3), (0.5, 0.5, 0.5)))
    return live


def plan(live, kind):
    device, settings = live.model.device, PLANS[kind] | {"name": "reading"}
    if kind in ("sampled", "greedy"):
        return AnswerPlan(TEXTS, live.tokenizer, device, max_new_tokens=9, **settings)
    pairs = [(text, f" {option}") for text in TEXTS for option in ("red", "blue green red", "a b")]
    return LikelihoodPlan(pairs, live.tokenizer, device, **settings)


@contextlib.contextmanager
def room_for(model, rows):
    """The model on a device with memory for so many rows."""

    def check(_, given, named):
        if len(named["input_ids"]) > rows:
            raise torch.OutOfMemoryError(f"CUDA out of memory for {len(named['input_ids'])} rows")

    hook = model.register_forward_pre_hook(check, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def equal(one, other):
    if isinstance(one[0], str):
        return one == other
    return all(a == pytest.approx(b, abs=1e-5) and x == y for (a, x), (b, y) in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", PLANS)
def test_half_a_batch_gives_the_same_and_is_kept(live, kind):
    expected = plan(live, kind).responses(live.model)
    tested, asked = plan(live, kind), []
    with room_for(live.model, 6):
        assert equal(tested.responses(live.model), expected)
        assert tested.note.startswith("batch halved to ")
        hook = live.model.register_forward_pre_hook(
            lambda _, given, named: asked.append(len(named["input_ids"])), with_kwargs=True
        )
        assert equal(tested.responses(live.model), expected)
        hook.remove()
    assert max(asked) <= 6  # The second time nobody ran out.


@pytest.mark.parametrize("kind", PLANS)
def test_no_memory_for_a_single_row_ends_the_measurement(live, kind):
    with room_for(live.model, 0), pytest.raises(MeasureError, match="Memory ran out in reading, even with one at a time"):
        plan(live, kind).responses(live.model)


def test_proxies_halve_their_batches_too(live):
    rows = [live.tokenizer.encode(text) for text in TEXTS]
    expected = log_likelihoods(live.model, rows, rows)
    with room_for(live.model, 3):
        assert log_likelihoods(live.model, rows, rows) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("number", [float("nan"), 3e38])
def test_logits_that_are_no_numbers_end_the_measurement_and_spoil_nothing(live, kind, number):
    tested, weight = plan(live, kind), live.model.lm_head.weight
    expected, before = tested.responses(live.model), weight.clone()
    with torch.no_grad():
        weight[3:9] = number
    with pytest.raises(MeasureError, match=r"In reading the model gave NaN or infinity instead of logits.*Choose other alphas"):
        tested.responses(live.model)
    with torch.no_grad():
        weight.copy_(before)
    assert tested.responses(live.model) == expected


@pytest.mark.parametrize("kind", PLANS)
def test_the_text_that_it_happened_after_is_named(live, kind):
    with torch.no_grad():
        live.model.get_input_embeddings().weight[live.tokenizer.convert_tokens_to_ids("h")] = float("nan")
    with pytest.raises(MeasureError, match="first after '…question : a b h answer :'"):
        plan(live, kind).responses(live.model)


def test_another_dtype_is_the_first_cure_where_there_is_one(live):
    live.model.to(torch.bfloat16)
    with torch.no_grad():
        live.model.lm_head.weight.fill_(float("inf"))
    with pytest.raises(MeasureError, match="computes in bfloat16: measure it with --dtype float32, or choose other alphas"):
        plan(live, "greedy").responses(live.model)


@pytest.mark.parametrize("lanes", [1, 3])
def test_an_evaluator_says_which_stages_were_halved_and_goes_on_after_a_failure(live, tiny_suite, lanes):
    evaluator = Evaluator(load_suite(tiny_suite), live.model, live.tokenizer, lanes)
    expected = evaluator.run()
    assert evaluator.notes == {}
    with room_for(live.model, 0), pytest.raises(MeasureError, match="even with one at a time"):
        evaluator.run()
    with room_for(live.model, 5):
        found = evaluator.run()
    assert set(evaluator.notes) == {CHAT, "choice", "words", "translate"}
    for name, result in found.items():
        assert result.outputs == expected[name].outputs
