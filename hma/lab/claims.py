"""The paper's claims, and what each pair says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hma.core.compare import Estimate

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "not decided"


@dataclass(frozen=True)
class Claim:
    """A statement that a positive number speaks for, in ``unit``."""

    name: str
    says: str
    unit: str


BOX, POINTS, REWARD = "% of the box", "points", "reward"

CLAIMS = (
    Claim("reward rises", "RLHF raises the reward", REWARD),
    Claim("reading falls", "RLHF costs reading", POINTS),
    Claim("translation falls", "RLHF costs translation", POINTS),
    Claim("common sense rises first", "after two iterations of RLHF common sense is better than before it", POINTS),
    Claim("common sense falls then", "at the end of RLHF common sense is worse than after two iterations", POINTS),
    Claim("ma", "MA's front encloses more than that of every snapshot of RLHF (stopping early)", BOX),
    Claim("input abilities", "averaging the input part alone (0.4) improves the abilities of the policy", POINTS),
    Claim("input reward", "averaging the input part alone (0.4) improves the reward of the policy", REWARD),
    Claim("middle abilities", "averaging the middle part alone (0.4) improves the abilities of the policy", POINTS),
    Claim("middle reward", "averaging the middle part alone (0.4) improves the reward of the policy", REWARD),
    Claim("output abilities", "averaging the output part alone (0.4) improves the abilities of the policy", POINTS),
    Claim("output reward", "averaging the output part alone (0.4) improves the reward of the policy", REWARD),
    Claim("offset:0|0|-0.1 3", "(α|α|α−0.1) beats MA", BOX),
    Claim("offset:0|-0.1|-0.1 3", "(α|α−0.1|α−0.1) beats MA", BOX),
    Claim("hma 3", "HMA beats MA, K = 3", BOX),
    Claim("hma 6", "HMA beats MA, K = 6", BOX),
    Claim("hma 9", "HMA beats MA, K = 9 (six layers, embeddings, norm, head: parts that the paper ties to layers)", BOX),
    Claim("adamerging:reading 3", "AdaMerging on reading (uses labels) beats MA, K = 3", BOX),
    Claim("two-sided 3", "ours: two-sided (uses task prompts) beats MA, K = 3, points evenly spaced", BOX),
    Claim(
        "two-sided-spaced 3",
        "ours: two-sided (uses task prompts) beats MA, K = 3, both spaced by their gaps",
        BOX,
    ),
    Claim(
        "two-sided-spaced 9",
        "ours: two-sided (uses task prompts) beats MA, K = 9, both spaced by their gaps",
        BOX,
    ),
    Claim(
        "two-sided-free-spaced 3",
        "ours: two-sided without task prompts beats MA, K = 3, both spaced by their gaps",
        BOX,
    ),
)
"""What the paper says, and what we say of our own methods, each as a number that should be above zero."""


def verdict(estimates: Sequence[Estimate]) -> str:
    """Of one claim on several pairs: it holds where every interval lies above zero, and does not where one lies below.

    Anything else is not decided: at least one pair shows no difference, and none the opposite.
    """
    if not estimates:
        raise ValueError("a claim is judged on one pair or more")
    if any(estimate.is_shown and estimate.value < 0 for estimate in estimates):
        return FAILS
    return HOLDS if all(estimate.is_shown and estimate.value > 0 for estimate in estimates) else UNDECIDED


def verdicts(found: Sequence[Mapping[str, Estimate]]) -> dict[str, tuple[str, list[Estimate]]]:
    """Each claim's verdict and estimates, by name, over the pairs that tell of it; claims that none tells of are left out."""
    told = {claim.name: [pair[claim.name] for pair in found if claim.name in pair] for claim in CLAIMS}
    return {name: (verdict(estimates), estimates) for name, estimates in told.items() if estimates}
