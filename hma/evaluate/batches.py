"""Batches that are built once, and that are halved when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from hma.errors import MeasureError
from hma.evaluate.failures import first_line, free_memory, is_out_of_memory

Row, Batch, Found = TypeVar("Row"), TypeVar("Batch"), TypeVar("Found")


class Batches(Generic[Row, Batch]):
    """Rows in batches of a fixed size, in their order. Each batch is built at its first use and kept.

    Where memory runs out, a batch is tried again with half as many rows, and so is every one from then on.
    """

    def __init__(self, rows: Sequence[Row], build: Callable[[Sequence[Row]], Batch], size: int, name: str) -> None:
        """``build`` makes a batch of rows; ``name`` says in errors what the rows are."""
        self._rows, self._build, self._name = tuple(rows), build, name
        self._built: dict[int, Batch] = {}
        self.size = size
        self.note = ""
        """What a person should know: that batches were halved. Empty while they were not."""

    def each(self, answer: Callable[[Batch], Found]) -> Iterator[Found]:
        """What ``answer`` gives for each batch. Raises MeasureError when memory runs out for a single row."""
        start = 0
        while start < len(self._rows):
            rows, reason = self._rows[start : start + self.size], ""
            try:
                if start not in self._built:
                    self._built[start] = self._build(rows)
                found = answer(self._built[start])
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                reason = first_line(error)
            if reason:  # Outside of the handler, where the error's frames no longer hold on to tensors.
                self._halve(len(rows), reason)
                continue
            yield found
            start += len(rows)

    def _halve(self, failed: int, reason: str) -> None:
        """Go on with halves, and halves of these, until a batch is smaller than the one that failed."""
        self._built.clear()
        free_memory()
        if failed == 1:
            raise MeasureError(
                f"Memory ran out in {self._name}, even with one at a time ({reason}). Nothing was stored for this point. Close "
                "what else uses the device, ask for shorter prompts or answers in the suite, or choose a smaller pair."
            )
        while self.size >= failed:
            self.size = (self.size + 1) // 2
        self.note = f"batch halved to {self.size}: out of memory"
