"""What can be started on the page: each method in words, its few settings, and the plan that these make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from hma import text
from hma.comparing import OFFSET, RANDOM, SEARCH, SPACED, SURVEYED, Budget
from hma.contenders import BEYOND, HMA, MA, OWN
from hma.core import alphas as alphas_of
from hma.core.fit import ADAMERGING, OMEGA, PAPER, PROXY, TWO_SIDED, TWO_SIDED_FREE, Fit
from hma.core.partition import OWN as OWN_PARTS
from hma.core.partition import Partition
from hma.core.study import Study
from hma.errors import AlphasError
from hma.methods import sweeps
from hma.runs import AGAIN, Plan
from hma.ui import access


@dataclass(frozen=True)
class Method:
    """A way to choose alphas: its title, what it does, what to know of it, and a function that draws its settings."""

    title: str
    what: str
    caution: str
    form: Callable[[Study], Plan]


_COMPARED = {
    MA: "MA",
    HMA: "HMA by any method",
    OWN: "Own points",
    BEYOND: "Extrapolation",
    sweeps.GRID: "Grid",
    RANDOM: "Random alphas",
    OFFSET: "MA with differences",
    SURVEYED: "Search after a survey with task prompts",
}
"""Titles of methods that are compared and not started on the page, or there under another's name."""

_KEPT = {"persist_state": "session"}
"""What is set in a form stays set: a person who turns to another page, or to another method, finds it when they come back."""

COMPARE = "compare"
"""What the store says of points that a comparison has measured: those that others chose, and the ends."""


def title(plan: Plan) -> str:
    """What a plan's run is called."""
    others = {COMPARE: "Points of a comparison", AGAIN: "Measure again with more items"}
    return others.get(plan.method) or method_title(plan.method)


def method_title(name: str) -> str:
    """What a method is called that the store names so; of an unknown one, the name as it stands, which a file made up."""
    known = {**{key: method.title for key, method in METHODS.items()}, **_COMPARED}
    base, _, detail = name.removesuffix(SPACED).partition(":")
    rest = f", {detail}" if detail else ""
    return text.printable(known.get(base, base) + rest) + (", spaced" if name.endswith(SPACED) else "")


def details(plan: Plan) -> str:
    """The settings of a plan in a few words."""
    if plan.budget:
        rest = f", seed {plan.budget.seed}" if plan.is_search else " along its path"
        return f"{plan.budget.points} points, {_blocks(plan.budget.partition)}{rest}"
    if not plan.fits:
        has_blocks = plan.method not in (sweeps.SWEEP, COMPARE, AGAIN)
        return text.count(plan.num_points, "point") + (f", {_blocks(plan.recipes[0].partition)}" if has_blocks else "")
    name = "balance" if plan.fits[0].is_two_sided else "mean share"
    values = ", ".join(f"{fit.balance if fit.is_two_sided else fit.mean:g}" for fit in plan.fits)
    group = f"{text.plain(plan.fits[0].group)}, " if plan.fits[0].group else ""
    first = plan.fits[0]
    code = [" with prompts scored"] if first.whole else []
    code += [" in the paper's form"] if first.form == PAPER else []
    code += [f" regularised by {first.l1:g}"] if first.l1 else []
    return f"{group}{name} {values}, {_blocks(first.partition)}{','.join(code)}"


def _blocks(partition: Partition) -> str:
    return "1 block" if partition.num_blocks == 1 else f"{partition.num_blocks} blocks"


def _partition(study: Study, blocks: int = 3, own: bool = False) -> Partition:
    """The blocks that a person chose; at first so many, with embeddings, norm and head by themselves or not."""
    finest = "" if blocks <= 3 else "_finest"
    count = st.number_input(
        "Blocks of layers", 1, study.num_layers, min(blocks, study.num_layers), key=f"plan_blocks{finest}", **_KEPT,
        help="Every block has a share of its own. A finer partition can say more.",
    )  # fmt: skip
    own = st.toggle("Embeddings, final norm and head by themselves", own, key=f"plan_own{finest}", **_KEPT)
    return replace(study.partition(int(count)), own=OWN_PARTS if own else ())


