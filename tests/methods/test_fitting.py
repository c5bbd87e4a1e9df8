"""Fits on a tiny pair: where alphas go, what is kept, and how a fit that was interrupted goes on."""

import dataclasses

import numpy as np
import pytest

from hma.core.fit import Draw, Fit, l1_weights
from hma.core.partition import Partition
from hma.errors import AlphasError, FitError
from hma.methods.fitting import STEPS, TEXTS, fit_key, texts_keys
from tests import tiny

DRAW = Draw(prompts=6, answers=2, kept=0.5, drawn=6)
THIRDS = Partition.equal(3)


class Kept(dict):
    """What a store would keep, and how often each kind was written."""

    def __init__(self):
        self.written = []

    def keep(self, kind, key, value):
        self[key] = value
        self.written.append(kind)


@pytest.fixture(scope="module")
def tiny_study(tiny_suite, tmp_path_factory):
    """Of a pair whose ends both know what they say."""
    from hma.study import open_study

    return open_study(*tiny.write_pair(tmp_path_factory.mktemp("decided"), decided=True), tiny_suite)


@pytest.fixture(scope="module")
def workbench(tiny_study):
    from hma.workbench import Workbench

    return Workbench(tiny_study.reference, tiny_study.policy)


@pytest.fixture(scope="module")
def kept():
    return Kept()


def fitted(workbench, study, kept, *arguments, **options):
    return workbench.fit(study, Fit(THIRDS, *arguments, draw=DRAW, **options), kept, kept.keep)


def test_the_policys_side_alone_moves_to_the_policy(workbench, tiny_study, kept):
    """All its answers, since the best of them are not what it says itself."""
    fit = Fit(THIRDS, "two-sided", balance=1.0, draw=Draw(prompts=12, answers=8, kept=1.0, drawn=96))
    steps = workbench.fit(tiny_study, fit, kept, kept.keep)
    assert steps[-1].settled
    assert np.mean(steps[-1].alphas) < 0.12


@pytest.mark.parametrize("objective", ["two-sided", "two-sided-free"])
def test_the_references_side_alone_moves_to_the_reference(workbench, tiny_study, kept, objective):
    fit = Fit(THIRDS, objective, balance=0.0, draw=dataclasses.replace(DRAW, drawn=36))
    steps = workbench.fit(tiny_study, fit, kept, kept.keep)
    assert steps[-1].settled
    assert np.mean(steps[-1].alphas) > 0.88


def test_a_fit_keeps_its_mean_at_every_step_and_makes_the_policys_answers_likelier(workbench, tiny_study, kept):
    steps = fitted(workbench, tiny_study, kept, mean=0.4)
    assert len(steps) > 2
    assert steps[0].alphas == (0.4,) * 3
    for step in steps:
        assert np.mean(step.alphas) == pytest.approx(0.4, abs=1e-9)
        assert min(step.alphas) >= 0 and max(step.alphas) <= 1
    objectives = [step.objective for step in steps]
    assert objectives[-1] < objectives[0]
    assert objectives == sorted(objectives, reverse=True)


def test_one_block_stays_at_the_mean(workbench, tiny_study, kept):
    steps = workbench.fit(tiny_study, Fit(Partition.equal(3, 1), mean=0.3, draw=DRAW), kept, kept.keep)
    assert steps[-1].alphas == pytest.approx((0.3,))
    assert steps[-1].settled


def test_the_papers_form_falls_too(workbench, tiny_study, kept):
    steps = fitted(workbench, tiny_study, kept, mean=0.4, form="paper")
    assert steps[-1].objective < steps[0].objective
    assert np.mean(steps[-1].alphas) == pytest.approx(0.4)


def test_a_heavy_regulariser_keeps_alphas_at_their_mean(workbench, tiny_study, kept):
    free, held = (fitted(workbench, tiny_study, kept, mean=0.4, l1=weight)[-1] for weight in (0.0, 1.0))
    assert np.ptp(held.alphas) < 0.02 < np.ptp(free.alphas)


def test_the_regulariser_holds_the_middle_most():
    weights = l1_weights(Partition.equal(26))
    assert weights[1] > weights[0]
    assert l1_weights(Partition.equal(26, 26))[13] == 25
    assert l1_weights(Partition.equal(26, 26))[0] == pytest.approx(25 / 14)


def test_labelled_items_of_a_group_are_fitted(workbench, tiny_study, kept):
    for group in tiny_study.groups:
        steps = fitted(workbench, tiny_study, kept, "adamerging", mean=0.5, group=group)
        assert steps[-1].objective <= steps[0].objective


def test_prompts_are_scored_on_request(workbench, tiny_study, kept):
    answers, whole = (fitted(workbench, tiny_study, kept, mean=0.4, whole=whole) for whole in (False, True))
    assert answers[0].objective != whole[0].objective


def test_texts_are_written_once_and_are_the_best(workbench, tiny_study):
    kept = Kept()
    fit = Fit(THIRDS, mean=0.2, draw=DRAW)
    workbench.fit(tiny_study, fit, kept, kept.keep)
    (key,) = texts_keys(tiny_study, fit).values()
    texts = kept[key]
    assert len(texts) == DRAW.drawn
    assert all(text["prompt"] and text["answer"] and text["reward"] is not None for text in texts)
    workbench.fit(tiny_study, dataclasses.replace(fit, mean=0.3), kept, kept.keep)
    assert kept.written.count(TEXTS) == 1
    everything = dataclasses.replace(fit, draw=dataclasses.replace(DRAW, kept=1.0, drawn=12))
    workbench.fit(tiny_study, everything, kept, kept.keep)
    every = [text["reward"] for text in kept[texts_keys(tiny_study, everything).popitem()[1]]]
    assert sorted(text["reward"] for text in texts) == sorted(every)[-DRAW.drawn :]
    again = Kept()
    workbench.fit(tiny_study, fit, again, again.keep)
    assert again[key] == texts


