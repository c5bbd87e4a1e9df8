"""Surveys: what merges make of both sides' texts, stopped and gone on with, and what a search does with them."""

import moocore
import numpy as np
import pytest
import torch

from hma.core.observation import Observation
from hma.core.partition import Partition
from hma.core.question import Question, spread_first
from hma.core.surrogate import Predictor, quantities
from hma.core.survey import SURVEY, Survey, Surveyed
from hma.errors import Cancelled, FitError
from hma.methods.fitting import kept_of_survey, survey_key, texts_keys
from hma.methods.search import ask, design_after, fitted, replied
from hma.methods.surrogate import fit
from hma.methods.surveying import merges
from hma.methods.texts import Text
from tests.methods.fits import THIRDS, Kept
from tests.methods.test_search import measure

ASKED = Survey(THIRDS, seed=3)


@pytest.fixture(scope="module")
def whole(both):
    """A survey of the tiny pair, and all that is kept of it."""
    study, workbench = both
    kept = Kept()
    return workbench.survey(study, ASKED, kept, kept.keep), kept


def test_each_end_finds_its_own_side_likeliest(whole):
    found, _ = whole
    assert found.alphas[:2] == ((0.0,) * 3, (1.0,) * 3)
    assert len(found.alphas) == len(set(found.alphas)) == len(found.values) == ASKED.num_merges
    policys, references = np.array(found.values).T
    assert policys[0] < policys[1] and references[1] < references[0]


def test_its_numbers_are_the_likelihoods_of_the_texts(both, whole):
    """A merge that is measured by itself, text by text."""
    study, workbench = both
    found, kept = whole
    alphas, values = found.alphas[5], found.values[5]
    from hma.core.recipe import Recipe
    from hma.evaluate.proxies import log_likelihoods

    workbench._live.write(Recipe(THIRDS, alphas))
    for key, value in zip(texts_keys(study, ASKED.fit).values(), values, strict=True):
        texts = [Text.from_dict(text) for text in kept[key]]
        model, tokens = workbench._live.model, sum(len(text.answer) for text in texts)
        total = sum(log_likelihoods(model, [text.prompt for text in texts], [text.answer for text in texts]))
        assert value == pytest.approx(-total / tokens, rel=1e-5)


def test_stopped_it_goes_on_where_it_was(both, whole):
    study, workbench = both
    part = Kept()

    def stop(stage, share):
        if stage.startswith("surveying merges: 11 "):
            raise Cancelled

    with pytest.raises(Cancelled):
        workbench.survey(study, ASKED, part, part.keep, stop)
    key = survey_key(study, ASKED)
    assert len(part[key]["values"]) == 11
    told = []
    found = workbench.survey(study, ASKED, part, part.keep, lambda stage, share: told.append((stage, share)))
    assert told[0][0].startswith("surveying merges: 11 of ") and told[0][1] < 0.5
    assert np.array(found.values) == pytest.approx(np.array(whole[0].values), rel=1e-6)
    assert part.keys() <= set(kept_of_survey(study, ASKED)) and part.written[-1] == SURVEY
    assert Surveyed.from_dict(part[key]) == found


def test_weights_that_are_no_numbers_are_told(both, monkeypatch):
    study, workbench = both
    monkeypatch.setattr("hma.methods.surveying.Likelihood.value", lambda self, model: float("nan"))
    kept = Kept()
    with pytest.raises(FitError, match="no number at alphas 0, 0, 0"):
        workbench.survey(study, ASKED, kept, kept.keep)


def test_a_larger_seed_and_more_blocks_are_other_surveys(both):
    study, _ = both
    assert merges(ASKED) != merges(Survey(THIRDS, seed=4))
    wide = Survey(Partition.equal(3, 2), seed=3)
    assert len({survey_key(study, survey) for survey in (ASKED, Survey(THIRDS, seed=4), wide)}) == 3
    assert (len(merges(ASKED)), len(merges(wide))) == (34, 26)


# What a search does with one, on a surface that is made up.


def bent(alphas):
    """Unlikelihoods as a survey would find them where the surface is ``measure``: they rank it, and are not linear in it."""
    return tuple((float(np.expm1(-o.reward / 4)), float(-((o.ability / 100) ** 2))) for o in measure(alphas))


PLACES = [(0.0,) * 3, (1.0,) * 3, *map(tuple, torch.quasirandom.SobolEngine(3, scramble=True, seed=0).draw(32).tolist())]
SURVEYED = Surveyed(tuple(PLACES), bent(PLACES))


def area(alphas):
    ends = measure([(0.0,) * 3, (1.0,) * 3])
    corner = [min(o.reward for o in ends), min(o.ability for o in ends)]
    return moocore.hypervolume(np.array([(o.reward, o.ability) for o in measure(alphas)]), ref=corner, maximise=True)


def test_it_begins_on_the_surveys_front():
    from hma.methods.search import design

    found = design_after(SURVEYED, 10)
    assert found[:2] == ((0.0,) * 3, (1.0,) * 3) and len(set(found)) == 10
    assert found[:6] == design_after(SURVEYED, 6)
    assert area(found) > area(design(3, 10)) * 1.05


