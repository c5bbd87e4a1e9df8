"""Verdicts on claims, and the page they stand on."""

import numpy as np
import pytest

from hma.comparing import Compared
from hma.core.compare import Estimate, compare
from hma.lab.claims import CLAIMS, FAILS, HOLDS, UNDECIDED, verdict, verdicts
from hma.lab.page import write
from hma.lab.replication import Replicated
from tests.cli import hma
from tests.core import made

UP, DOWN, OPEN = Estimate(2.0, 1.0, 3.0), Estimate(-2.0, -3.0, -1.0), Estimate(0.5, -1.0, 2.0)


@pytest.mark.parametrize(
    ("estimates", "expected"),
    [
        ([UP, UP, UP], HOLDS),
        ([UP, OPEN, UP], UNDECIDED),
        ([OPEN], UNDECIDED),
        ([UP, UP, DOWN], FAILS),
        ([OPEN, DOWN], FAILS),
        ([Estimate(1.0, 0.0, 2.0)], UNDECIDED),
    ],
)
def test_a_claim_holds_where_every_seed_shows_it_and_fails_where_one_shows_the_opposite(estimates, expected):
    assert verdict(estimates) == expected


def test_claims_that_no_pair_tells_of_are_left_out():
    assert verdicts([{"hma 3": UP}, {"hma 3": DOWN}]) == {"hma 3": (FAILS, [UP, DOWN])}
    with pytest.raises(ValueError, match="one pair or more"):
        verdict([])


def replicated(seed):
    draw = np.random.default_rng(seed)
    values = [(0, 80), (2, 75), (3, 70), (4, 40)]
    results = [{"reward": made.mean(r + draw.normal(size=40)), "t": made.mean(a + draw.normal(size=40), "t")} for r, a in values]
    alphas = [(1.0,) * 3, (0.5,) * 3, (0.4, 1, 0), (0.0,) * 3]
    reference, one, other, policy = made.points(results, {"t": ["t"]}, alphas)
    tested = {"ma": [one], "hma": [other]}
    compared = Compared(None, None, {}, {}, tested, (reference, policy), compare(tested, reference, policy))
    return Replicated("default", seed, {"hma 3": UP, "ma": DOWN}, {"3": compared}, [(0.0, 80.0), (4.0, 40.0)])


def test_the_page_has_every_claim_with_its_verdict_and_a_picture_of_each_pair(tmp_path):
    write(tmp_path, [replicated(0), replicated(1)], points=3, num_items=40)
    page = (tmp_path / "report.md").read_text()
    says = {claim.name: claim.says for claim in CLAIMS}
    assert f"| {says['hma 3']} | {HOLDS} | % of the box | 2.0 (1.0 to 3.0) | 2.0 (1.0 to 3.0) |" in page
    assert f"| {says['ma']} | {FAILS} |" in page
    assert says["hma 6"] not in page
    for seed in (0, 1):
        assert f"(default-seed-{seed}.png)" in page
        assert (tmp_path / f"default-seed-{seed}.png").read_bytes().startswith(b"\x89PNG")
    for line in page.splitlines():  # Every row of a table has the columns of its head.
        assert not line.startswith("| ") or line.count("|") in (5, 6)


def test_a_pair_that_is_not_there_is_told_with_the_command_that_makes_it(tmp_path):
    done = hma("lab", "report", "--pairs", tmp_path, "--seeds", "3")
    assert done.returncode == 2
    assert "There is no pair in" in done.stderr and "lab pairs --scenarios default --seeds 3" in " ".join(done.stderr.split())
