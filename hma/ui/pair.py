"""The page Pair and suite: which checkpoints, whether they can be merged, what to measure, and what RLHF changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from hma import text
from hma.checkpoints.preflight import Preflight, preflight
from hma.core.study import Study
from hma.errors import HmaError
from hma.ui import access, changes, controls, durations, progress, suiteform
from hma.ui.access import Sources
from hma.ui.guard import shown

_MARKS = {
    "fatal": ":red-badge[mend]",
    "warning": ":orange-badge[look]",
    "note": ":gray-badge[note]",
    "passed": ":green-badge[passed]",
}

_CHECKS = {
    "tensors, shapes and dtypes match": {"tensors", "shapes", "dtypes", "embeddings", "tied embeddings"},
    "configs agree": {"config", "architecture"},
    "tokenizers and chat templates agree": {"tokenizer", "chat template"},
}
"""What passed where no finding has one of these subjects and nothing is fatal."""

_ABOUT = (
    "Type a folder, or a hub id such as organisation/model@revision. Folders of the list lie where this page may look; others "
    "are let in with --root FOLDER when the app is started. The policy may be a LoRA adapter of the reference. Code that comes "
    "with a checkpoint is never run, and pickled weights are read only where the command line allows it."
)


def show(study: Study) -> None:
    """The whole page; ``study`` is the one that is open."""
    progress.collect()
    left, right = st.columns([1, 1], gap="large")
    with left, shown():
        st.markdown("**Another pair or suite**")
        chosen = _chosen()
        found = _checked(chosen) if chosen else None
        if chosen and found and not found.is_fatal:
            _open(chosen)
    with right, shown():
        st.markdown("**The study that is open**")
        _now(study)
        changes.show(study)
        progress.show(study)
    with st.expander("Make a suite: other sizes, fewer scores, tasks of lm-eval, a reward model"), shown():
        suiteform.show()


def _chosen() -> Sources | None:
    """What the three lists say; None while one is empty, or names what may not be opened."""
    roots, now = access.roots(), access.sources()
    known = _known()
    if len(known) > 1:
        again = st.selectbox(
            "Measured before", range(len(known)), None, format_func=lambda i: _name(known[i]), key="pair_known",
            placeholder="Take one that has points in this store",
        )  # fmt: skip
        if again is not None and st.session_state.get("pair_taken") != again:
            st.session_state["pair_taken"] = again
            _prefill(known[again])
    now = st.session_state.get("pair_prefill", now)
    count = st.session_state.get("pair_prefilled", 0)
    checkpoints, suites = roots.checkpoints(), roots.suites()
    given = [
        _pick("Reference, before RLHF", now.reference, checkpoints, f"pair_reference_{count}"),
        _pick("Policy, after RLHF", now.policy, checkpoints, f"pair_policy_{count}"),
        _pick("Suite, what is measured", now.suite, suites, f"pair_suite_{count}"),
    ]
    st.caption(_ABOUT)
    if not all(given):
        return None
    try:
        return access.checked(Sources(*given))
    except HmaError as error:
        st.error(text.plain(str(error)))
        return None


def _pick(label: str, value: str, options: Sequence[str], key: str) -> str:
    """A list into which another text may be written."""
    options = list(dict.fromkeys([value, *options]))
    return st.selectbox(label, options, format_func=short, accept_new_options=True, key=key) or ""


def short(place: str) -> str:
    """A place as the list shows it: the end of a long path says most."""
    return place if len(place) <= 72 else "…" + place[-71:]


def _known() -> list[Sources]:
    """The pairs and suites with points in the store, the newest first."""
    return list(dict.fromkeys(Sources.of(study) for study in access.engine().store.studies()))


def _name(chosen: Sources) -> str:
    return f"{short(chosen.reference)} → {Path(chosen.policy).name} · {short(chosen.suite)}"


def _prefill(chosen: Sources) -> None:
    """Set the three lists; what a program sets gets a new key (see ``state``)."""
    st.session_state["pair_prefill"] = chosen
    st.session_state["pair_prefilled"] = st.session_state.get("pair_prefilled", 0) + 1


def _checked(chosen: Sources) -> Preflight:
    """What can be known of the pair before its weights are read, drawn as a list; looked at again when asked."""
    kept = st.session_state.get("pair_found")
    if kept is None or kept[0] != chosen:
        kept = st.session_state["pair_found"] = (chosen, preflight(chosen.reference, chosen.policy, access.allowed()))
    found = kept[1]
    with st.container(border=True, key="preflight", gap="xsmall"):
        st.markdown(f"**{_verdict(found)}**")
        for finding in found.findings:
            _line(finding.level, f"**{text.plain(finding.subject)}** {text.plain(finding.message)}")
        for check in passed(found):
            _line("passed", check)
        st.button("Look again", key="pair_again", on_click=st.session_state.pop, args=("pair_found", None), type="tertiary")
    return found


def passed(found: Preflight) -> list[str]:
    """The checks that found nothing to look at; none while something fatal may have kept them from looking."""
    subjects = {finding.subject for finding in found.findings if finding.level != "note"}
    return [] if found.is_fatal else [check for check, about in _CHECKS.items() if not about & subjects]


def _verdict(found: Preflight) -> str:
    counts = {level: sum(f.level == level for f in found.findings) for level in ("fatal", "warning")}
    if found.is_fatal:
        return f"This pair cannot be merged: {counts['fatal']} to mend"
    rest = "" if not counts["warning"] else f"; {counts['warning']} to look at first"
    return f"This pair can be merged, as far as can be seen without its weights{rest}"


def _line(mark: str, said: str) -> None:
    st.markdown(f"{_MARKS[mark]} {said}")


def _open(chosen: Sources) -> None:
    """What the study would be, and the button that opens it and has its two ends measured."""
    study = access.study_of(chosen)
    sizes = ", ".join(f"{text.plain(name)} {count}" for name, count in access.sizes_of(chosen).items())
    scores = [study.reward.title, *(axis.title for axis in study.abilities)]
    st.caption(
        f"{study.num_layers} layers. Scores: {', '.join(map(text.plain, scores))}. Items of each: {sizes}. How large a "
        "difference these show is said on Explore once both ends are measured, from the items' own scatter."
    )
    is_open = access.sources() == chosen
    if not is_open:
        st.caption(_duration(study))
    label = "Open it" if access.is_read_only() else "Open it and measure its two ends"
    st.button(label, type="primary", key="pair_open", on_click=_begin, args=(chosen,), disabled=is_open)
    if is_open:
        st.caption("It is open.")
        st.page_link("pages/explore.py", label="Go to its chart")


def _duration(study: Study) -> str:
    """What measuring the ends will take, and by what this is known; where nothing is known, that it is not."""
    store = access.engine().store
    made_of = (study.view, store.revision(study))
    if st.session_state.get("pair_duration_of") != made_of:
        st.session_state["pair_duration"] = durations.words(store, study)
        st.session_state["pair_duration_of"] = made_of
    return st.session_state["pair_duration"]


def _begin(chosen: Sources) -> None:
    """Open a study, ask for its ends and for what RLHF changed."""
    with shown():
        access.choose(chosen)
        study = access.study_of(chosen)
        board = access.board(study)
        if not access.is_read_only() and (missing := controls.ends_missing(board)):
            controls.submit(board, *missing)


def _now(study: Study) -> None:
    """The open study's three places, in full."""
    for title, place in (("Reference", study.reference), ("Policy", study.policy), ("Suite", study.suite_path)):
        st.caption(f"{title}: {text.plain(place)}")
    count = access.engine().store.revision(study)
    st.caption(f"{count} {'point' if count == 1 else 'points'} on the {text.plain(text.items(study))}.")
