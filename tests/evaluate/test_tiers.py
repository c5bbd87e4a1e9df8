"""Items come in tiers, so that a larger size goes on from a smaller one."""

from hypothesis import given
from hypothesis import strategies as st

from hma.evaluate.tiers import tiers

numbers = st.integers(1, 50)


@given(st.lists(numbers), numbers, numbers)
def test_tiers_cover_the_items_once_in_order_and_never_straddle_a_size(ends, one, other):
    start, end = sorted((one, one + other))
    found = tiers(ends, start, end)
    assert [i for tier in found for i in range(*tier)] == list(range(start, end))
    assert all(low < high for low, high in found)
    assert not any(low < cut < high for low, high in found for cut in ends)


@given(st.lists(numbers, min_size=2, unique=True).map(sorted))
def test_going_on_from_a_size_has_the_tiers_of_measuring_at_once(ends):
    whole = tiers(ends, 0, ends[-1])
    for cut in ends[:-1]:
        assert whole == tiers(ends, 0, cut) + tiers(ends, cut, ends[-1])
