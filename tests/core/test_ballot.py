"""Blind votes: the lot, the tally, and how often its interval holds the truth."""

from dataclasses import replace

import numpy as np
import pytest

from hma.core.ballot import LEFT, ONE, OTHER, RIGHT, SKIP, TIE, Ballot, Tally
from hma.core.statistics import Result, unseen, wilson

ITEMS = tuple(f"i{i}" for i in range(200))


def test_every_item_comes_once_and_sides_and_order_are_drawn_from_the_seed():
    ballot = Ballot.drawn(ITEMS, 3)
    assert sorted(ballot.items) == sorted(ITEMS) and ballot.items != ITEMS
    assert ballot == Ballot.drawn(ITEMS, 3)
    lefts = [ballot.writers(place)[0] for place in range(200)]
    assert all(set(ballot.writers(place)) == {ONE, OTHER} for place in range(200))
    assert 70 < lefts.count(ONE) < 130
    other = Ballot.drawn(ITEMS, 4)
    assert other.items != ballot.items
    assert 60 < sum(other.writers(p)[0] == lefts[p] for p in range(200)) < 140


def test_a_vote_is_for_whoever_wrote_what_stands_there():
    ballot = Ballot.drawn(ITEMS, 5)
    while len(ballot.votes) < 20:
        ballot = ballot.voted(LEFT if ballot.writers(len(ballot.votes))[0] == ONE else RIGHT)
    assert ballot.tally == Tally(20, 0, 0, 0)
    assert {ballot.preferred(place) for place in range(20)} == {ONE}
    assert ballot.preferred(20) is None
    turned = replace(ballot, votes=tuple({LEFT: RIGHT, RIGHT: LEFT}[vote] for vote in ballot.votes))
    assert turned.tally == Tally(0, 20, 0, 0)


def test_ties_are_half_and_skips_are_nothing():
    ballot = Ballot.drawn(ITEMS, 5).voted(TIE).voted(SKIP).voted(TIE)
    assert (ballot.tally.share, ballot.tally.num_votes, ballot.tally.skipped) == (0.5, 2, 1)
    assert Ballot.drawn(ITEMS, 5).voted(SKIP).tally.share is None
    assert not ballot.tally.is_shown


def test_a_round_ends_with_its_items_or_when_it_is_closed():
    ballot = Ballot.drawn(("a", "b"), 1).voted(LEFT)
    assert not ballot.is_over and ballot.item == ballot.items[1]
    assert ballot.taken_back().votes == () and ballot.taken_back().taken_back().votes == ()
    for over in (ballot.close(), ballot.voted(TIE)):
        assert over.is_over and over.item is None
        assert over.taken_back() == over
        with pytest.raises(ValueError):
            over.voted(LEFT)
    with pytest.raises(ValueError):
        ballot.voted("up")
    with pytest.raises(ValueError):
        Ballot.drawn((), 1)


def test_a_preference_takes_six_votes_and_an_interval_without_a_half():
    assert not Tally(5, 0, 0, 0).is_shown
    assert Tally(6, 0, 0, 0).is_shown and Tally(0, 6, 0, 0).is_shown
    assert not Tally(6, 5, 0, 0).is_shown
    assert not Tally(6, 0, 40, 0).is_shown


def test_wilsons_interval_is_the_published_one_and_that_of_scores_at_their_ends():
    assert wilson(0.4, 10) == pytest.approx((0.1682, 0.6873), abs=1e-4)  # Newcombe 1998: score method, without correction
    low, high = wilson(1.0, 10)
    assert (high, 100 * (1 - low)) == (1, pytest.approx(unseen(Result("mean", np.full((10, 1), 100.0), ITEMS[:10]))))
    assert wilson(0.3, 25) == pytest.approx(tuple(1 - end for end in reversed(wilson(0.7, 25))))


def test_the_interval_holds_the_truth_often_enough_with_ties_too():
    generator = np.random.default_rng(0)
    for win, tie in ((0.5, 0.0), (0.7, 0.2), (0.9, 0.05)):
        truth, held = win + tie / 2, 0
        for wins, ties, losses in generator.multinomial(40, [win, tie, 1 - win - tie], size=2000):
            low, high = Tally(wins, losses, ties, 0).interval
            held += low <= truth <= high
        assert held / 2000 > 0.93
