"""The sliders' blocks, and moves that are undone, under AppTest."""

from dataclasses import replace

import pytest

from hma.core.partition import OWN, Partition
from hma.core.recipe import Recipe
from hma.store import Store
from hma.ui import blocks, state
from tests.ui.page import button, calm, choice, everything, figure, key_of, set_sliders, wait_for


def values(test):
    return [slider.value for slider in test.slider]


@pytest.mark.parametrize(
    ("layers", "count", "own", "expected"),
    [
        (6, 3, False, [("", [0, 1, 2])]),
        (6, 1, True, [("", [0, 1, 2, 3])]),
        (6, 6, False, [("Input", [0, 1]), ("Middle", [2, 3]), ("Output", [4, 5])]),
        (6, 6, True, [("Input", [0, 1, 2]), ("Middle", [3, 4]), ("Output", [5, 6, 7, 8])]),
        (6, 3, True, [("", [0, 1, 2, 3, 4, 5])]),
        (6, 4, True, [("", [0, 1, 2, 3, 4, 5, 6])]),
        (6, 5, True, [("Input", [0, 1, 2]), ("Middle", [3, 4]), ("Output", [5, 6, 7])]),
    ],
)
def test_many_blocks_are_grouped_and_each_is_in_one_group(layers, count, own, expected):
    partition = replace(Partition.equal(layers, count), own=OWN if own else ())
    assert blocks.groups(partition) == expected


def test_titles_say_the_layers_once():
    assert [blocks.title(Partition.equal(6), k) for k in (0, 2)] == ["Input · layers 0–1", "Output · layers 4–5"]
    assert [blocks.title(Partition.equal(6, 4), k) for k in range(4)] == ["Layer 0", "Layers 1–2", "Layer 3", "Layers 4–5"]
    nine = replace(Partition.equal(6, 6), own=OWN)
    assert [blocks.title(nine, k) for k in (0, 1, 7, 8)] == ["Embeddings", "Layer 0", "Final norm", "Head"]


def test_a_finer_partition_keeps_the_merge_and_measures_its_own_points(app, study, store_path):
    test = app().run()
    set_sliders(test, 0.5, 0, 0.5)
    before = figure(test)
    test.number_input(key="blocks_6_0").set_value(6).run()
    test.toggle(key="own_6_0").set_value(True).run()
    assert values(test) == [0.5, 0.5, 0.5, 0, 0, 0.5, 0.5, 0.5, 0.5]
    assert choice(test).value == key_of(study, 0.5, 0, 0.5) and figure(test) == before
    test.slider[8].set_value(0.1).run()
    assert "Not measured yet" in everything(test)
    button(test, "measure").click().run()
    recipe = Recipe(replace(study.partition(6), own=OWN), (0.5, 0.5, 0.5, 0, 0, 0.5, 0.5, 0.5, 0.1))
    wait_for(test, lambda t: choice(t).value == study.point_key(recipe))
    assert Store(store_path).point(study.point_key(recipe)) is not None
    test.toggle(key="own_6_0").set_value(False).run()  # Six blocks cannot say it: what they can say of it stands there.
    assert calm(test) and len(values(test)) == 6


def test_moves_are_undone_and_redone(app, study):
    test = app().run()
    start = values(test)
    assert button(test, "undo").disabled and button(test, "redo").disabled
    button(test, "preset_policy").click().run()
    test.slider[0].set_value(0.5).run()
    assert values(test) == [0.5, 0, 0]
    button(test, "undo").click().run()
    assert values(test) == [0, 0, 0]
    assert choice(test).value == key_of(study, 0, 0, 0)
    button(test, "undo").click().run()
    assert values(test) == start and button(test, "undo").disabled
    for _ in range(2):
        button(test, "redo").click().run()
    assert values(test) == [0.5, 0, 0] and button(test, "redo").disabled
    button(test, "undo").click().run()
    test.slider[2].set_value(0.3).run()  # A new move: what was undone is gone.
    assert values(test) == [0, 0, 0.3] and button(test, "redo").disabled


def test_steps_of_one_slider_in_a_row_are_one_move(app, monkeypatch):
    test, now = app().run(), [100.0]
    monkeypatch.setattr(state, "monotonic", lambda: now[0])
    button(test, "preset_policy").click().run()
    for alpha in (0.05, 0.1, 0.15):
        now[0] += 1.0
        test.slider[0].set_value(alpha).run()
    now[0] += 5.0
    test.slider[0].set_value(0.2).run()
    now[0] += 1.0
    test.slider[1].set_value(0.05).run()
    for expected in ([0.2, 0, 0], [0.15, 0, 0], [0, 0, 0]):
        button(test, "undo").click().run()
        assert values(test) == expected
    for alpha in (0.05, 0):
        now[0] += 5.0 if alpha else 0.5
        test.slider[0].set_value(alpha).run()  # There and back again is no move.
    now[0] += 0.5
    test.slider[0].set_value(0.3).run()  # What follows is a move of its own.
    button(test, "undo").click().run()
    assert values(test) == [0, 0, 0]


def test_a_picked_point_and_another_partition_are_moves_too(app, study):
    test = app().run()
    start = values(test)
    choice(test).set_value(key_of(study, 0.5, 1, 0)).run()
    test.number_input(key="blocks_6_0").set_value(2).run()
    assert len(values(test)) == 2
    button(test, "undo").click().run()
    assert values(test) == [0.5, 1, 0] and test.number_input(key="blocks_6_1").value == 3
    button(test, "undo").click().run()
    assert values(test) == start
