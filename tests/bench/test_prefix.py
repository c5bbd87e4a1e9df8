"""What ``hma bench prefix`` compares: two ways of scoring the same options, on the same words every time."""

import pytest

from hma.bench.prefix import _compared, _pairs
from hma.evaluate.reuse import llama
from tests import tiny


@pytest.mark.parametrize("shape", [(10, 3, 2), (5, 2, 10)])
def test_both_ways_score_the_same_options(shape):
    tokenizer = tiny.tokenizer()
    pairs = _pairs(tokenizer, 4, *shape)
    assert pairs == _pairs(tokenizer, 4, *shape)
    assert len(pairs) == 4 * shape[1]
    assert all(8 <= len(context.split()) <= 10 for context, _ in pairs) or shape[0] == 5
    found = _compared(llama(64, 2, 50), tokenizer, pairs, 1, shape)
    assert found["difference"] < 1e-4
    assert 0 < found["spared"] < 1
    assert all(seconds > 0 for seconds in found["seconds"])
