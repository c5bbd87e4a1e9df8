"""The controls: presets, one slider a block, and the button that has a merge measured."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.partition import Partition
from hma.core.point import Point
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.ui import access, blocks, ghost, progress, state, sure
from hma.ui.guard import shown

STEP = 0.05
"""How finely a slider moves; smaller steps than this are within the noise of a quick measurement."""

METHOD = "slider"
"""What the store says of points asked for here."""

PRESETS = {"policy": 0.0, "MA 0.2": 0.2, "MA 0.5": 0.5, "reference": 1.0}


def show(board: Board) -> None:
    """Draw the controls of a study and what is being measured; the chart is not drawn again for either."""
    with st.container(key="controls", gap="xsmall"):
        st.fragment(_controls, key="controls_fragment")(board)


def submit(board: Board, *recipes: Recipe) -> None:
    """Ask the engine for points; the last is selected as soon as it is there."""
    engine = access.to_work()
    jobs = [engine.submit(board.study, recipe, METHOD, asker=state.asker()) for recipe in recipes]
    over = {job.id for job in engine.jobs() if job.state == "cancelled"}
    state.change(own=jobs[-1].id, dismissed=state.view().dismissed | over)
    if jobs[-1].is_over:  # Somebody else had it measured meanwhile.
        st.rerun()


def measure(board: Board, *recipes: Recipe) -> None:
    """What a button does that asks for points: like ``submit``, with errors shown on the page."""
    with shown():
        submit(board, *recipes)


def are_waited_for(study: Study, *recipes: Recipe) -> bool:
    """Whether all of these are asked for already, by whomever, and not there yet."""
    waiting = {job.key for job in access.engine().jobs() if not job.is_over}
    return waiting >= {study.point_key(recipe) for recipe in recipes}


def ends_missing(board: Board) -> list[Recipe]:
    """The recipes of the ends that were not measured yet, the policy last."""
    partition = board.study.partition()
    ends = (1.0, board.reference), (0.0, board.policy)
    return [Recipe(partition, (alpha,)) for alpha, point in ends if point is None]


def _controls(board: Board) -> None:
    with shown():
        partition = blocks.partition(board.study)
        _begin(board, partition)
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls_head"):
            st.markdown("**Share of pre-RLHF weights**", width="stretch")
            _history(board)
            blocks.choose(board.study)
        _presets(board, partition)
        _sliders(board, partition)
        st.html('<div class="hma-ends"><span>0 = policy, after RLHF</span><span>1 = reference, before RLHF</span></div>')
        is_measured = _button(board, _recipe(partition))
        if not access.is_read_only():
            progress.show(board.study)
        with st.container(key="foretold", gap="xsmall"):
            ghost.show(board, _recipe(partition), is_measured)
            if is_measured:  # Where else the ghost stands.
                _tips()
            sure.show_power(board)


def _tips() -> None:
    press = "what was measured is shown." if access.is_read_only() else "and press the button: a new point is measured."
    st.caption("**1** Click a point: its answers and scores stand below the chart.")
    st.caption(f"**2** Move the sliders{':' if access.is_read_only() else ''} {press}")
    st.caption("**3** Up and right is better; the gap below the dashed line is the tax.")


def _sliders(board: Board, partition: Partition) -> None:
    """A slider a block; many of them in groups that can be closed."""
    for name, some in blocks.groups(partition):
        count = f"{name} · {len(some)} {'block' if len(some) == 1 else 'blocks'}"
        with st.expander(count, expanded=True) if name else contextlib.nullcontext():
            for k in some:
                st.slider(
                    blocks.title(partition, k), 0.0, 1.0, state.view().alphas[k], step=STEP, format="%.2f", key=_key(k),
                    on_change=_slid, args=(board, _key(k)),
                )  # fmt: skip


def _key(block: int) -> str:
    return f"alpha_{block}_{state.view().setting}"


def _begin(board: Board, partition: Partition) -> None:
    """Set the sliders to a point that was picked; those of a new partition, to what can be said there."""
    view = state.view()
    picked = board.point(view.picked)
    if picked is not None:
        state.change(picked=None)
    new = view.stand is None or view.stand[0] != partition
    if picked is None and not new:
        return
    selected = board.point(view.selected)
    tried = [picked and picked.recipe, Recipe(*view.stand) if view.stand and new else None, selected and selected.recipe]
    known = (recipe.over(partition) for recipe in tried if recipe and recipe.partition.num_layers == partition.num_layers)
    alphas = next(filter(None, known), None)
    if alphas or new:
        _set(alphas or (state.START,) * partition.num_blocks)
        state.stand(partition, state.view().alphas)


def _set(alphas: tuple[float, ...]) -> None:
    state.change(alphas=_stepped(alphas), setting=state.view().setting + 1)


def _stepped(alphas: tuple[float, ...]) -> tuple[float, ...]:
    """The alphas as near as the sliders come to them."""
    return tuple(round(round(alpha / STEP) * STEP, 6) for alpha in alphas)


def _recipe(partition: Partition) -> Recipe:
    """The recipe that the sliders stand on."""
    return Recipe(partition, tuple(st.session_state.get(_key(k), alpha) for k, alpha in enumerate(state.view().alphas)))


def _presets(board: Board, partition: Partition) -> None:
    with st.container(horizontal=True, gap="xxsmall", key="presets"):
        for name, alpha in PRESETS.items():
            st.button(
                name, on_click=_preset, args=(board, (alpha,) * partition.num_blocks), key=f"preset_{name}", width="content"
            )
        point = board.point(state.view().selected)
        alphas = point and point.recipe.over(partition)
        st.button(
            "selected", on_click=_preset, args=(board, alphas), key="preset_selected", disabled=not alphas, width="content",
            help="Set the sliders back to the selected point, to the nearest 0.05.",
        )  # fmt: skip


def _history(board: Board) -> None:
    """The buttons that undo and redo moves of the sliders."""
    view = state.view()
    for name, step, to, about in (
        ("↶", state.undo, view.past, "Undo the last move of the sliders"),
        ("↷", state.redo, view.future, "Redo the move that was undone"),
    ):
        st.button(
            name, on_click=_stepped_back, args=(board, step), key=step.__name__, disabled=not to, width="content", help=about,
        )  # fmt: skip


def _stepped_back(board: Board, step: Callable[[], state.Stand | None]) -> None:
    """Undo or redo a move of the sliders."""
    stand = step()
    if stand is not None:
        if stand[0] != blocks.partition(board.study):
            blocks.turn_to(stand[0])
        _set(stand[1])
        _select(board, stand[0])


def _preset(board: Board, alphas: tuple[float, ...]) -> None:
    _set(alphas)
    _moved(board)


def _slid(board: Board, key: str) -> None:
    if key in map(_key, range(len(state.view().alphas))):  # An older slider may still speak up.
        _moved(board, key)


def _moved(board: Board, slider: str | None = None) -> None:
    """Remember the move, and select the point that the sliders stand on now."""
    partition = blocks.partition(board.study)
    state.stand(partition, _recipe(partition).alphas, slider)
    _select(board, partition)


def _select(board: Board, partition: Partition) -> None:
    """Select the point that the sliders stand on, if it was measured."""
    key = board.study.point_key(_recipe(partition))
    if key != state.view().selected and access.engine().store.point(key, board.study.num_items) is not None:
        state.select(key)
        st.rerun()  # All of the page, and not the controls alone.


def _button(board: Board, recipe: Recipe) -> bool:
    """Draw the button with what there is to say of the recipe; whether it is measured already."""
    engine = access.engine()
    key = board.study.point_key(recipe)
    measured = engine.store.point(key, board.study.num_items)
    waiting = any((job.key, job.study.view) == (key, board.study.view) and not job.is_over for job in engine.jobs())
    if not access.is_read_only():
        st.button(
            "Measure this merge", type="primary", width="stretch", key="measure", disabled=waiting or measured is not None,
            on_click=_measure, args=(board,),
        )  # fmt: skip
    st.caption(_status(board, recipe, measured, waiting))
    return measured is not None


def _measure(board: Board) -> None:
    with shown():
        submit(board, _recipe(blocks.partition(board.study)))


def _status(board: Board, recipe: Recipe, measured: Point | None, waiting: bool) -> str:
    name = text.recipe_name(recipe)
    if measured is not None:
        return f"Measured: {name}. Move a slider to make another merge."
    if waiting:
        return f"{name} is being measured."
    selected = board.point(state.view().selected)
    if selected and (alphas := selected.recipe.over(recipe.partition)) and _stepped(alphas) == recipe.alphas:
        return f"Not measured yet: {name}. The sliders go in steps of {STEP}: it is as near as they come to the selected point."
    nearest = board.nearest(recipe)
    hint = f" Nearest measured point: {text.point_name(nearest)}." if nearest else ""
    return f"Not measured yet: {name}.{hint}"
