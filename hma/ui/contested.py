"""Around a comparison: what it lacks and how to get it, its points one by one, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from hma import contest, text
from hma.board import Board
from hma.contest import Contest
from hma.core.alphas import mean_alpha
from hma.ui import access, reporting, verdict

READING = """
- **Across**: the alignment reward. **Up**: the mean ability kept. Up and right is better. Every marker is a merge that was truly
  measured; on a method's **front** are its points that no other of its points beats. Both ends count among every method's.
- **MA** is model averaging: one share of pre-RLHF weights for all blocks of layers. **HMA** has a share per block, by whatever
  method; where more than one measured some, each stands by itself too. A point counts for the method that measured it first;
  **own points** are those that somebody asked for one by one, with the sliders or by `python -m hma measure`.
- **Hypervolume** is the area between a front and the corner (the worse reward and the worse ability of the two ends), in per cent
  of the box that the ends span. Corner and box are the same for all methods.
- **Ability at matched reward**: the mean ability that a method keeps where it keeps 98, 95, 90 or 80 % of the reward that RLHF
  gained. It is read off straight lines between neighbours on the front; the merges between them were not measured.
- **Selection is not reporting.** The best of many points were lucky, too: on the items that chose them they look better than they
  are, the more so the more there were. So fronts are chosen on validation items, and their points are scored on test items. Only
  those numbers are fit to be reported. Whoever looks at them and chooses again has begun to choose on test items.
- **Differences** are paired: all points answered the same items, so that a difference can be shown where two intervals overlap.
  Intervals are 95 % over items, mirrored, since a front takes the best of its points by luck. Where the interval of a difference
  holds zero, **no difference is shown**: that is not the same as no difference. Each interval stands by itself: of many
  differences that are none, one in twenty is shown by chance.
- **Budgets**: a method with more points has more tries and a denser front. A share per block may be the same for all, so that
  whoever tries many hardly loses to MA on the items that chose. `python -m hma compare` measures equal budgets from the start.
"""


def show_empty(choosing: Board, reporting_on: Board) -> None:
    """What stands there while no method has a point on the items that choose."""
    study = choosing.study
    with st.container(border=True, vertical_alignment="center", horizontal_alignment="center", key="no_contenders"):
        what = "Only the two ends are measured" if choosing.points else "Nothing is measured yet"
        st.markdown(f"#### {what} on these {study.num_items} validation items", width="content")
        st.markdown(
            "Fronts are chosen on validation items, so a comparison needs points on them: an MA sweep first, then a method "
            "that gives each block a share of its own.",
            text_alignment="center",
        )
        if reporting_on.points:
            count = len(reporting_on.points)
            st.caption(
                f"On the {reporting_on.study.num_items} test items there are {count} points, but nothing may be chosen on them."
            )
        _other_sizes(study.size)
        st.page_link("pages/methods.py", label="Find alphas")


def show_alone(found: Contest, titles: Mapping[str, str]) -> None:
    """What to do where only one method has points."""
    name = verdict.listed(list(titles.values()))
    with st.container(border=True, key="alone", gap="xsmall"):
        st.markdown(
            f"**Only {name} has points on these {found.choosing.num_items} validation items**, so there is nothing to compare "
            "with. Start another method, and it stands beside this one."
        )
        _other_sizes(found.choosing.size)
        st.page_link("pages/methods.py", label="Find alphas")


def _other_sizes(size: str) -> None:
    """The sizes at which there are more points to choose from."""
    store, here = access.engine().store, access.study("validation", size)
    others = {name: store.revision(access.study("validation", name)) for name in access.sizes() if name != size}
    more = {name: count for name, count in others.items() if count > store.revision(here)}
    if more:
        listed = verdict.listed([f"{count} at {text.plain(name.capitalize())}" for name, count in more.items()])
        st.caption(f"The store has more points on validation items at another size: {listed}. Change the size in the bar above.")


def show_next(found: Contest, choosing: Board, reporting_on: Board) -> None:
    """What the comparison lacks, with the button that has it measured; nothing where it is whole."""
    if lacking := contest.ends_missing(choosing):
        names = " and the ".join("policy" if recipe.alphas[0] == 0 else "reference" for recipe in lacking)
        verb = "are" if len(lacking) > 1 else "is"
        why = f"**The {names} {verb} not measured on validation items**, and without both ends there is no corner."
        reporting.offer(choosing, lacking, why, f"Measure the {names}", reporting_on)
    elif found.missing:
        count = len(found.missing)
        label = f"Measure {'this point' if count == 1 else f'these {count} points'} on test items"
        reporting.offer(reporting_on, found.missing, _lacking(found), label, choosing)


_NAMED = 3


def _lacking(found: Contest) -> str:
    """Which of the chosen points are not measured on the items that report."""
    names = [text.recipe_name(recipe) for recipe in found.missing]
    count, size = len(names), found.reporting.num_items
    told = names if count <= _NAMED + 1 else [*names[:_NAMED], f"{count - _NAMED} more"]
    keys = {found.choosing.point_key(p.recipe) for points in found.chosen.values() for p in points}
    whole = len(keys | {found.choosing.point_key(recipe) for recipe in found.missing})
    return (
        f"**To be reported, what was chosen is scored on test items.** Of the {whole} points on these fronts, {count} "
        f"{'is' if count == 1 else 'are'} not measured on the {size} test items yet: {verdict.listed(told)}."
    )


def show_points(found: Contest, reporting_on: Board, titles: Mapping[str, str]) -> None:
    """The chosen points with their scores on both kinds of items, drawn only once it is opened."""
    opened = st.expander("The chosen points one by one", key="chosen_points", on_change="rerun")
    if not opened.open:
        return
    there = {p.key: p for p in reporting_on.points}
    rows = [(name, p, there.get(found.reporting.point_key(p.recipe))) for name, some in found.chosen.items() for p in some]
    keys = {name: {p.key for p in found.front(name)} for name in found.chosen}
    columns = {
        "method": [titles[name] for name, _, _ in rows],
        "point": [text.point_name(p) for _, p, _ in rows],
        "mean share": [mean_alpha(p.recipe.alphas) for _, p, _ in rows],
        "reward, validation": [p.reward.value for _, p, _ in rows],
        "ability, validation": [p.ability.value for _, p, _ in rows],
        "reward, test": [other and other.reward.value for _, _, other in rows],
        "ability, test": [other and other.ability.value for _, _, other in rows],
        "on test items": ["measured" if other else "not measured yet" for _, _, other in rows],
    }
    if found.is_reported:
        columns["still on its front"] = [other is not None and other.key in keys[name] for name, _, other in rows]
    formats = dict.fromkeys(("mean share", "reward, validation", "reward, test"), "%.2f")
    formats |= dict.fromkeys(("ability, validation", "ability, test"), "%.1f")
    with opened:
        st.dataframe(
            columns, hide_index=True, key="contest_points", height=360, placeholder="–",
            column_config={name: st.column_config.NumberColumn(format=form) for name, form in formats.items()},
        )  # fmt: skip
