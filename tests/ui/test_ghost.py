"""The ghost under AppTest: where it stands, where it does not, and that it is asked for once."""

import base64
import re
from itertools import pairwise

import numpy as np
import pytest

from hma.board import Board
from hma.core.question import PREDICTOR, predicting
from hma.core.recipe import Recipe
from hma.core.surrogate import BAND, FEWEST, Predictor
from hma.store import Store
from hma.ui import access, ghost, sketch
from tests.ui import world
from tests.ui.page import button, calm, everything, figure, set_sliders, wait_for
from tests.ui.worker import replied

WORDS = "Predicted, not measured: reward "


def drawn(test):
    """The ghost's words and picture, or "" for none."""
    bodies = [element.proto.body for element in test.get("html")]
    return next((body for body in bodies if WORDS in body), "")


def picture(html):
    return base64.b64decode(re.search(r'base64,([^"]+)"', html)[1]).decode()


def questions():
    return [job for job in access.engine().jobs() if job.question]


def kept_by(store, study):
    """What the store keeps of the board's predictor."""
    board = Board.read(store, study)
    question = predicting(board.points, study.partition())
    return store.kept([question.key])[question.key], question


def test_it_stands_where_nothing_was_measured_and_nowhere_else(app, study, store_path):
    test = app().run()
    set_sliders(test, 0.35, 0.1, 0.05)
    wait_for(test, drawn)
    assert calm(test)
    before = figure(test)
    html = drawn(test)
    data, question = kept_by(Store(store_path), study)
    predictor = Predictor.from_dict(data)
    (mean,), (deviation,) = predictor.predict([(0.35, 0.1, 0.05)])
    expected = ghost.predicted(predictor, (0.35, 0.1, 0.05))
    assert expected.reward[0] == mean[0] and expected.ability[0] == mean[1]
    assert expected.reward[2] - mean[0] == pytest.approx(BAND * np.hypot(deviation, predictor.noise)[0])
    assert ghost.words(expected) in html
    assert f'alt="Small chart of the front. {ghost.words(expected)}.' in html
    assert f"over {len(question.observed)} measured points" in html
    assert 'fill="none"' in picture(html) and "stroke-dasharray" in picture(html)
    set_sliders(test, 0.35, 0.15, 0.05)
    assert drawn(test) and drawn(test) != html
    assert figure(test) == before
    set_sliders(test, 0.5, 0.5, 0.5)
    assert not drawn(test)
    assert len(questions()) == 1


def test_another_session_reads_it_without_a_worker_and_once_a_revision(app, study, store_path, monkeypatch):
    store = Store(store_path)
    question = predicting(Board.read(store, study).points, study.partition())
    store.keep(PREDICTOR, question.key, replied(question).predictor)
    parsed = []
    real = Predictor.from_dict.__func__
    monkeypatch.setattr(Predictor, "from_dict", classmethod(lambda cls, data: parsed.append(1) or real(cls, data)))
    test = app().run()
    set_sliders(test, 0.35, 0.1, 0.05)
    assert drawn(test)
    assert not questions()
    for share in (0.15, 0.2, 0.25):
        set_sliders(test, 0.35, share, 0.05)
    assert len(parsed) == 1


def test_a_new_point_is_a_new_question(app, study):
    test = app().run()
    set_sliders(test, 0.35, 0.1, 0.05)
    wait_for(test, drawn)
    button(test, "measure").click().run()
    wait_for(test, lambda t: len(questions()) == 2 and all(job.is_over for job in questions()))
    assert len(questions()[1].question.observed) == len(questions()[0].question.observed) + 1
    assert not drawn(test)


def test_points_that_say_nothing_predict_nothing(app, tmp_path, study):
    store = Store(tmp_path / "few.sqlite")
    world.fill(store, study, grid=0, sweep=FEWEST + 1)
    test = app(store=store.path).run()
    set_sliders(test, 0.35, 0.1, 0.05)
    wait_for(test, lambda t: "nothing is predicted" in everything(t))
    assert not drawn(test)
    set_sliders(test, 0.5, 0.5, 0.5)
    assert "nothing is predicted" not in everything(test)


def test_too_few_points_are_not_asked_about(tmp_path, study):
    store = Store(tmp_path / "fewer.sqlite")
    world.fill(store, study, grid=0, sweep=FEWEST - 1)
    assert predicting(Board.read(store, study).points, study.partition()) is None


def test_only_what_the_sliders_can_say_is_asked_about(study, store_path):
    store = Store(store_path)
    before = predicting(Board.read(store, study).points, study.partition())
    store.add(study, world.measurement(study, Recipe(study.partition(6), (0, 0, 0, 0, 0, 1))))
    store.add(study, world.measurement(study, Recipe(study.partition(), (1.2, 0, 0))))
    board = Board.read(store, study)
    assert predicting(board.points, study.partition()) == before
    assert len(board.points) == len(before.observed) + 2


def test_the_picture_keeps_its_band_in_the_frame_and_its_words_as_words(study, store_path):
    board = Board.read(Store(store_path), study)
    html = sketch.front(board, (9, 5, 13), (50, 0, 100), 'a "quoted" <b>', "dark")
    assert "<b>" not in html and "&quot;quoted&quot;" in html
    numbers = [float(x) for points in re.findall(r'points="([^"]+)"', picture(html)) for x in re.split("[ ,]", points)]
    assert all(0 <= number <= sketch.WIDTH for number in numbers)
    line = [tuple(map(float, p.split(","))) for p in re.search(r'points="([^"]+)"', picture(html))[1].split()]
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(line))  # Down, then right: never above.
