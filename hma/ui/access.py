"""What the app's process holds once for every person: the engine with its store, and the opened studies."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from hma import asking, exports
from hma.board import Board
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.engine import Engine
from hma.errors import HmaError, SuiteError
from hma.evaluate.chat import Chat
from hma.evaluate.prompts import Prompt
from hma.evaluate.suite import find_suite, load_suite, suite_sizes
from hma.methods import fitting
from hma.process import COMMAND
from hma.roots import Roots
from hma.runs import Runs
from hma.study import DEFAULT_STORE, SHIPPED, open_store, open_study

WORKER, ADVISER = COMMAND, asking.COMMAND
"""How the engine's worker, and who answers its questions, are started."""

SUITES = DEFAULT_STORE.parent / "suites"
"""Where suites that were made on a page are kept."""
READ_ONLY = "Read-only: nothing can be measured here"

_warmed: set[tuple[int, str]] = set()


def engine() -> Engine:
    """The engine of this process for the store that ``HMA_STORE`` names."""
    return _engine(os.environ.get("HMA_STORE"))


def runs() -> Runs:
    """The runs of this process's engine, the same for every person."""
    return _runs(os.environ.get("HMA_STORE"))


def is_read_only() -> bool:
    """Whether this app only shows what is there: ``hma app --read-only`` sets ``HMA_READ_ONLY``."""
    return os.environ.get("HMA_READ_ONLY") == "1"


def to_work() -> Engine:
    """The engine, for whoever has it do or stop something. Raises HmaError where the app is read-only."""
    if is_read_only():
        raise HmaError(f"{READ_ONLY}. Start the app without --read-only to measure, fit, search or export.")
    return engine()


def to_run() -> Runs:
    """The runs, likewise."""
    to_work()
    return runs()


def exports_root() -> Path:
    """The only folder that pages may make folders in."""
    return exports.root(DEFAULT_STORE.parent / "exports")


def needed_bytes(of: Study, recipe: Recipe, tokenizer: str) -> int:
    """What an export of a recipe takes on the disk; see ``exports.needed_bytes``. It hangs on the numbers written alone."""
    return _needed_bytes(of.pair, tokenizer, recipe.precision.dtype, of, recipe)


def checks() -> exports.Checks:
    """The checks of exported folders, the same for every person."""
    return _checks()


def board(of: Study) -> Board:
    """A study's board, read again only when it has gained a point."""
    store = engine().store
    made_of = (str(store.path), of.view, store.revision(of))
    if st.session_state.get("board_of") != made_of:
        st.session_state["board"], st.session_state["board_of"] = _board(made_of, repr(of), of), made_of
    return st.session_state["board"]


def read_ahead() -> None:
    """Read what a person sees first, before anybody asks: the board of the first size's validation items, and how sure it is."""
    first_board().sureness  # noqa: B018


def first_board() -> Board:
    """The board that a person sees first: of the first size's validation items."""
    first, store = study_of(named()), engine().store
    return _board((str(store.path), first.view, store.revision(first)), repr(first), first)


@dataclass(frozen=True)
class Sources:
    """Where reference, policy and suite are: folders and files, or hub ids."""

    reference: str
    policy: str
    suite: str

    @classmethod
    def of(cls, study: Study) -> Sources:
        return cls(study.reference, study.policy, study.suite_path)


def named() -> Sources:
    """What the command line named, else the shipped ones."""
    shipped = ("HMA_REFERENCE", "reference"), ("HMA_POLICY", "policy"), ("HMA_SUITE", "suite.json")
    return Sources(*(os.environ.get(name) or str(SHIPPED / default) for name, default in shipped))


def sources() -> Sources:
    """What this person chose, else ``named``."""
    return st.session_state.get("sources") or named()


def choose(chosen: Sources) -> None:
    """Turn this person to another pair and suite, at its first size; they must be checked by ``roots`` before."""
    st.session_state["sources"] = chosen
    for name in ("split", "size"):
        st.session_state.pop(name, None)


def roots() -> Roots:
    """What a page may open: what the command line named, the shipped data, and the suites that pages wrote."""
    given = [folder for folder in os.environ.get("HMA_ROOTS", "").split(os.pathsep) if folder]
    folders = (named().reference, named().policy, str(Path(named().suite).parent))
    return Roots.of([SHIPPED.parent, SUITES, *(folder for folder in folders if Path(folder).is_dir()), *given])


def checked(chosen: Sources) -> Sources:
    """The same with whole paths. Raises CheckpointError or SuiteError for what lies outside the roots."""
    allowed = roots()
    ends = (allowed.checkpoint(end) for end in (chosen.reference, chosen.policy))
    return Sources(*ends, allowed.suite(str(find_suite(chosen.suite))))


