"""The hub, without waiting for it in vain: where it cannot be reached, its cache answers at once, or what is missing is said."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

PATIENCE = 5
"""Seconds that the hub is given to answer at all. Its client would try six times for half a minute, for every file."""


@contextlib.contextmanager
def hub_or_cache() -> Iterator[str]:
    """While it lasts the hub's clients ask the hub, or where it cannot be reached its cache alone, and log no retries.

    Yields why the hub is not asked, an empty text where it is.
    """
    from huggingface_hub import constants

    why, log = _unreachable(), logging.getLogger("huggingface_hub")
    settings = [constants, *filter(None, [sys.modules.get("datasets.config")])]
    before, level = [module.HF_HUB_OFFLINE for module in settings], log.level
    try:
        log.setLevel(logging.ERROR)
        for module in settings if why else ():
            module.HF_HUB_OFFLINE = True  # The clients look it up with every request.
        yield why
    finally:
        log.setLevel(level)
        for module, offline in zip(settings, before, strict=True):
            module.HF_HUB_OFFLINE = offline


def reason_of(error: Exception, why: str) -> str:
    """Why something did not come from the hub: that it was not asked, or the first line of what it said."""
    return why if why and isinstance(error, OSError) else str(error).strip().split("\n")[0].rstrip(".:")


def _unreachable() -> str:
    """Why the hub cannot be asked; empty where it answers, whatever it says."""
    from huggingface_hub import constants, get_session

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set, so that the hub is not asked"
    try:
        get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception as error:  # the client's own kinds, of whichever library it is built on
        said = str(error).strip().split("\n")[0] or type(error).__name__
        return f"{constants.ENDPOINT} cannot be reached ({said})"
    return ""
