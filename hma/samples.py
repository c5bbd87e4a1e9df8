"""Samples: the chat prompts of a study, each with the answers of several points and what the reward says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hma.core.edits import unlike
from hma.core.point import REWARD, Point
from hma.core.study import Study
from hma.store import Store


@dataclass(frozen=True)
class Answer:
    """What a model wrote, and its reward."""

    words: str
    reward: float


@dataclass(frozen=True)
class Sample:
    """A prompt at its ``place`` in the suite, with the answers to it by the key of the point that gave them."""

    place: int
    id: str
    prompt: str
    answers: Mapping[str, Answer]

    def gain(self, point: str, over: str) -> float | None:
        """The reward of one point's answer minus that of another's; None where either is missing."""
        both = [self.answers.get(key) for key in (point, over)]
        return both[0].reward - both[1].reward if both[0] and both[1] else None

    def unlike(self, point: str, other: str) -> float | None:
        """The share of words in which two points' answers differ; None where either is missing."""
        both = [self.answers.get(key) for key in (point, other)]
        return unlike(both[0].words, both[1].words) if both[0] and both[1] else None

    def length(self, point: str) -> int:
        """How many words a point's answer has."""
        return len(self.answers[point].words.split()) if point in self.answers else 0

    def holds(self, sought: str) -> bool:
        """Whether the prompt or one of the answers holds every word that is sought, whatever its case."""
        texts = [self.prompt, *(answer.words for answer in self.answers.values())]
        return any(all(word in text.casefold() for word in sought.casefold().split()) for text in texts)


def read(store: Store, study: Study, prompts: Mapping[str, str], points: Sequence[Point]) -> tuple[Sample, ...]:
    """The study's samples of these points, in the suite's order: of every prompt to which one of them kept an answer.

    ``prompts`` are texts by id; a prompt that the suite no longer has is called by its id.
    """
    answers: dict[str, dict[str, Answer]] = {}
    for point in points:
        result = store.results(point.key, study.num_items).get(REWARD)
        if result is None or result.outputs is None:
            continue
        for item, words, reward in zip(result.ids, result.outputs, result.items[:, 0].tolist(), strict=True):
            answers.setdefault(item, {})[point.key] = Answer(words, reward)
    return tuple(Sample(place, item, prompts.get(item, item), found) for place, (item, found) in enumerate(answers.items()))


AS_ASKED, GAIN, LOSS, LONGEST, UNLIKE = "as asked", "gain", "loss", "longest", "unlike"
"""The orders of samples: the suite's, and those of ``ordered``."""


def ordered(
    samples: Sequence[Sample], order: str, point: str, reference: str | None, policy: str | None, other: str | None
) -> list[Sample]:
    """The samples in an order of one point's: by its gain in reward over the reference, its loss against the policy, the length
    of its answers, or how unlike they are to the ``other`` point's; the most first, equal ones in the suite's order.

    Samples that lack one of the two answers come last.
    """
    sizes: dict[str, Callable[[Sample], float | None]] = {
        AS_ASKED: lambda sample: 0.0,
        GAIN: lambda sample: sample.gain(point, reference or ""),
        LOSS: lambda sample: sample.gain(policy or "", point),
        LONGEST: lambda sample: sample.length(point),
        UNLIKE: lambda sample: sample.unlike(point, other or ""),
    }
    size = sizes[order]

    def first(sample: Sample) -> tuple[bool, float, int]:
        value = size(sample)
        return value is None, -(value or 0.0), sample.place

    return sorted(samples, key=first)
