"""How sure the page is, under AppTest: what stands by the button and by the selected point, and that it is reckoned once."""

import pytest

from hma import board as boards
from hma import text
from hma.board import Board
from hma.core.tax import MEAN, taxes
from hma.store import Store
from hma.study import open_study
from tests.ui import world
from tests.ui.page import button, calm, choice, everything, key_of, set_sliders, texts


def saying(test, words):
    """The one caption with these words."""
    (found,) = [caption for caption in texts(test, "caption") if words in caption]
    return found


@pytest.fixture
def board(study, store_path):
    return Board.read(Store(store_path), study)


def opened(test, rho=None):
    test.session_state["robust_tax"] = True
    test.run()
    if rho is not None:
        test.session_state["robust_tax"] = True  # AppTest forgets it, as no browser does.
        test.slider(key="robust_rho").set_value(rho).run()
    return saying(test, "Robust tax")


def test_by_the_button_stands_what_these_items_can_tell_apart(app, board, store_path):
    said = saying(app().run(), "can tell apart")
    found = board.power(Store(store_path))
    sizes = [found[name].detectable() for name in ("reward", MEAN)]
    shown = [f"±{text.fixed(size, text.decimals(size))}" for size in sizes]
    about = f"about {shown[0]} reward and {shown[1]} ability points (80 % power)"
    assert said == f"These 40 validation items can tell apart differences of {about}."


def test_before_anything_is_measured_nothing_is_said_of_power(app, tmp_path):
    test = app(store=tmp_path / "empty.sqlite").run()
    assert calm(test)
    assert "tell apart" not in everything(test)
    assert "resamples of these" not in everything(test)


def test_the_selected_point_says_how_firmly_it_stands_and_whom_it_cannot_be_told_from(app, board):
    firm = max(board.front, key=lambda p: board.sureness.shares[p.key])
    beaten = min(board.points, key=lambda p: board.sureness.shares[p.key])
    alike = max(board.front, key=lambda p: len(board.indistinguishable(p)))
    test = app(link=firm.key).run()
    for point in (firm, beaten, alike):
        choice(test).set_value(point.key).run()
        assert calm(test)
        said, share = saying(test, "resamples of these 40 validation items"), board.sureness.shares[point.key]
        others = board.indistinguishable(point)
        assert said.startswith("**On the front**" if board.is_on_front(point) else "**Not on the front**")
        assert (text.share(share) if share else "none of") in said
        assert ("Indistinguishable from" in said) == bool(others)
        assert all(text.point_name(other) in said for other in others[:3])
        assert (f"{len(others) - 3} more" in said) == (len(others) > 3)
    assert board.indistinguishable(alike)


def test_those_nearest_on_the_front_come_first_and_the_point_itself_never(board):
    for point in board.points[:12]:
        others = board.indistinguishable(point)
        assert point not in others
        assert {p.key for p in others} <= {p.key for p in board.front}
        wide, high = (max(v) - min(v) for v in zip(*((p.reward.value, p.ability.value) for p in board.front), strict=True))
        apart = [
            ((o.reward.value - point.reward.value) / wide) ** 2 + ((o.ability.value - point.ability.value) / high) ** 2
            for o in others
        ]
        assert apart == sorted(apart)


def test_the_robust_tax_opens_to_a_slider_from_the_mean_to_the_worst_task(app, board, study, store_path):
    point = board.point(key_of(study, 0, 0, 0))
    test = app(link=point.key).run()
    assert len(test.slider) == 3
    assert "ρ" not in "\n".join(texts(test, "caption"))
    results = Store(store_path).results
    lost = taxes(results(board.reference.key), results(point.key), study.groups)
    said = opened(test, 0.0)
    assert f"Robust tax +{lost[MEAN].value:.0f}"[:13] in said and "ρ = 0.00" in said
    assert "Choice 33\u00a0%, Reading 33\u00a0%, Translation 33\u00a0%" in said
    worst = max(world.ABILITIES, key=lambda task: lost[task].value)
    half = opened(test)
    slider = test.slider(key="robust_rho")
    assert f"({slider.proto.format % slider.value})" in half
    said = opened(test, slider.max)
    assert f"{worst.capitalize()} 100\u00a0%" in said
    assert f"Robust tax +{lost[worst].value:.0f}"[:13] in said and "ρ = 1.10" in said
    assert "40 validation items" in said
    ends = next(e.proto.body for e in test.get("html") if "worst task" in e.proto.body)
    assert "<span>mean</span>" in ends
    assert calm(test)


def test_without_a_reference_there_is_no_robust_tax(app, tmp_path, study):
    store = Store(tmp_path / "half.sqlite")
    for point in (0.0, 0.5):
        store.add(study, world.measurement(study, boards.Recipe(study.partition(), (point,) * 3)))
    test = app(store=store.path).run()
    assert not test.exception and not test.error
    assert "Robust tax" not in [e.label for e in test.expander]


def test_test_items_are_called_test_items_wherever_sureness_is_said(app, place, store_path):
    world.fill(Store(store_path), open_study(*place, split="test"), grid=2)
    test = app().run()
    test.segmented_control(key="split").set_value("test").run()
    opened(test)
    assert calm(test)
    for words in ("can tell apart", "resamples of these", "Robust tax", "Hypervolume"):
        assert "40 test items" in saying(test, words)
    assert "validation items" not in "\n".join(texts(test, "caption"))


def test_sureness_is_reckoned_once_for_a_revision_however_often_the_page_is_drawn(app, study, monkeypatch):
    counted = {"power": 0, "sureness": 0}

    def counting(name, real):
        def count(*arguments):
            counted[name] += 1
            return real(*arguments)

        monkeypatch.setattr(boards, name, count)

    for name in counted:
        counting(name, getattr(boards, name))
    test = app().run()
    set_sliders(test, 0.5, 0.5, 0.5)
    button(test, "preset_policy").click().run()
    choice(test).set_value(key_of(study, 1, 1, 1)).run()
    assert counted == {"power": 1, "sureness": 1}


def test_all_points_say_how_often_each_is_on_the_front(app, board):
    test = app().run()
    test.session_state["all_points"] = True
    test.run()
    shown = dict(zip(test.dataframe[0].value["point"], test.dataframe[0].value["stays on it"], strict=True))
    for point in board.points:
        assert shown[text.point_name(point)] == pytest.approx(100 * board.sureness.shares[point.key])
