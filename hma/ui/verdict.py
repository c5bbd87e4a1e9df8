"""What came of a contest, in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from hma import text
from hma.contest import Contest
from hma.core.compare import Against, Estimate

Titles = Mapping[str, str]

_MOST_DIGITS = 2
"""To which an interval's end that is near zero is told; it is 0 where that does not tell it from zero."""


def badge(found: Contest) -> str:
    """Whether the numbers may be reported, as Streamlit's Markdown."""
    if found.is_reported:
        return f":green-badge[Chosen on validation, reported on {found.study.num_items} test items]"
    return ":orange-badge[Chosen and scored on the same items: flattered]"


@dataclass(frozen=True)
class Verdict:
    """What is shown of one contender against the first: the claim, the numbers of it, and what holds at equal reward."""

    claim: str
    by: str
    at_equal_reward: tuple[str, ...]


def verdicts(found: Contest, titles: Titles) -> list[Verdict]:
    """One for each contender but the first; none until both ends are measured."""
    if found.comparison is None:
        return []
    first, against = titles[next(iter(found.drawn))], found.comparison.against
    return [
        Verdict(*_headline(found, titles[name], first, less), tuple(_at_equal_reward(titles[name], first, less)))
        for name, less in against.items()
    ]


def _headline(found: Contest, name: str, first: str, less: Against) -> tuple[str, str]:
    area = less.hypervolume
    value = f"{_signed(area)} % of the box between the two ends (95 %: {_interval(area)})"
    by = f"Hypervolume of {name} less that of {first}: {value}."
    if not area.is_shown:
        overall = " overall" if any(e.is_shown for e in less.abilities.values()) else ""
        return f"No difference between {name} and {first} is shown{overall}", by
    better = "better" if area.value > 0 else "worse"
    opposed = any(e.is_shown and e.value * area.value < 0 for e in less.abilities.values())
    rest = ", but not at every reward" if opposed else ""
    if found.is_reported:
        return f"{name} offers {better} trade-offs than {first}{' overall' if opposed else ''}{rest}", by
    return f"On the items that chose its points, {name} looks {better} than {first}{rest}", by


def words(found: Contest, titles: Titles) -> list[str]:
    """All that is said of a contest."""
    told = [said for one in verdicts(found, titles) for said in (f"{one.claim}. {one.by}", *one.at_equal_reward)]
    return [*told, budgets(found, titles)]


def _at_equal_reward(name: str, first: str, less: Against) -> list[str]:
    """The shares of the gain at which more ability is kept, or less, with the numbers; and those where nothing is shown."""
    said = []
    for better, sign in (("more", 1), ("less", -1)):
        shares = [share for share, e in less.abilities.items() if e.is_shown and sign * e.value > 0]
        if shares:
            said.append(f"{_at(shares)}, {name} keeps {better} mean ability than {first}: {_points(less, shares)}.")
    if rest := [share for share, e in less.abilities.items() if not e.is_shown]:
        said.append(f"{_at(rest)}, no difference in mean ability between {name} and {first} is shown.")
    return said


def _at(shares: Sequence[float]) -> str:
    return f"At {listed([f'{100 * share:.0f}' for share in shares])} % of the policy's gain in reward"


def _points(less: Against, shares: Sequence[float]) -> str:
    found = [less.abilities[share] for share in shares]
    return f"{listed([f'{_signed(e)} ({_interval(e)})' for e in found])} points"


def listed(words: Sequence[str]) -> str:
    """Words with commas, and the last after an "and"."""
    *rest, last = words
    return f"{', '.join(rest)} and {last}" if rest else last


def budgets(found: Contest, titles: Titles) -> str:
    """How many points each contender measured on the items that choose, and whom the numbers favour."""
    counts = {name: len(points) for name, points in found.measured.items()}
    items, ends = f"the {found.choosing.num_items} validation items that choose", "both ends among them"
    if len(counts) == 1:
        return f"{_titles(counts, titles)} has {next(iter(counts.values()))} points on {items}, {ends}."
    if len(set(counts.values())) == 1:
        return f"Equal budgets: {next(iter(counts.values()))} points each on {items}, {ends}."
    most = [name for name in counts if counts[name] == max(counts.values())]
    each = listed([f"{count} for {titles[name]}" for name, count in counts.items()])
    return (
        f"The budgets differ: on {items}, the points measured, {ends}, are {each}. More points make more tries and a "
        f"denser front: this favours {_titles(most, titles)}."
    )


def _titles(names: Sequence[str] | Mapping[str, int], titles: Titles) -> str:
    return listed([titles[name] for name in names])


def table(found: Contest, titles: Titles) -> str:
    """A row a quantity, a column a contender and a column for each difference to the first, as HTML; titles are escaped."""
    names = list(found.drawn)
    others = names[1:]
    heads = [*(titles[name] for name in names), *(f"{titles[name]} less {titles[names[0]]}" for name in others)]
    head = "".join(f"<th>{escape(title)}</th>" for title in ("", *heads))
    blank = "<td></td>" * len(others)
    rows = [
        _row("Points measured", "both ends among them", [f"<td>{len(found.measured[name])}</td>" for name in names], blank),
        _row("On its front", "of these", [f"<td>{len(found.front(name))}</td>" for name in names], blank),
    ]
    body = "".join(rows + _compared(found))
    return f'<div class="hma-scores hma-contest"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _compared(found: Contest) -> list[str]:
    comparison, (reference, policy) = found.comparison, found.ends
    if comparison is None or reference is None or policy is None:
        return []
    areas = [_cell(e) for e in comparison.hypervolumes.values()]
    less = "".join(_less(a.hypervolume) for a in comparison.against.values())
    rows = [_row("Hypervolume", "% of the box", areas, less, is_sum=True)]
    start, gain = reference.reward.value, policy.reward.value - reference.reward.value
    for share in next(iter(comparison.abilities.values())):
        cells = [_cell(abilities[share]) for abilities in comparison.abilities.values()]
        less = "".join(_less(a.abilities[share]) for a in comparison.against.values())
        reward = f"reward {text.fixed(start + share * gain, 2)}"
        rows.append(_row(f"Ability at {100 * share:.0f} % of the gain", reward, cells, less))
    return rows


def _row(title: str, note: str, cells: Sequence[str], less: str, is_sum: bool = False) -> str:
    style = ' class="hma-sum"' if is_sum else ""
    return f"<tr{style}><th>{title}<br><small>{note}</small></th>{''.join(cells)}{less}</tr>"


def _cell(estimate: Estimate) -> str:
    return f"<td>{_rounded(estimate)}<br><small>{_interval(estimate)}</small></td>"


def _less(estimate: Estimate) -> str:
    """A difference, faint where none is shown."""
    shown = f"{_signed(estimate)}<br><small>{_interval(estimate)}</small>"
    return f"<td>{shown}</td>" if estimate.is_shown else f'<td><span class="hma-faint">{shown}</span></td>'


def _half(estimate: Estimate) -> float:
    return (estimate.high - estimate.low) / 2


def _rounded(estimate: Estimate) -> str:
    return text.fixed(estimate.value, text.decimals(_half(estimate)))


def _signed(estimate: Estimate) -> str:
    return text.signed(estimate.value, _half(estimate))


def _interval(estimate: Estimate) -> str:
    """Low to high, with as many digits as it takes to see on which side of zero they lie."""
    low, high, digits = estimate.low, estimate.high, text.decimals(_half(estimate))
    while digits < _MOST_DIGITS and any(end and not float(f"{end:.{digits}f}") for end in (low, high)):
        digits += 1
    return f"{text.fixed(low, digits)} to {text.fixed(high, digits)}"
