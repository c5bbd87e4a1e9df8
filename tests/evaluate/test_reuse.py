"""What ``hma bench reuse`` measures: passes that go on from kept hidden states are the whole passes, with fewer layers."""

import pytest

from hma.bench.reuse import _saved
from hma.checkpoints.live import LiveModel
from hma.checkpoints.pair import open_pair
from hma.evaluate.reuse import LIKELIHOOD, PROMPTS, STEPS, _cut, reuse
from hma.evaluate.suite import load_suite


@pytest.fixture(scope="module")
def live(tiny_pair):
    return LiveModel(open_pair(*tiny_pair))


def test_what_goes_on_from_kept_states_is_the_whole_to_the_bit(live, tiny_suite):
    ran = []
    layers = live.model.get_decoder().layers
    hooks = [layer.register_forward_hook(lambda *_, k=k: ran.append(k)) for k, layer in enumerate(layers)]
    found = reuse(load_suite(tiny_suite), live.model, live.tokenizer, (1, 2), runs=1)
    for hook in hooks:
        hook.remove()
    assert ran.count(0) < ran.count(1) < ran.count(2)
    assert live.model.get_decoder().layers is layers
    assert found[LIKELIHOOD]["difference"] == found[PROMPTS]["difference"] == 0
    assert sum(found["shares"].values()) < 1
    assert all(found["shares"][kind] > 0 for kind in (LIKELIHOOD, PROMPTS, STEPS))


def test_what_is_kept_is_a_state_a_token_and_keys_and_values_below(live, tiny_suite):
    found = reuse(load_suite(tiny_suite), live.model, live.tokenizer, (1, 2), runs=1)
    states = found[LIKELIHOOD]["kept_bytes"][0]
    assert found[LIKELIHOOD]["kept_bytes"] == [states, states]
    assert states % (4 * live.model.config.hidden_size) == 0
    one, two = found[PROMPTS]["kept_bytes"]
    assert (one, two) == (one // 3 * 3, one // 3 * 5)


def test_a_cut_model_is_whole_again_after_an_error(live):
    with pytest.raises(RuntimeError), _cut(live.model, 2):
        assert len(live.model.get_decoder().layers) == 1
        raise RuntimeError
    assert len(live.model.get_decoder().layers) == 3


def test_shares_saved_are_averages_over_what_changed():
    assert _saved([0.0, 0.1, 0.2])["slider"] == pytest.approx(0.1)
    assert _saved([0.0, 0.3])["grid"] == pytest.approx(0.3 * 20 / 25)  # Of 25 points, 20 change the last block alone.
    assert _saved([0.0, 0.1, 0.2])["sweep"] == 0
