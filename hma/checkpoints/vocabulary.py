"""A checkpoint's tokens and chat template, read from the tokenizer's own files without transformers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hma.checkpoints.finding import Finding, name_of, others
from hma.checkpoints.header import is_file, read_json
from hma.errors import CheckpointError

_UNREAD = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tokenizer_config.json")
"""Files of tokenizers whose tokens only transformers reads."""

_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
"""Parts of a tokenizer.json beside its tokens that change how a text is cut."""


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by number, the numbers of those added to the model's own, and the other parts of the tokenizer by name."""

    tokens: dict[int, str]
    added: frozenset[int] = frozenset()
    parts: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Rows of embeddings that the tokens take: the largest number and one."""
        return max(self.tokens, default=-1) + 1


def read_vocabulary(folder: Path) -> Vocabulary | None:
    """The vocabulary in tokenizer.json, vocab.json or vocab.txt; None when the folder has none of them.

    Raises CheckpointError for a file that is none.
    """
    added = _listed(folder)
    if is_file(folder / "tokenizer.json"):
        return _fast(folder / "tokenizer.json", added)
    if is_file(folder / "vocab.json"):
        tokens = _numbered(read_json(folder / "vocab.json"), folder / "vocab.json")
    elif is_file(folder / "vocab.txt"):
        tokens = _lines(folder / "vocab.txt")
    else:
        return None
    return Vocabulary({**tokens, **added}, frozenset(added))


def is_shared(reference: Path, policy: Path) -> bool:
    """Whether both folders have one tokenizer.json, byte for byte, and list the same added tokens: then one reading will do."""
    a, b = reference / "tokenizer.json", policy / "tokenizer.json"
    if not is_file(a) or not is_file(b):
        return False
    try:
        same = a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()
    except OSError:  # The reading that follows says so.
        return False
    return same and _listed(reference) == _listed(policy)


def has_tokenizer(folder: Path) -> bool:
    """Whether there is any file that a tokenizer is opened from."""
    return any(is_file(folder / name) for name in ("tokenizer.json", "vocab.json", "vocab.txt", *_UNREAD))


def compare_vocabularies(reference: Vocabulary, policy: Vocabulary) -> list[Finding]:
    """Ordinary tokens that differ (fatal, as the reference would read other words), added ones and other parts (notes)."""
    findings = []
    outside = reference.added | policy.added
    apart = _apart(reference, policy)
    if ordinary := [n for n in apart if n not in outside]:
        message = (
            f"Token {_two(ordinary[0], reference, policy)}{others(len(ordinary) - 1, 'token')}. "
            "Choose two checkpoints that share a vocabulary."
        )
        findings.append(Finding("fatal", "tokenizer", message))
    if added := [n for n in apart if n in outside]:
        message = (
            f"Added token {_two(added[0], reference, policy)}{others(len(added) - 1, 'token')}. "
            "The policy's tokenizer is used for every merge; see that prompts do not need the reference's."
        )
        findings.append(Finding("note", "tokenizer", message))
    parts = [p for p in sorted(reference.parts.keys() & policy.parts.keys()) if reference.parts[p] != policy.parts[p]]
    if parts:
        message = f"The tokenizers differ in {', '.join(parts)}. The policy's is used for every merge, the reference's for none."
        findings.append(Finding("note", "tokenizer", message))
    return findings


def chat_template(folder: Path) -> str | None:
    """The chat template, from its own file or the tokenizer's config; several are joined. None when there is none."""
    try:
        if is_file(folder / "chat_template.jinja"):
            return (folder / "chat_template.jinja").read_text(encoding="utf-8", errors="replace")
        for name in ("chat_template.json", "tokenizer_config.json"):
            found = read_json(folder / name).get("chat_template") if is_file(folder / name) else None
            if found:
                return found if isinstance(found, str) else repr(found)
    except (CheckpointError, OSError):  # The tokenizer's own check has said so.
        return None
    return None


