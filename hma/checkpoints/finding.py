"""What a check found: values that say what is wrong and what to do, so that all of them can be shown at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from hma.errors import CheckpointError

_LONGEST = 160
"""Characters of a name or value of a file that a message shows."""


@dataclass(frozen=True)
class Finding:
    """One thing found in a pair: ``fatal`` (it cannot be merged), ``warning`` (look first) or ``note``.

    The subject is what it is about, in a word or two; the message holds both values and what to do.
    """

    level: Literal["fatal", "warning", "note"]
    subject: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return {"level": self.level, "subject": self.subject, "message": self.message}


def refuse_fatal(findings: Iterable[Finding]) -> None:
    """Raise CheckpointError with the first fatal finding's message, if there is one."""
    for finding in findings:
        if finding.level == "fatal":
            raise CheckpointError(finding.message)


def name_of(text: Any) -> str:
    """A name out of a file as a message shows it: cut to a length, and without characters that a terminal obeys."""
    text = text if isinstance(text, str) else repr(text)
    return _cut(text if text.isprintable() else ascii(text))


def value_of(value: Any) -> str:
    """A value out of a file as a message shows it, cut to a length."""
    return _cut(repr(value))


def others(count: int, what: str) -> str:
    """``, and so are 3 more tensors``, or nothing when there are no more."""
    return f", and so {'is' if count == 1 else 'are'} {count} more {what}{'' if count == 1 else 's'}" if count else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
