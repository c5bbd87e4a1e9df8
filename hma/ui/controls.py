"""The controls: presets, one slider a block, and the button that has a merge measured."""

from __future__ import annotations

import streamlit as st

from hma import text
from hma.board import Board
from hma.core.partition import Partition
from hma.core.point import Point
from hma.core.recipe import Recipe
from hma.ui import access, progress, state, sure
from hma.ui.guard import shown

STEP = 0.05
"""How finely a slider moves; smaller steps than this are within the noise of a quick measurement."""

METHOD = "slider"
"""What the store says of points asked for here."""

PRESETS = {"policy": 0.0, "MA 0.2": 0.2, "MA 0.5": 0.5, "reference": 1.0}
_RERUN = "rerun_app"


def show(board: Board) -> None:
    """Draw the controls of a study and what is being measured; the chart is not drawn again for either."""
    with st.container(key="controls", gap="xsmall"):
        st.fragment(_controls, key="controls_fragment")(board)


def submit(board: Board, *recipes: Recipe) -> None:
    """Ask the engine for points and follow them; the last is selected as soon as it is there."""
    engine = access.engine()
    jobs = [engine.submit(board.study, recipe, METHOD) for recipe in recipes]
    now = state.view()
    over = {job.id for job in engine.jobs() if job.state == "cancelled"}
    state.change(followed=now.followed | {job.id for job in jobs}, own=jobs[-1].id, dismissed=now.dismissed | over)
    if jobs[-1].is_over:  # Somebody else had it measured meanwhile.
        st.session_state[_RERUN] = True


def ends_missing(board: Board) -> list[Recipe]:
    """The recipes of the ends that were not measured yet, the policy last."""
    partition = board.study.partition()
    ends = (1.0, board.reference), (0.0, board.policy)
    return [Recipe(partition, (alpha,)) for alpha, point in ends if point is None]


def on_sliders(recipe: Recipe, partition: Partition) -> tuple[float, ...] | None:
    """The recipe's alphas over another partition's blocks, or None where a block would need two, or other numbers."""
    layers = recipe.layer_alphas
    if Recipe(Partition.equal(len(layers), len(layers)), layers).identity != recipe.identity:
        return None
    blocks = [{layers[i] for i in partition.layers(k)} for k in range(partition.num_blocks)]
    return tuple(b.pop() for b in blocks) if all(len(b) == 1 for b in blocks) else None


def _controls(board: Board) -> None:
    with shown():
        partition = board.study.partition()
        _begin(board, partition)
        st.markdown(
            "**Share of pre-RLHF weights**",
            help="How much of each block comes from the model before RLHF: 0 keeps the policy's weights, 1 the reference's.",
        )
        _presets(board, partition)
        for k, name in enumerate(partition.block_names()):
            layers = partition.layers(k)
            span = f"layers {layers[0]}–{layers[-1]}" if len(layers) > 1 else f"layer {layers[0]}"
            st.slider(
                f"{name.capitalize()} · {span}", 0.0, 1.0, state.view().alphas[k], step=STEP, format="%.2f", key=_key(k),
                on_change=_slid, args=(board, _key(k)),
            )  # fmt: skip
        st.html('<div class="hma-ends"><span>0 = policy, after RLHF</span><span>1 = reference, before RLHF</span></div>')
        _button(board, _recipe(partition))
        progress.show(board.study)
    if st.session_state.pop(_RERUN, False):
        st.rerun(scope="app")


def _key(block: int) -> str:
    return f"alpha_{block}_{state.view().setting}"


def _begin(board: Board, partition: Partition) -> None:
    """Set the sliders to a point that was picked; those that have no value yet, to the selected point."""
    picked = board.point(state.view().picked)
    if picked is not None:
        state.change(picked=None)
    new = len(state.view().alphas) != partition.num_blocks
    point = picked or (board.point(state.view().selected) if new else None)
    alphas = point and on_sliders(point.recipe, partition)
    if alphas or new:
        _set(alphas or (state.START,) * partition.num_blocks)


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
        alphas = point and on_sliders(point.recipe, partition)
        st.button(
            "selected", on_click=_preset, args=(board, alphas), key="preset_selected", disabled=not alphas, width="content",
            help="Set the sliders back to the selected point, to the nearest 0.05.",
        )  # fmt: skip


def _preset(board: Board, alphas: tuple[float, ...]) -> None:
    _set(alphas)
    _moved(board)


def _slid(board: Board, key: str) -> None:
    if key in map(_key, range(len(state.view().alphas))):  # An older slider may still speak up.
        _moved(board)


def _moved(board: Board) -> None:
    """Select the point that the sliders stand on, if it was measured."""
    key = board.study.point_key(_recipe(board.study.partition()))
    if key != state.view().selected and access.engine().store.point(key, board.study.num_items) is not None:
        state.select(key)
        st.session_state[_RERUN] = True


def _button(board: Board, recipe: Recipe) -> None:
    engine = access.engine()
    key = board.study.point_key(recipe)
    measured = engine.store.point(key, board.study.num_items)
    waiting = any((job.key, job.study.view) == (key, board.study.view) and not job.is_over for job in engine.jobs())
    st.button(
        "Measure this merge", type="primary", width="stretch", key="measure", disabled=waiting or measured is not None,
        on_click=_measure, args=(board,),
    )  # fmt: skip
    st.caption(_status(board, recipe, measured, waiting))
    sure.show_power(board)


def _measure(board: Board) -> None:
    with shown():
        submit(board, _recipe(board.study.partition()))


def _status(board: Board, recipe: Recipe, measured: Point | None, waiting: bool) -> str:
    name = text.recipe_name(recipe)
    if measured is not None:
        return f"Measured: {name}. Move a slider to make another merge."
    if waiting:
        return f"{name} is being measured."
    selected = board.point(state.view().selected)
    if selected and (alphas := on_sliders(selected.recipe, recipe.partition)) and _stepped(alphas) == recipe.alphas:
        return f"Not measured yet: {name}. The sliders go in steps of {STEP}: it is as near as they come to the selected point."
    nearest = board.nearest(recipe)
    hint = f" Nearest measured point: {text.point_name(nearest)}." if nearest else ""
    return f"Not measured yet: {name}.{hint}"
