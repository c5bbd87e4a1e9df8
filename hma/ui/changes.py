"""What RLHF changed, as a picture: how far each layer moved, and how many of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from hma.core.study import Study, changes_key
from hma.look import NEUTRAL
from hma.ui import access, diagram
from hma.ui.guard import shown

_ABOUT = (
    "How far RLHF moved each part of the model: the size of the change over the size of the weights. A part that did not move "
    "has nothing to average; its slider does nothing."
)


def show(study: Study) -> None:
    """Draw the changes of the study's pair, or the button that asks for them."""
    st.markdown("**What RLHF changed**")
    kept = access.engine().store.kept([changes_key(study)])
    if changes_key(study) not in kept:
        _ask(study)
        return
    parts = kept[changes_key(study)]
    theme = st.context.theme.type or "light"
    diagram.draw(figure(parts, theme), "changes", words(parts), config={"displayModeBar": False})
    st.caption(_ABOUT)
    with st.expander("As a table"):
        st.dataframe(table(parts), hide_index=True, width="stretch")


def figure(parts: Sequence[dict[str, Any]], theme: str) -> dict[str, Any]:
    """Bars, one a part of the model from input to output: the norm of its change over the norm of the reference, in per cent."""
    heights = [100 * (part["relative_norm"] or 0.0) for part in parts]
    bars = {
        "type": "bar",
        "x": [part["name"] for part in parts],
        "y": heights,
        "marker": {"color": NEUTRAL[theme]},
        "hovertemplate": "%{x}: %{y:.2f} %<extra></extra>",
    }
    layout = {
        "height": 240,
        "margin": {"l": 52, "r": 8, "t": 8, "b": 60},
        "yaxis": {"title": {"text": "change, % of norm"}, "rangemode": "tozero"},
        "xaxis": {"type": "category", "tickangle": -40 if len(parts) > 6 else 0},
        "showlegend": False,
    }
    return {"data": [bars], "layout": layout}


def words(parts: Sequence[dict[str, Any]]) -> str:
    """The picture in a sentence."""
    most = max(parts, key=lambda part: part["relative_norm"] or 0.0)
    still = [part["name"] for part in parts if not part["changed_share"]]
    rest = f" Unchanged: {', '.join(still)}." if still else ""
    return f"Change of each of {len(parts)} parts; most in {most['name']}: {100 * (most['relative_norm'] or 0):.1f} %.{rest}"


def table(parts: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """The columns of the table, as texts."""
    moved = ["" if part["relative_norm"] is None else f"{100 * part['relative_norm']:.2f} %" for part in parts]
    return {
        "part": [part["name"] for part in parts],
        "weights": [f"{part['weights']:,}" for part in parts],
        "changed": [f"{100 * part['changed_share']:.1f} %" for part in parts],
        "by one unit in the last place": [f"{100 * part['by_one_share']:.1f} %" for part in parts],
        "change over weights": moved,
    }


def _ask(study: Study) -> None:
    if access.is_read_only():
        st.caption(f"Not looked at yet. {access.READ_ONLY}.")
        return
    asked = any(job.key == changes_key(study) and not job.is_over for job in access.engine().jobs())
    st.button("Read the weights", key="read_changes", on_click=_read, args=(study,), disabled=asked)
    st.caption(
        "They are being read." if asked else "Not looked at yet: it takes one pass over both checkpoints, and no measurement."
    )


def _read(study: Study) -> None:
    with shown():
        access.to_work().delta(study)
