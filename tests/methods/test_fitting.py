"""Fits on a tiny pair: where alphas go, what they are fitted on, and what is refused."""

import dataclasses

import numpy as np
import pytest

from hma.core.fit import Draw, Fit, l1_weights
from hma.core.partition import Partition
from hma.errors import AlphasError, FitError
from hma.methods.fitting import TEXTS, fit_key, texts_keys
from hma.methods.objective import FitObjective
from hma.methods.texts import Text
from tests.methods.fits import DRAW, THIRDS, Kept


@pytest.fixture(scope="module")
def tiny_study(both):
    return both[0]


def fitted(workbench, study, kept, *arguments, **options):
    return workbench.fit(study, Fit(THIRDS, *arguments, draw=DRAW, **options), kept, kept.keep)


def objective_of(workbench, study, kept, fit):
    """The value that a fit lets fall, of its kept texts at any alphas."""
    keys = texts_keys(study, fit)
    texts = [(weight, [Text.from_dict(text) for text in kept[keys[source]]]) for source, weight in fit.sources.items()]
    objective = FitObjective(fit, workbench._live, texts)
    return lambda alphas: objective(np.array(alphas))[0]


def lowest(workbench, study, kept, fit, near=(0.5, 0.5), reach=0.5):
    """Its lowest value on a grid of alphas that have the mean, all or those about the first two of ``near``."""
    objective, moves = objective_of(workbench, study, kept, fit), np.linspace(-reach, reach, 6)
    thirds = [(near[0] + a, near[1] + b, 3 * fit.mean - near[0] - a - near[1] - b) for a in moves for b in moves]
    return min(objective(alphas) for alphas in thirds if min(alphas) >= -1e-9 and max(alphas) <= 1 + 1e-9)


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
    fit, last = Fit(THIRDS, mean=0.4, draw=DRAW), steps[-1]
    assert last.settled
    assert last.objective == pytest.approx(objective_of(workbench, tiny_study, kept, fit)(last.alphas))
    assert last.objective < 0.95 * steps[0].objective
    assert last.objective <= 1.002 * lowest(workbench, tiny_study, kept, fit)


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
    """To where no move within the reach that it looks at is worth it; farther away this pair's loss has lower places."""
    for group in tiny_study.groups:
        steps = fitted(workbench, tiny_study, kept, "adamerging", mean=0.5, group=group)
        fit, last = Fit(THIRDS, "adamerging", mean=0.5, group=group, draw=DRAW), steps[-1]
        assert last.settled and last.objective < 0.998 * steps[0].objective
        assert last.objective <= 1.002 * lowest(workbench, tiny_study, kept, fit, last.alphas, 0.02)


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


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"mean": 1.2}, AlphasError, "mean alpha is 1.2"),
        ({"mean": 0.5, "low": 0.6}, AlphasError, "No alphas from 0.6 to 1 have the mean 0.5"),
        ({}, FitError, "keeps a mean alpha, and none was given. Give --mean, such as"),
        ({"balance": 0.4}, FitError, "has no balance. Give --mean instead"),
        ({"mean": 0.4, "objective": "best"}, FitError, "'best' is unknown"),
        ({"mean": 0.4, "objective": "two-sided"}, FitError, "keeps no mean alpha"),
        ({"objective": "two-sided"}, FitError, "a balance, and none was given. Give --balance"),
        ({"objective": "two-sided", "balance": 1.5}, FitError, "a balance, and it is 1.5"),
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
    ("options", "said"),
    [({"prompts": 0}, "0 prompts"), ({"kept": 0.0}, "share of 0"), ({"drawn": 0}, r"0 texts to fit on .* \(--drawn\)")],
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
    with pytest.raises(FitError, match="no ability group 'nothing'"):
        fitted(workbench, tiny_study, kept, "adamerging", mean=0.4, group="nothing")
    assert not kept


def test_no_texts_left_is_told_with_the_setting_that_left_none(workbench, tiny_study):
    kept = Kept()
    with pytest.raises(FitError, match=r"None of the policy's 12 answers is left.* a share of 0.01 is kept \(--kept\)"):
        workbench.fit(tiny_study, Fit(THIRDS, mean=0.4, draw=dataclasses.replace(DRAW, kept=0.01)), kept, kept.keep)
    assert not kept