def test_where_its_front_has_no_more_the_start_is_spread():
    """All but the ends are worse on both sides than either end: a barrier between the two."""
    values = tuple((1 + a + 9 * a * (1 - a), 2 - a + 9 * a * (1 - a)) for a in (float(np.mean(place)) for place in PLACES))
    walled = Surveyed(tuple(PLACES), values)
    found = design_after(walled, 10)
    assert len(set(found)) == 10 and found[:2] == ((0.0,) * 3, (1.0,) * 3)
    told = ask(measure(found), 3, 10, surveyed=walled)
    assert told.why in ("front", "spread") and told.alphas[0] not in found


@pytest.mark.parametrize("num_blocks", [1, 5])
def test_it_goes_with_any_number_of_blocks(num_blocks):
    draw = np.random.default_rng(0)
    places = [(0.0,) * num_blocks, (1.0,) * num_blocks, *map(tuple, draw.random((40, num_blocks)).round(4).tolist())]
    weights = np.arange(1, num_blocks + 1) / np.arange(1, num_blocks + 1).sum()

    def observed(rows):
        return [Observation(a, float(5 - 5 * (weights @ np.array(a)) ** 2), 0.01, float(40 * np.mean(a)), 1.0) for a in rows]

    surveyed = Surveyed(tuple(places), tuple((float((weights @ np.array(a)) ** 2), float(-np.mean(a))) for a in places))
    start = design_after(surveyed, spread_first(num_blocks, True))
    told = ask(observed(start), num_blocks, len(start), surveyed=surveyed)
    assert told.why == "front" and told.alphas[0] not in start and len(told.alphas[0]) == num_blocks


@pytest.mark.parametrize("seed", range(3))
def test_a_block_without_effect_is_found_with_it_too(seed):
    draw = np.random.default_rng(seed)
    alphas = [(0.0,) * 3, (1.0,) * 3, *map(tuple, draw.random((27, 3)).round(2).tolist())]
    truth = [(5 * (1 - 0.6 * a - 0.4 * c), 50 * (0.4 * a + 0.6 * c)) for a, _, c in alphas]
    observed = [
        Observation(row, r + draw.normal(0, 0.25 * 0.3), 0.25**2, y + draw.normal(0, 3 * 0.3), 9.0)
        for row, (r, y) in zip(alphas, truth, strict=True)
    ]
    surveyed = Surveyed(tuple(PLACES), tuple((0.6 * a + 0.4 * c, -0.4 * a - 0.6 * c) for a, _, c in PLACES))
    assert fitted(observed, surveyed).inert == fitted(observed).inert == (1,)


def test_with_it_few_points_foresee_the_rest():
    """With less error than the same points come to without it, at merges that nobody measured."""
    observed, held = measure(design_after(SURVEYED, 10)), measure(np.random.default_rng(1).random((200, 3)).tolist())
    truth = np.array([(o.reward, o.ability) for o in held])
    errors = []
    for surveyed in (None, SURVEYED):
        means, _ = fitted(observed, surveyed).predict([o.alphas for o in held])
        errors.append(np.sqrt(((means - truth) ** 2).mean(axis=0)))
    assert (errors[1] < errors[0]).all()


def test_the_predictor_says_what_the_model_does():
    observed = measure(design_after(SURVEYED, 12))
    surrogate = fitted(observed, SURVEYED)
    asked = np.random.default_rng(9).random((20, 3))
    posterior = surrogate.model.posterior(surrogate.inputs(asked))
    centre, spread = surrogate.predictor.standardisation
    means, deviations = Predictor.from_dict(surrogate.to_arrays()).predict(asked)
    assert (means - centre) / spread == pytest.approx(posterior.mean.detach().numpy(), abs=1e-6)
    assert deviations / spread == pytest.approx(posterior.stddev.detach().numpy(), abs=1e-6)


def test_left_out_points_are_predicted_by_the_survey_and_the_rest():
    observed = measure(design_after(SURVEYED, 12))
    assert (fitted(observed, SURVEYED).leave_one_out.relative_rmse < fitted(observed).leave_one_out.relative_rmse).all()


def test_quantities_are_shares_of_their_ranges():
    survey = fit(SURVEYED.alphas, SURVEYED.values, np.zeros((34, 2)).tolist()).predictor
    found = quantities(survey, np.array(PLACES))
    assert found.min(axis=0) == pytest.approx(0, abs=0.01) and found.max(axis=0) == pytest.approx(1, abs=0.01)


def test_every_question_of_a_search_has_it_and_its_name_tells_it():
    observed = tuple(measure(design_after(SURVEYED, 10)))
    plain, told = (Question(observed, 3, 10, 1, 0, surveyed=surveyed) for surveyed in (None, SURVEYED))
    assert plain.key != told.key
    assert replied(told).why == "front"
    begin = ask(observed[:2], 3, 10, surveyed=SURVEYED)
    assert begin.why == "start" and begin.alphas[0] == design_after(SURVEYED, 10)[2]
    assert Surveyed.from_dict(SURVEYED.to_dict()) == SURVEYED
