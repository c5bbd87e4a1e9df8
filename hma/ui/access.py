"""What the app's process holds once for every person: the engine with its store, and the opened studies."""

from __future__ import annotations

import os
from dataclasses import replace

import streamlit as st

from hma.core.study import Study
from hma.engine import Engine
from hma.evaluate.prompts import Prompt
from hma.evaluate.suite import load_suite, suite_sizes
from hma.process import COMMAND
from hma.study import SHIPPED, open_store, open_study

WORKER = COMMAND
"""How the engine's worker is started."""

_warmed: set[tuple[int, str]] = set()


def engine() -> Engine:
    """The engine of this process for the store that ``HMA_STORE`` names."""
    return _engine(os.environ.get("HMA_STORE"))


def sources() -> tuple[str, str, str]:
    """Where reference, policy and suite are: from the environment, else the shipped ones."""
    shipped = ("HMA_REFERENCE", "reference"), ("HMA_POLICY", "policy"), ("HMA_SUITE", "suite.json")
    reference, policy, suite = (os.environ.get(name) or str(SHIPPED / default) for name, default in shipped)
    return reference, policy, suite


def allowed() -> tuple[str, ...]:
    """What of the checkpoints may be used beside safetensors: the command line's to say, never the page's."""
    return tuple(os.environ.get("HMA_ALLOW", "").split())


def program() -> str:
    """The reward program in the place of the suite's first reward: likewise."""
    return os.environ.get("HMA_REWARD", "")


def study(split: str, size: str) -> Study:
    """The study of the pair and suite at a split and size. Raises CheckpointError or SuiteError."""
    return _study(*sources(), split, size)


def sizes() -> dict[str, int]:
    """The sizes that the suite offers, with their numbers of items."""
    return _sizes(sources()[2])


def prompts(of: Study) -> tuple[Prompt, ...]:
    """The chat prompts of a study."""
    return _prompts(of.suite_path, of.split, of.size, of.program, of.suite)


def warm(of: Study) -> None:
    """Start the worker for a study's pair in the background, the first time that this is asked."""
    running = engine()
    asked = id(running), of.pair
    if asked not in _warmed:
        _warmed.add(asked)
        running.warm(of)


def is_warmed(of: Study) -> bool:
    return (id(engine()), of.pair) in _warmed


def forget_studies() -> None:
    """Read pair and suite from disk again at the next use."""
    for cached in (_study, _sizes, _prompts):
        cached.clear()


@st.cache_resource(show_spinner=False)
def _engine(store: str | None) -> Engine:
    return Engine(open_store(store), WORKER)


@st.cache_resource(show_spinner=False)
def _study(reference: str, policy: str, suite: str, split: str, size: str) -> Study:
    # A suite may run programs: only the one that the command line named, whatever a page may come to ask for.
    return open_study(reference, policy, suite, split, size, allowed(), program(), may_run=suite == sources()[2])


@st.cache_resource(show_spinner=False)
def _sizes(suite: str) -> dict[str, int]:
    return suite_sizes(suite)


@st.cache_resource(show_spinner=False, max_entries=16)
def _prompts(suite_path: str, split: str, size: str, program: str, fingerprint: str) -> tuple[Prompt, ...]:
    return load_suite(suite_path, split, size, program).chat.prompts


def other_points(of: Study) -> int:
    """How many points of other studies the store holds: they never stand on this study's chart."""
    store = engine().store
    return sum(store.revision(replace(s, num_items=1)) for s in store.studies() if s.key != of.key)