def test_a_fit_that_was_interrupted_goes_on_where_it_was(workbench, tiny_study):
    whole, part = Kept(), Kept()
    fit = Fit(THIRDS, mean=0.4, draw=DRAW)
    expected = workbench.fit(tiny_study, fit, whole, whole.keep)

    class Stopped(Exception):
        pass

    def stop(stage, share):
        if stage.startswith("step 1"):
            raise Stopped

    with pytest.raises(Stopped):
        workbench.fit(tiny_study, fit, part, part.keep, stop)
    assert len(part[fit_key(tiny_study, fit)]) == 2
    part.written.clear()
    assert workbench.fit(tiny_study, fit, part, part.keep) == expected
    assert part.written == [STEPS] * (len(expected) - 2)


def test_the_store_keeps_what_a_fit_came_to(tiny_study, tmp_path):
    from hma.engine import Engine
    from hma.store import Store

    fit = Fit(THIRDS, mean=0.4, draw=DRAW, max_steps=2)
    store = Store(tmp_path / "points.sqlite")
    with Engine(store) as engine:
        job = engine.wait(engine.fit(tiny_study, fit).id, 120)
        assert job.state == "finished", job.message
        assert len(store.kept([job.key])[job.key]) == 3
        again = engine.wait(engine.fit(tiny_study, fit).id, 120)
        assert again.answer == job.answer
        assert engine.store.studies() == []  # A fit is no point.
    with Engine(Store(tmp_path / "points.sqlite")) as engine:  # It goes on in another process.
        more = engine.wait(engine.fit(tiny_study, dataclasses.replace(fit, max_steps=20)).id, 120)
        assert more.answer.objective <= job.answer.objective
        assert more.answer.settled


def test_what_is_fitted_on_names_the_fit(tiny_study):
    fit = Fit(THIRDS, mean=0.4, draw=DRAW)
    others = [
        dataclasses.replace(fit, mean=0.5),
        dataclasses.replace(fit, whole=True),
        dataclasses.replace(fit, draw=dataclasses.replace(DRAW, seed=1)),
        Fit(THIRDS, "two-sided", balance=0.4, draw=DRAW),
    ]
    keys = {fit_key(tiny_study, other) for other in (fit, *others)}
    assert len(keys) == 5
    assert fit_key(tiny_study, dataclasses.replace(fit, max_steps=3)) in keys
    assert Fit.from_dict(fit.to_dict()) == fit


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"mean": 1.2}, AlphasError, "mean alpha is 1.2"),
        ({"mean": 0.5, "low": 0.6}, AlphasError, "No alphas from 0.6 to 1 have the mean 0.5"),
        ({}, FitError, "keeps a mean alpha"),
        ({"mean": 0.4, "objective": "best"}, FitError, "'best' is unknown"),
        ({"mean": 0.4, "objective": "two-sided"}, FitError, "keeps no mean alpha"),
        ({"objective": "two-sided"}, FitError, "a balance, which is None"),
        ({"objective": "two-sided", "balance": 1.5}, FitError, "a balance, which is 1.5"),
        ({"mean": 0.4, "objective": "adamerging"}, FitError, "An ability group is for"),
        ({"mean": 0.4, "group": "reading"}, FitError, "An ability group is for"),
        ({"mean": 0.4, "form": "paper", "high": 0.9}, AlphasError, "no bounds of its own"),
        ({"mean": 0.4, "max_steps": 0}, FitError, "0 steps"),
    ],
)
def test_what_does_not_go_together_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        Fit(THIRDS, **options)


@pytest.mark.parametrize(
    ("options", "said"), [({"prompts": 0}, "0 prompts"), ({"kept": 0.0}, "share of 0"), ({"drawn": 0}, "0 drawn")]
)
def test_an_empty_draw_is_refused(options, said):
    with pytest.raises(FitError, match=said):
        Draw(**options)


def test_a_suite_without_training_prompts_or_group_says_what_to_do(workbench, tiny_study, tmp_path):
    import json
    import shutil
    from pathlib import Path

    from hma.study import open_study

    folder = shutil.copytree(Path(tiny_study.suite_path).parent, tmp_path / "suite")
    data = json.loads((folder / "suite.json").read_text())
    del data["reward"]["prompts"]["train"]
    (folder / "suite.json").write_text(json.dumps(data))
    study = open_study(tiny_study.reference, tiny_study.policy, folder / "suite.json")
    kept = Kept()
    with pytest.raises(FitError, match=r'names no training prompts.*"train"'):
        workbench.fit(study, Fit(THIRDS, mean=0.4, draw=DRAW), kept, kept.keep)
    with pytest.raises(FitError, match="no ability group for 'labels of nothing'"):
        fitted(workbench, tiny_study, kept, "adamerging", mean=0.4, group="nothing")
    assert not kept


def test_no_texts_left_is_told(workbench, tiny_study):
    kept = Kept()
    with pytest.raises(FitError, match="There is nothing to fit on: the policy's answers"):
        workbench.fit(tiny_study, Fit(THIRDS, mean=0.4, draw=dataclasses.replace(DRAW, kept=0.01)), kept, kept.keep)
    assert not kept