def _shares() -> list[float]:
    """Evenly spaced shares, from the policy to the reference or beyond. Raises AlphasError where they do not rise."""
    steps = st.number_input(
        "Steps", 2, 101, 11, key="plan_steps", **_KEPT, help="Evenly spaced shares, both of these among them."
    )
    about = "0 is the policy, 1 the reference. Beyond them lies extrapolation, which the chart marks as such."
    one, other = st.columns(2)
    low = one.number_input("From", *alphas_of.FARTHEST, 0.0, step=0.1, key="plan_from", **_KEPT, help=about)
    high = other.number_input("To", *alphas_of.FARTHEST, 1.0, step=0.1, key="plan_to", **_KEPT, help=about)
    if low >= high:
        raise AlphasError(f"From is {low:g} and To is {high:g}. Give a smaller share to start from.")
    return alphas_of.ladder(int(steps), low, high)


def _sweep(study: Study) -> Plan:
    recipes = sweeps.ladder(study.partition(), _shares())
    return Plan(sweeps.SWEEP, tuple(recipes))


def _partwise(study: Study) -> Plan:
    partition = _partition(study)
    names = ("each block in turn", *partition.block_names())
    part = st.selectbox(
        "Block that moves", range(len(names)), format_func=lambda k: names[k].capitalize(), key=f"plan_part_{len(names)}", **_KEPT
    )
    base = st.slider(
        "Share of the blocks that stay",
        0.0,
        1.0,
        0.0,
        step=0.05,
        key="plan_base",
        **_KEPT,
        help="0 leaves them the policy's.",
    )
    recipes = sweeps.partwise(partition, _shares(), (base,), part or None)
    return Plan(sweeps.PARTWISE, tuple(recipes))


def _numbers(label: str, default: str, key: str, about: str) -> tuple[float, ...]:
    """Numbers from 0 to 1, of each of which a run makes a point. Raises AlphasError for what is none."""
    given = st.text_input(label, default, key=key, **_KEPT, help=about)
    for part in given.split(","):
        try:
            is_share = 0 <= float(part) <= 1
        except ValueError:
            is_share = False
        if not is_share:
            raise AlphasError(
                f"{label}: '{part.strip()}' is no number from 0 to 1. Write one for each point that you want, with commas "
                f"between, such as {default}."
            )
    return alphas_of.parsed(given)


def _means() -> tuple[float, ...]:
    about = "The mean share of pre-RLHF weights, which the fit of the blocks' shares keeps. Each is a fit and a point."
    return _numbers("Mean shares", "0.2, 0.4, 0.6", "plan_means", about)


def _as_in_the_code(keeps_mean: bool = True) -> dict[str, Any]:
    """What a fit may have of the original code: settings of ``Fit``, to compare with."""
    with st.expander("As the original code has it", key="plan_code"):
        found: dict[str, Any] = {"whole": st.toggle("Score prompts too, not the answers alone", key="plan_whole", **_KEPT)}
        if keeps_mean:
            is_paper = st.toggle(
                "Its own parametrisation (Eq. 11)",
                key="plan_form",
                **_KEPT,
                help="Its epsilon keeps shares away from 0 and 1.",
            )
            found["form"] = PAPER if is_paper else OMEGA
            about = "The code has 0.0001. It pulls every share to the mean, those of middle layers most."
            found["l1"] = st.number_input(
                "Weight of its regulariser", 0.0, 1.0, 0.0, step=1e-4, format="%.4f", key="plan_l1", **_KEPT, help=about
            )
    return found


def _proxy(study: Study) -> Plan:
    partition, means = _partition(study), _means()
    settings = _as_in_the_code()
    return Plan(PROXY, fits=tuple(Fit(partition, PROXY, mean, **settings) for mean in means))


