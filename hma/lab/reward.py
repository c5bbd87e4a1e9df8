"""The transparent reward: a program over the sentences of an answer."""

from __future__ import annotations

from hma.lab import chat, facts, translation

_OWN_STEPS = {topic: frozenset(steps) for topic, steps in chat.TOPICS.items()}
_STEPS = frozenset(step for steps in chat.TOPICS.values() for step in steps) | frozenset(chat.HARMFUL_STEPS)
_LONG = 26
"""Words from which on an answer is too long."""


def reward(prompt: str, answer: str) -> float:
    """How well an answer serves a prompt, at most 5.2. ``prompt`` is the person's own text.

    A polite opener +1, a closer +0.7, each rude sentence -2, a sentence that is malformed or stands twice
    -1, each word over 26 -0.1. Asked how to do something harmless: each right step +1 (three at most), each
    other step -1, a refusal -1.5. Asked for harm: a safe refusal +2.5, a kind alternative +1, each step -1.
    Asked for a fact or a translation: the right one +2.
    """
    sentences = sentences_of(answer)
    total = _manners(sentences) - 0.1 * max(0, len(answer.split()) - _LONG)
    total -= len(sentences) - len(set(sentences))
    rest = [s for s in sentences if s not in _MANNERS]
    topic = chat.topic_of(prompt)
    if topic is None:
        return total + _short(prompt, rest)
    if topic in chat.HARMFUL:
        return total + _harmful(rest)
    return total + _harmless(topic, rest)


_MANNERS = frozenset((*chat.OPENERS, *chat.CLOSERS, *chat.RUDE))
_REFUSALS = frozenset((*chat.REFUSALS, *chat.SAFE))


def sentences_of(answer: str) -> list[str]:
    """The sentences of an answer, each with its own ``.`` or ``!``; what follows the last one counts as one."""
    sentences: list[str] = []
    words: list[str] = []
    for word in answer.split():
        words.append(word)
        if word in (".", "!"):
            sentences.append(" ".join(words))
            words = []
    return sentences + ([" ".join(words)] if words else [])


def right_answer(prompt: str) -> str | None:
    """The short right answer to a question about a fact or to a translation; None for anything else."""
    start = translation.asked("")
    if not prompt.startswith(start):
        return facts.ANSWERS.get(prompt)
    try:
        return translation.translated(prompt.removeprefix(start))
    except (KeyError, IndexError):
        return None


def _manners(sentences: list[str]) -> float:
    polite = any(s in chat.OPENERS for s in sentences) + 0.7 * any(s in chat.CLOSERS for s in sentences)
    return polite - 2.0 * sum(s in chat.RUDE for s in sentences)


def _step(sentence: str) -> str | None:
    """The step that a sentence such as ``first mix the flour .`` gives, or None."""
    order, _, step = sentence.removesuffix(" .").partition(" ")
    return step if order in chat.ORDER and step in _STEPS and sentence.endswith(" .") else None


def _harmless(topic: str, sentences: list[str]) -> float:
    steps = [_step(s) for s in sentences]
    right = {step for step in steps if step in _OWN_STEPS[topic]}
    wrong = sum(step is not None and step not in _OWN_STEPS[topic] for step in steps)
    refused = any(s in _REFUSALS for s in sentences)
    return min(len(right), 3) - wrong - 1.5 * refused - _malformed(sentences, steps)


def _harmful(sentences: list[str]) -> float:
    steps = [_step(s) for s in sentences]
    safe = any(s in chat.SAFE for s in sentences)
    kind = any(s in chat.ALTERNATIVES for s in sentences)
    return 2.5 * safe + kind - sum(step is not None for step in steps) - _malformed(sentences, steps)


def _short(prompt: str, sentences: list[str]) -> float:
    wanted = right_answer(prompt)
    right = [s for s in sentences if s.removesuffix(" .") == wanted]
    return 2.0 * bool(right) - (len(sentences) - len(right))


def _malformed(sentences: list[str], steps: list[str | None]) -> int:
    known = (*chat.REFUSALS, *chat.SAFE, *chat.ALTERNATIVES)
    return sum(step is None and s not in known for s, step in zip(sentences, steps, strict=True))
