"""What was exported: each folder's files, whether they are as they were written, its model card, and how to load it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from html import escape

import streamlit as st

from hma import exports, text
from hma.ui import access, cards, state
from hma.ui.guard import shown

POLL = 0.5
"""Seconds between two looks at checks that go on."""

_SHOWN = 20
"""Folders that are listed."""


def show() -> None:
    """The exports of the allowed folder, newest first; those of this person's that are just written are open, and checked."""
    allowed = access.exports_root()
    found = exports.listed(allowed)
    mine = just_written()
    for export in found:
        if str(export.folder) in mine and access.checks().of(export) is None:
            access.checks().start(export)
    st.markdown(f"**Exported to** {text.plain(str(allowed))}")
    if not found:
        st.caption("Nothing yet. A folder that is exported here is a complete model, with its recipe and a model card.")
        return
    busy = access.checks().is_busy
    st.fragment(_list, run_every=POLL if busy else None, key="exported")(found[:_SHOWN], mine, busy)
    if len(found) > _SHOWN:
        st.caption(f"and {len(found) - _SHOWN} older ones in the folder")


def just_written() -> frozenset[str]:
    """The folders that this session had written."""
    jobs = (job for job in access.engine().jobs() if job.state == "finished" and state.asker() in job.askers)
    return frozenset(job.target.folder for job in jobs if job.target)


def _list(found: list[exports.Export], mine: Collection[str], busy: bool) -> None:
    with shown():
        for place, export in enumerate(found):
            is_new = str(export.folder) in mine
            title = f"{text.plain(export.folder.name)} · {text.plain(export.title)} · {text.size(export.size)}"
            with st.expander(title, expanded=is_new and place == 0, key=f"exported_{export.folder.name}_{is_new}"):
                _show(export)
    if busy and not access.checks().is_busy:
        st.rerun(scope="app")


def _show(export: exports.Export) -> None:
    when = datetime.fromtimestamp(export.written_at, UTC).strftime("%Y-%m-%d %H:%M")
    st.caption(f"{text.plain(str(export.folder))}, written {when} UTC, with the {text.plain(export.tokenizer)}'s tokenizer.")
    _check(export)
    st.html(_files(export))
    st.caption("Load it with")
    st.code(export.loading, language="python", wrap_lines=True)
    card = export.card()
    if card:
        st.caption("Its model card, README.md")
        with st.container(height=420, border=True):
            st.html(cards.html(text.printable(card)))


def _check(export: exports.Export) -> None:
    """Whether the files are as they were written, and the button that has them read."""
    check = access.checks().of(export)
    if check is None:
        st.caption("Not checked since this app was started.")
    elif not check.is_over:
        st.caption("Checking: every file is read and its SHA-256 compared.")
    elif check.is_whole:
        st.success(f"Verified: all {len(export.files)} files are as recipe.json says.")
    else:
        st.error(f"Not whole. {text.plain(' '.join(check.found or ()))} Export the merge again.")
    if not access.is_read_only():
        st.button(
            "Verify", key=f"verify_{export.folder.name}", on_click=_verify, args=(export,), width="content",
            disabled=check is not None and not check.is_over, help="The same as python -m hma verify, with the folder.",
        )  # fmt: skip


def _verify(export: exports.Export) -> None:
    with shown():
        access.to_work()  # Reading much is work, too.
        access.checks().start(export)
        st.rerun()


def _files(export: exports.Export) -> str:
    """The files with their sizes, the SHA-256 of each that the export wrote, and the size of all."""
    rows = "".join(
        f"<tr><th>{escape(text.printable(name))}</th><td>{text.size(size)}</td><td><code>{escape(sha)}</code></td></tr>"
        for name, size, sha in export.files
    )
    rows += f'<tr class="hma-sum"><th>All {len(export.files)} files</th><td>{text.size(export.size)}</td><td></td></tr>'
    head = "<tr><th>File</th><th>Size</th><th>SHA-256</th></tr>"
    return f'<div class="hma-scores"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
