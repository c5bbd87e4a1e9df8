"""The search: its start, that it beats chance, that it resumes where it was, and refusals."""

import math
import subprocess
import sys
import time
from dataclasses import replace

import moocore
import numpy as np
import pytest

from hma.bench.search import FAST, POINTS, _surveyed, smooth
from hma.core.front import Corner
from hma.core.question import Question, spread_first
from hma.methods.search import INERT, Observation, ask, corner_at, design, fitted, replied, suggest
from hma.searching import turns
from tests.forking import ROOT

LADDER = {round(i / 20, 6) for i in range(21)}


def measure(alphas):
    """A reward that falls and an ability that rises with alpha, each faster in some blocks, as averaging does."""
    found = []
    for row in alphas:
        low, middle, high = row
        reward = 4 - 2 * low**2 - 1.0 * middle - 2 * high**3
        ability = 30 + 14 * math.sqrt(low) + 4 * middle**2 + 32 / (1 + math.exp(-10 * (high - 0.6)))
        found.append(Observation(row, reward, 0.04, ability, 4.0))
    return found


def area(observed):
    ends = measure([(0.0,) * 3, (1.0,) * 3])
    corner = [min(o.reward for o in ends), min(o.ability for o in ends)]
    return moocore.hypervolume(np.array([(o.reward, o.ability) for o in observed]), ref=corner, maximise=True)


def asked(known, num=1, start=8, **options):
    return ask(known, 3, start, num, **options)


@pytest.fixture(scope="module")
def whole():
    """A search of 12 points, 8 of them to begin with: what was asked, and what was observed."""
    observed, found = [], []
    while len(observed) < 12:
        found.append(asked(observed))
        observed += measure(found[-1].alphas)
    return found, observed


def test_a_start_has_the_ends_ma_and_every_block_on_its_own():
    found = design(3, 11, seed=4)
    assert found[:5] == [(0.0,) * 3, (1.0,) * 3, (0.5,) * 3, (0.25,) * 3, (0.75,) * 3]
    assert len(set(found)) == 11
    assert all(alpha in LADDER for alphas in found for alpha in alphas)
    assert found == design(3, 20, seed=4)[:11]
    assert found != design(3, 11, seed=5)
    spread = np.array(design(3, 37, seed=4)[5:])
    assert all(
        6 <= ((low <= spread[:, block]) & (spread[:, block] < low + 0.25)).sum() <= 12 for block in range(3) for low in (0, 0.5)
    )


def test_a_start_ends_where_its_ladder_does():
    assert sorted(design(1, 10, steps=5)) == [(0.0,), (0.25,), (0.5,), (0.75,), (1.0,)]
    with pytest.raises(ValueError, match="1 block and 2 points"):
        design(3, 1)


def test_it_beats_chance():
    gained = []
    for seed in range(3):
        drawn = np.random.default_rng(seed).random((14, 3)).tolist()
        chance = area(measure([(0.0,) * 3, (1.0,) * 3, *map(tuple, drawn)]))
        observed = []
        while len(observed) < 14:
            observed += measure(asked(observed, min(3, 14 - len(observed)), seed=seed, steps=11).alphas)
        gained.append(area(observed) / chance)
    assert np.median(gained) > 1.05


def test_it_says_why_and_measures_nothing_twice(whole):
    found, observed = whole
    assert [one.why for one in found] == ["start"] * 8 + ["front"] * 4
    alphas = [o.alphas for o in observed]
    assert len(set(alphas)) == 12
    assert all(alpha in LADDER for row in alphas for alpha in row)


@pytest.mark.parametrize("done", [5, 10])
def test_the_order_of_the_points_plays_no_part(whole, done):
    found, observed = whole
    shuffled = [observed[i] for i in np.random.default_rng(1).permutation(done)]
    assert asked(shuffled).alphas == found[done].alphas


def test_a_reply_tells_what_the_points_told(whole):
    _, observed = whole
    assert replied(Question(tuple(observed[:5]), 3, 8)).errors == ()
    reply = replied(Question(tuple(observed), 3, 8))
    surrogate = fitted(observed)
    assert reply.why == "front" and reply.predictor
    assert reply.errors == tuple(surrogate.leave_one_out.relative_rmse) and max(reply.errors) < 0.7
    assert reply.inert == surrogate.inert
    assert type(reply).from_dict(reply.to_dict()) == replace(reply, predictor=None)


@pytest.mark.parametrize("surveyed", [None, _surveyed()], ids=["alone", "surveyed"])
def test_a_suggestion_takes_two_seconds_at_most(surveyed):
    observed = tuple(smooth(alphas) for alphas in design(3, POINTS))
    took = []
    while len(took) < 3 and min(took, default=math.inf) > FAST:  # What else runs on a core may slow it down, but not hurry it.
        before = time.process_time()
        reply = replied(Question(observed, 3, spread_first(3), seed=len(took), surveyed=surveyed))
        took.append(time.process_time() - before)
        assert reply.why == "front"
    assert min(took) <= FAST, took


