"""Batches are built once, and halved when memory runs out, until they fit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hma.errors import MeasureError
from hma.evaluate.batches import Batches
from hma.evaluate.failures import is_out_of_memory

counts = st.integers(1, 40)


def device_with(room):
    """Answers with a batch's rows, as long as there are no more than there is room for; notes how many were asked."""
    asked = []

    def answer(batch):
        asked.append(len(batch))
        if len(batch) > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words.")
        return batch

    return answer, asked


@settings(max_examples=25, deadline=None)
@given(counts, counts, counts)
def test_every_row_is_answered_once_in_order_in_batches_that_fit(num_rows, size, room):
    answer, asked = device_with(room)
    batches = Batches(range(num_rows), list, size, "these rows")
    for _ in range(2):
        asked.clear()
        assert [row for batch in batches.each(answer) for row in batch] == list(range(num_rows))
    assert max(asked) <= min(room, size, num_rows)  # The second time nothing fails any more.
    assert bool(batches.note) == (min(num_rows, size) > room)


def test_a_batch_is_built_once_and_again_when_it_was_halved():
    built = []
    batches = Batches(range(6), lambda rows: built.append(len(rows)) or list(rows), 4, "these rows")
    roomy, _ = device_with(6)
    assert list(batches.each(roomy)) == list(batches.each(roomy)) == [[0, 1, 2, 3], [4, 5]]
    assert built == [4, 2]
    narrow, _ = device_with(3)
    assert list(batches.each(narrow)) == list(batches.each(roomy)) == [[0, 1], [2, 3], [4, 5]]
    assert built == [4, 2, 2, 2, 2]
    assert batches.note == "batch halved to 2: out of memory"


def test_memory_that_is_out_for_one_row_is_said_with_what_to_do():
    answer, asked = device_with(0)
    with pytest.raises(MeasureError, match=r"ran out in reading, even with one at a time \(CUDA out of memory.*GiB\.\).*smaller"):
        list(Batches(range(5), list, 4, "reading").each(answer))
    assert asked == [4, 2, 1]


def test_other_failures_are_nobodys_business_here():
    def answer(batch):
        raise ValueError("something else")

    batches = Batches(range(4), list, 4, "these rows")
    with pytest.raises(ValueError, match="something else"):
        list(batches.each(answer))
    assert (batches.size, batches.note) == (4, "")


def test_each_allocator_is_understood():
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 60)
    assert is_out_of_memory(refused.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