def compare_templates(reference: Path, policy: Path) -> list[Finding]:
    """A warning when one checkpoint alone has a chat template, a note when both have and they differ."""
    a, b = chat_template(reference), chat_template(policy)
    if a == b:
        return []
    if a and b:
        message = (
            f"The chat templates differ: {len(a)} characters in the reference, {len(b)} in the policy. The policy's is used for "
            "every merge; see that the reference understands it."
        )
        return [Finding("note", "chat template", message)]
    holder, other = ("reference", "policy") if a else ("policy", "reference")
    advice = (
        "The policy's is used for every merge; see that the reference understands it."
        if holder == "policy"
        else "The policy's tokenizer is used for every merge; copy the template into the policy if it was trained with it."
    )
    return [Finding("warning", "chat template", f"The {holder} has a chat template and the {other} has none. {advice}")]


def _two(number: int, reference: Vocabulary, policy: Vocabulary) -> str:
    sides = (name_of(repr(v.tokens[number])) if number in v.tokens else None for v in (reference, policy))
    return "{} is {} to the reference's tokenizer and {} to the policy's".format(number, *sides)


def _apart(reference: Vocabulary, policy: Vocabulary) -> list[int]:
    a, b = reference.tokens, policy.tokens
    return [] if a == b else sorted(n for n in a.keys() | b.keys() if a.get(n) != b.get(n))


def _fast(path: Path, listed: dict[int, str]) -> Vocabulary:
    whole = read_json(path, bulk="model")
    model, extra = whole.get("model"), whole.get("added_tokens") or []
    vocab = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocab, list) and all(isinstance(pair, list) and pair and isinstance(pair[0], str) for pair in vocab):
        tokens = {number: pair[0] for number, pair in enumerate(vocab)}
    elif isinstance(vocab, dict):
        tokens = _numbered(vocab, path)
    else:
        raise CheckpointError(f"{path} has no vocabulary under model.vocab. Save the tokenizer again.")
    if not isinstance(extra, list) or not all(isinstance(t, dict) and isinstance(t.get("content"), str) for t in extra):
        raise CheckpointError(f"{path} has added_tokens without their content. Save the tokenizer again.")
    added = {**listed, **_numbered({t["content"]: t.get("id") for t in extra}, path)}
    parts = {name: whole.get(name) for name in _PARTS} | {"merges": _merges(model.get("merges"), path)}
    return Vocabulary({**tokens, **added}, frozenset(added), parts)


def _merges(merges: Any, path: Path) -> list[str]:
    """Merges in one form: older files write a pair as one string with a space."""
    try:
        return [pair if type(pair) is str else " ".join(pair) for pair in merges or ()]
    except TypeError:
        raise CheckpointError(f"{path} has merges that are not pairs of tokens. Save the tokenizer again.") from None


def _listed(folder: Path) -> dict[int, str]:
    """Added tokens that stand outside tokenizer.json, by number."""
    found: dict[int, str] = {}
    if is_file(path := folder / "added_tokens.json"):
        found |= _numbered(read_json(path), path)
    if is_file(path := folder / "tokenizer_config.json"):
        decoder = read_json(path).get("added_tokens_decoder") or {}
        for number, token in decoder.items() if isinstance(decoder, dict) else ():
            content = token.get("content") if isinstance(token, dict) else None
            if number.isdecimal() and len(number) < 19 and isinstance(content, str):
                found[int(number)] = content
    return found


def _numbered(vocab: dict[str, Any], path: Path) -> dict[int, str]:
    for token, number in vocab.items():
        if type(number) is not int or number < 0:
            raise CheckpointError(f"{path} numbers {name_of(token)} as {name_of(number)}. Save the tokenizer again.")
    return {number: token for token, number in vocab.items()}


def _lines(path: Path) -> dict[int, str]:
    try:
        return dict(enumerate(path.read_text(encoding="utf-8").removesuffix("\n").split("\n")))
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}. Save the tokenizer again.") from None