def _adamerging(study: Study) -> Plan:
    partition = _partition(study)
    group = st.selectbox(
        "Ability group with the labels", list(study.groups), format_func=str.capitalize, key="plan_group", **_KEPT
    )
    means, settings = _means(), _as_in_the_code()
    return Plan(ADAMERGING, fits=tuple(Fit(partition, ADAMERGING, mean, group=group, **settings) for mean in means))


_PATH, _SINGLE = "Along its whole path", "At balances of my own"


def _two_sided(objective: str) -> Callable[[Study], Plan]:
    def form(study: Study) -> Plan:
        partition = _partition(study, study.num_layers, own=True)
        where = st.segmented_control("Points", (_PATH, _SINGLE), default=_PATH, required=True, key="plan_where", **_KEPT)
        if where == _PATH:
            return Plan(objective + SPACED, budget=Budget(_path_points(), partition))
        about = "How much the policy's side weighs: towards 1 the merge moves to the policy, towards 0 to the reference."
        balances = _numbers("Balances", "0.2, 0.5, 0.8", "plan_balances", about)
        settings = _as_in_the_code(keeps_mean=False)
        return Plan(objective, fits=tuple(Fit(partition, objective, balance=balance, **settings) for balance in balances))

    return form


def _path_points() -> int:
    about = "Both ends are among them; each of the others goes to the widest gap of the front so far."
    return int(st.number_input("Number of points", 3, 500, 11, key="plan_path_points", **_KEPT, help=about))


def _search(study: Study) -> Plan:
    partition = _partition(study)
    points = st.number_input(
        "Points", 3, 500, 25, key="plan_points", **_KEPT,
        help="Both ends are among them, unless these are measured. It learns from all that is measured of this study already.",
    )  # fmt: skip
    seed = st.number_input("Seed", 0, 10**6, 0, key="plan_seed", **_KEPT, help="The same seed makes the same search.")
    can = access.can_survey(study)
    survey = st.toggle(
        "Survey first: how likely merges find both models' own answers", can, key="plan_survey" if can else "plan_no_survey",
        disabled=not can, **_KEPT,
        help="It tells where to begin, and what to expect of merges that nobody measured."
        if can else "The suite has no training prompts that its first reward could judge answers to, which a survey would read.",
    )  # fmt: skip
    return Plan.search(Budget(int(points), partition, int(seed), survey=survey))


METHODS = {
    sweeps.SWEEP: Method("MA sweep", "One share of pre-RLHF weights for all blocks, step by step.", "", _sweep),
    sweeps.PARTWISE: Method("Partwise", "One block moves while the others stay: what each block holds.", "", _partwise),
    PROXY: Method(
        "HMA by proxy distillation",
        "Shares per block that make the policy's own answers likely, at a fixed mean share.",
        "This is the paper's HMA: it fits on training prompts, without labels and without task prompts.",
        _proxy,
    ),
    TWO_SIDED: Method(
        "Two-sided with task prompts",
        "Makes answers of both models likely; a balance says whose count for more.",
        "It uses task prompts, which the paper's HMA does not. No labels.",
        _two_sided(TWO_SIDED),
    ),
    TWO_SIDED_FREE: Method(
        "Two-sided without task prompts",
        "The same with what the reference writes from nothing.",
        "No task prompts and no labels.",
        _two_sided(TWO_SIDED_FREE),
    ),
    ADAMERGING: Method(
        "AdaMerging",
        "Shares that make right answers likely, at a fixed mean share.",
        "It uses labelled validation items, so its points are flattered on these: compare them on test items.",
        _adamerging,
    ),
    SEARCH: Method(
        "Search",
        "Measures where a point promises to add most to the front.",
        "What is chosen on validation items must be reported on test items: the best of many were lucky, too.",
        _search,
    ),
}
"""By the name that the store gives their points."""