def allowed() -> tuple[str, ...]:
    """What of the checkpoints may be used beside safetensors: the command line's to say, never the page's."""
    return tuple(os.environ.get("HMA_ALLOW", "").split())


def program() -> str:
    """The reward program in the place of the suite's first reward: likewise."""
    return os.environ.get("HMA_REWARD", "")


def study(split: str, size: str) -> Study:
    """The study of the pair and suite at a split and size. Raises CheckpointError or SuiteError."""
    chosen = sources()
    return _study(chosen.reference, chosen.policy, chosen.suite, split, size)


def reporting(size: str) -> Study | None:
    """The study of test items at a size; None where the suite has none, or not as many. Raises CheckpointError."""
    chosen = sources()
    return _reporting(chosen.reference, chosen.policy, chosen.suite, size)


def study_of(chosen: Sources) -> Study:
    """The study of another pair and suite: its validation items, at its first size."""
    return _study(chosen.reference, chosen.policy, chosen.suite, "validation", next(iter(sizes_of(chosen))))


def sizes_of(chosen: Sources) -> dict[str, int]:
    """The sizes that another suite offers, with their numbers of items."""
    return _sizes(chosen.suite)


def sizes() -> dict[str, int]:
    """The sizes that the suite offers, with their numbers of items."""
    return _sizes(sources().suite)


def prompts(of: Study) -> tuple[Prompt, ...]:
    """The chat prompts of a study."""
    return chat(of).prompts


def chat(of: Study) -> Chat:
    """The chat part of a study's suite: its prompts, and how they are answered."""
    return _chat(of.suite_path, of.split, of.size, of.program, of.suite)


def can_survey(of: Study) -> bool:
    """Whether a search of a study may have a survey first."""
    return _can_survey(of, of.suite)


def warm(of: Study) -> None:
    """Start the worker for a study's pair in the background, the first time that this is asked; not while it has other work, and
    not where all is read-only."""
    if is_read_only():
        return
    running = engine()
    asked = id(running), of.pair
    if asked not in _warmed and not runs().is_busy:
        _warmed.add(asked)
        running.warm(of)


def is_warmed(of: Study) -> bool:
    return (id(engine()), of.pair) in _warmed


def forget_studies() -> None:
    """Read pair and suite from disk again at the next use."""
    for cached in (_study, _reporting, _sizes, _chat, _can_survey):
        cached.clear()


@st.cache_resource(show_spinner=False)
def _engine(store: str | None) -> Engine:
    if not is_read_only():
        return Engine(open_store(store), WORKER, ADVISER)
    shipped = SHIPPED / "points.sqlite"
    return Engine(open_store(store or (DEFAULT_STORE if DEFAULT_STORE.exists() else shipped), to_read=True), WORKER, ADVISER)


@st.cache_resource(show_spinner=False)
def _runs(store: str | None) -> Runs:
    return Runs(_engine(store))


# One board for every person, who else would each wait for what was read already; of a few studies, for points take memory.
@st.cache_resource(show_spinner=False, max_entries=4)
def _board(made_of: tuple[str, str, int], study: str, _of: Study) -> Board:
    return Board.read(engine().store, _of)


@st.cache_resource(show_spinner=False)
def _study(reference: str, policy: str, suite: str, split: str, size: str) -> Study:
    # A suite may run programs: only the one that the command line named, whatever a page may come to ask for.
    return open_study(reference, policy, suite, split, size, allowed(), program(), may_run=suite == named().suite)


@st.cache_resource(show_spinner=False)
def _reporting(reference: str, policy: str, suite: str, size: str) -> Study | None:
    try:
        return _study(reference, policy, suite, "test", size)
    except SuiteError:
        return None


@st.cache_resource(show_spinner=False)
def _sizes(suite: str) -> dict[str, int]:
    return suite_sizes(suite)


@st.cache_resource(show_spinner=False, max_entries=16)
def _chat(suite_path: str, split: str, size: str, program: str, fingerprint: str) -> Chat:
    return load_suite(suite_path, split, size, program).chat


@st.cache_resource(show_spinner=False, max_entries=16)
def _can_survey(_of: Study, fingerprint: str) -> bool:
    return fitting.can_survey(_of)


@st.cache_resource(show_spinner=False, max_entries=16)
def _needed_bytes(pair: str, tokenizer: str, dtype: str | None, _of: Study, _recipe: Recipe) -> int:
    return exports.needed_bytes(_of, _recipe, tokenizer)


@st.cache_resource(show_spinner=False)
def _checks() -> exports.Checks:
    return exports.Checks()


def other_points(of: Study) -> int:
    """How many points of other studies the store holds: they never stand on this study's chart."""
    store = engine().store
    return sum(store.revision(replace(s, num_items=1)) for s in store.studies() if s.key != of.key)
