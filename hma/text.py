"""Numbers and names in words, and texts of others made safe to show."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

from hma.core.point import Point, Score
from hma.core.precision import lost_alphas
from hma.core.question import Reply
from hma.core.recipe import Recipe
from hma.core.study import Study

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SHORTCODE = re.compile(r":(?=[\w+/-]+:)")

_OWN = ("slider", "single")
"""What the store says of points that a person asked for one by one: on the page, or by the verb measure."""

_KEPT = "\n\t\u200c\u200d"
"""What is not printable and stays: lines, tabs, and what joins letters and emoji or keeps them apart."""


def printable(text: str) -> str:
    """The text with every character that a terminal may obey, or that turns the order of others, shown as its escape."""
    if text.isprintable():
        return text
    return "".join(c if _is_shown(c) else c.encode("unicode_escape").decode() for c in text)


def _is_shown(character: str) -> bool:
    return character.isprintable() or character in _KEPT or unicodedata.category(character) == "Zs"


def plain(text: str) -> str:
    """The text, ``printable``, with everything escaped that Streamlit's Markdown would give a meaning to."""
    unmarked = _SHORTCODE.sub(":\u200b", printable(text))
    return _PUNCTUATION.sub(r"\\\1", unmarked).replace("\n", "  \n")


def decimals(half_width: float) -> int:
    """How many decimals an interval of this half width supports, 0 to 3.

    The Particle Data Group's rule: two digits of the half width if they lie in 10..35, one otherwise.
    """
    if not math.isfinite(half_width) or half_width <= 0:
        return 1
    exponent = math.floor(math.log10(half_width))
    leading = round(half_width / 10.0**exponent * 100)
    digits = 2 if leading <= 354 or leading >= 950 else 1
    if leading >= 950:
        exponent += 1
    return max(0, min(3, digits - 1 - exponent))


def fixed(value: float, digits: int) -> str:
    """The value with a true minus sign, and never ``-0``."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def rounded(score: Score) -> str:
    """The value at the digits that its 95 % interval supports."""
    return fixed(score.value, decimals((score.high - score.low) / 2))


def estimate(value: float, bounds: tuple[float, float]) -> str:
    """A value at the digits that its 95 % interval supports, and the interval: "237 (95 %: 205 to 264)"."""
    low, high = bounds
    return f"{fixed(value, decimals((high - low) / 2))} (95 %: {interval(low, high)})"


def corner(ends: Sequence[Point]) -> str:
    """The worse reward and the worse ability of both ends: "reward −0.8, ability 31"."""
    reward = min((p.reward for p in ends), key=lambda score: score.value)
    ability = min((p.ability for p in ends), key=lambda score: score.value)
    return f"reward {rounded(reward)}, ability {rounded(ability)}"


def interval(low: float, high: float) -> str:
    """``low to high`` at the digits that they support."""
    digits = decimals((high - low) / 2)
    return f"{fixed(low, digits)} to {fixed(high, digits)}"


def signed(value: float, half_width: float) -> str:
    """The value with its sign, at the digits that the half width supports."""
    text = fixed(value, decimals(half_width))
    return text if text.startswith("−") or not text.strip("0.") else f"+{text}"


def items(study: Study) -> str:
    """Which items a study's numbers are of: ``100 validation items (quick)``."""
    return f"{study.num_items} {study.split} items ({study.size})"


def share(value: float) -> str:
    """A share of resamples in percent; only all of them are 100 %, and only none 0 %."""
    if 0 < value < 0.01:
        return "under 1 %"
    return f"{min(value, 0.99) if value < 1 else 1:.0%}".replace("%", " %")


def alpha(value: float) -> str:
    """An alpha at the digits it has, at most three."""
    return f"{round(value, 3):g}"


def recipe_name(recipe: Recipe) -> str:
    """What a recipe is called: an end, MA with its one alpha, or HMA with an alpha a block; and what these do not say."""
    rest = "".join(f", {part}" for part in beside_alphas(recipe))
    if recipe.is_average:
        first = recipe.alphas[0]
        return {0.0: "policy (after RLHF)", 1.0: "reference (before RLHF)"}.get(first, f"MA {alpha(first)}") + rest
    return "HMA " + " / ".join(alpha(a) for a in recipe.alphas) + rest


def beside_alphas(recipe: Recipe) -> list[str]:
    """What a recipe's alphas do not say by themselves: that one lies beyond the two ends, that only linear weights are averaged,
    a dtype and a rounding that were chosen."""
    beyond = "extrapolation" if recipe.is_extrapolation else ""
    scope = "linear weights only" if recipe.is_linear_only else ""
    chosen = recipe.precision
    rounding = f"stochastic rounding (seed {chosen.seed})" if chosen.rounding == "stochastic" else ""
    return [part for part in (beyond, scope, chosen.dtype, rounding) if part]


def lost(recipe: Recipe, effective: Sequence[float | None]) -> str:
    """What rounding took from the asked alphas and what helps, or nothing where it took too little to matter or is not known."""
    names = recipe.partition.block_names()
    found = lost_alphas(recipe.alphas, effective) if effective else {}
    if not found:
        return ""
    parts = [f"{names[k]} {alpha(recipe.alphas[k])} became {share:.3f}" for k, share in found.items()]
    chosen = recipe.precision
    finer = {"float16": ["float32"], "float32": []}.get(chosen.dtype or "", ["float16", "float32"])
    cures = [f"--dtype {dtype}" for dtype in finer] + (["--rounding stochastic"] if chosen.rounding == "nearest" else [])
    dtype = chosen.dtype or "the checkpoints' own dtype"
    advice = f" Choose {' or '.join(cures)}." if cures else ""
    return f"Rounding moved the effective alphas: {', '.join(parts)}. Between the two ends {dtype} has too few numbers.{advice}"


_WHY = {
    "start": "to begin with",
    "front": "where the front promised to gain most",
    "spread": "spread further, since the points did not tell enough",
}


def advice(replies: Sequence[Reply], blocks: Sequence[str]) -> str:
    """Why a search chose its points so far, how well these predict one another, and which blocks do nothing; or nothing."""
    if not replies:
        return ""
    counts = {why: sum(reply.why == why for reply in replies) for why in _WHY}
    told = f"Points chosen: {', '.join(f'{counts[why]} {said}' for why, said in _WHY.items() if counts[why])}."
    latest = next((reply for reply in reversed(replies) if reply.errors), None)
    if latest is None:
        return told
    reward, ability = latest.errors
    told += (
        f" Left out one by one, points are predicted with an error of {reward:.2f} (reward) and {ability:.2f} (mean ability) "
        "of their spread; 1 would be no better than their mean."
    )
    if len(latest.inert) == len(blocks):
        return f"{told} No block shows an effect."
    return told + (f" No effect shows of: {', '.join(blocks[k] for k in latest.inert)}." if latest.inert else "")


def point_name(point: Point) -> str:
    """What a point is called; see ``recipe_name``."""
    return recipe_name(point.recipe)


def is_own(point: Point) -> bool:
    """Whether a person asked for this point alone, rather than for a sweep, a fit or a search."""
    return point.method in _OWN


def size(num_bytes: int) -> str:
    """Bytes in words, with three digits at most."""
    value, units = float(num_bytes), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{num_bytes:,} bytes" if units[0] == "bytes" else f"{value:.3g} {units[0]}"


def count(number: int, noun: str) -> str:
    """``1 point``, ``2 points``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """An estimated duration in words."""
    if value < 1:
        return "under 1 s"
    return f"about {value:.0f} s" if value < 90 else f"about {value / 60:.0f} min"