def test_points_from_elsewhere_spare_the_start_but_never_the_ends():
    known = measure([tuple(row) for row in np.random.default_rng(0).random((10, 3)).round(2).tolist()])
    first = ask(known, 3, start=8, num=8)
    assert (first.why, first.alphas) == ("start", ((0.0,) * 3, (1.0,) * 3))
    assert ask([*known, *measure(first.alphas)], 3, start=8).why == "front"


def test_what_is_known_of_ma_alone_spares_nothing():
    line = measure([(alpha / 10,) * 3 for alpha in range(11)])
    assert ask(line, 3, start=11, num=11).why == "start"


def test_while_nothing_is_known_it_spreads():
    draw = np.random.default_rng(0)
    noise = [Observation(a, float(draw.normal()), 1.0, float(draw.normal()), 1.0) for a in design(3, 10)]
    asked = ask(noise, 3, start=10, num=3)
    assert asked.why == "spread"
    assert asked.alphas == tuple(design(3, 13)[10:])


def test_a_block_without_effect_is_not_searched():
    draw = np.random.default_rng(0)
    observed = [
        replace(o, alphas=(*o.alphas[::2], a[1])) for o, a in ((measure([(a[0], 0.5, a[2])])[0], a) for a in draw.random((38, 3)))
    ]
    observed += [replace(o, alphas=(o.alphas[0],) * 3) for o in measure([(0.0, 0.5, 0.0), (1.0, 0.5, 1.0)])]
    surrogate = fitted(observed)
    assert surrogate.inert == (2,)
    found = suggest(surrogate, observed, corner_at(observed), num=3)
    assert len(set(found)) == 3
    assert {alphas[2] for alphas in found} == {INERT}


def test_where_no_block_has_an_effect_all_are_searched():
    observed = measure(design(3, 12))
    surrogate = fitted(observed)
    vars(surrogate)["inert"] = (0, 1, 2)
    for steps in (5, 21):
        found = suggest(surrogate, observed, corner_at(observed), num=2, steps=steps)
        assert len(set(found)) == 2


def test_many_blocks_are_searched_by_candidates_and_climbing():
    draw = np.random.default_rng(0)
    observed = []
    for alphas in [(0.0,) * 8, (1.0,) * 8, *map(tuple, draw.random((14, 8)).tolist())]:
        observed += [replace(measure([(alphas[0], alphas[3], alphas[7])])[0], alphas=alphas)]
    surrogate = fitted(observed)
    found = suggest(surrogate, observed, corner_at(observed), num=2, seed=3)
    assert found == suggest(surrogate, observed[::-1], corner_at(observed), num=2, seed=3)
    assert len({len(alphas) for alphas in found}) == 1
    assert all(alpha in LADDER for alphas in found for alpha in alphas)


def test_a_small_ladder_runs_out():
    observed = measure(design(3, 26, steps=3))
    found = suggest(fitted(observed), observed, Corner(-1, 30), num=5, steps=3)
    assert len(found) == 1
    own = []
    for turn in turns(3, 40, replied, measure, steps=2):
        own += turn.reply.alphas
    assert len(set(own)) == len(own) == 8


def test_the_corner_needs_both_ends():
    assert corner_at(measure([(0.0,) * 3])) is None
    assert corner_at(measure([(0.0,) * 3, (1.0,) * 3])) == Corner(-1.0, pytest.approx(30.08, abs=0.01))


@pytest.mark.parametrize(
    "numbers", [((0.5,), math.nan, 1, 1, 1), ((1.5,), 1, 1, 1, 1), ((0.5,), 1, -1, 1, 1), ((math.inf,), 1, 1, 1, 1)]
)
def test_an_observation_is_a_number(numbers):
    with pytest.raises(ValueError, match="must be"):
        Observation(*numbers)


def test_it_refuses_other_blocks():
    with pytest.raises(ValueError, match="2 blocks are searched"):
        ask(measure([(0.1, 0.2, 0.3)]), 2, start=5)


def test_nothing_is_compiled_for_it(forks):
    """A compiler that is killed leaves a lock behind, for which the next search would wait without end."""
    code = """if True:
        from unittest import mock
        from tests.methods.test_search import measure
        from hma.methods.search import corner_at, design, fitted, suggest
        observed = measure(design(3, 8))
        with mock.patch("torch.utils.cpp_extension.load") as compile:
            assert suggest(fitted(observed), observed, corner_at(observed))
        print("compiled" if compile.called else "nothing")
    """
    none = subprocess.DEVNULL
    done = forks.run([sys.executable, "-c", code], stdin=none, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "nothing\n", done.stderr
