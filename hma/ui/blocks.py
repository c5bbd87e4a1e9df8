"""The blocks whose shares a person moves: how many of layers, and whether embeddings, norm and head stand by themselves."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from hma.core.partition import EMBEDDINGS, OWN, Partition
from hma.core.study import Study
from hma.ui import state

MANY = 4
"""Up to so many blocks of layers stand in one list; more are grouped into input, middle and output."""

_ABOUT = (
    "Each block of layers has a share of its own: 0 keeps the policy's weights, 1 the reference's. A finer partition can say "
    "more, and takes more points to know."
)


def partition(study: Study) -> Partition:
    """The partition that the sliders are over: the one chosen, or three blocks."""
    chosen = state.view().partition
    return chosen if chosen is not None and chosen.num_layers == study.num_layers else study.partition()


def choose(study: Study) -> None:
    """A small panel in which the partition is chosen."""
    now = partition(study)
    count, own = len(now.starts), bool(now.own)
    number, toggle = _keys(study)
    with st.popover(f"{now.num_blocks} {'block' if now.num_blocks == 1 else 'blocks'}", help=_ABOUT):
        st.number_input("Blocks of layers", 1, study.num_layers, count, key=number, on_change=_chosen, args=(study,))
        st.toggle("Embeddings, final norm and head by themselves", own, key=toggle, on_change=_chosen, args=(study,))


def turn_to(partition: Partition) -> None:
    """Put the sliders over a partition other than by the panel, which shows it."""
    state.change(partition=partition, dividing=state.view().dividing + 1)


def _keys(study: Study) -> tuple[str, str]:
    """The panel's widgets, new whenever the partition was set otherwise."""
    own = f"{study.num_layers}_{state.view().dividing}"
    return f"blocks_{own}", f"own_{own}"


def _chosen(study: Study) -> None:
    number, toggle = _keys(study)
    equal = Partition.equal(study.num_layers, int(st.session_state[number]))
    state.change(partition=replace(equal, own=OWN if st.session_state[toggle] else ()))


def groups(partition: Partition) -> list[tuple[str, list[int]]]:
    """The blocks in groups for the screen: one of all where they are few, else by the third of the model that each begins in."""
    if len(partition.starts) <= MANY:
        return [("", list(range(partition.num_blocks)))]
    thirds: list[tuple[str, list[int]]] = [("Input", []), ("Middle", []), ("Output", [])]
    for block in range(partition.num_blocks):
        thirds[_third(partition, block)][1].append(block)
    return [(name, blocks) for name, blocks in thirds if blocks]


def _third(partition: Partition, block: int) -> int:
    """The third of the model in which a block begins; embeddings are before the first layer, norm and head after the last."""
    layers = partition.layers(block)
    if layers:
        return 3 * layers[0] // partition.num_layers
    return 0 if block == 0 and EMBEDDINGS in partition.own else 2


def title(partition: Partition, block: int) -> str:
    """What a block's slider is called: its name, and its layers where the name does not say them."""
    name, layers = partition.block_names()[block].capitalize(), partition.layers(block)
    if not layers or len(partition.starts) != 3:
        return name
    return f"{name} · layers {layers[0]}–{layers[-1]}" if len(layers) > 1 else f"{name} · layer {layers[0]}"
