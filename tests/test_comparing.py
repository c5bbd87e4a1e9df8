"""What is said of a comparison beside its numbers."""

from hma.comparing import BALANCES, Budget, Compared, path_fits, words
from hma.core.compare import compare
from hma.core.partition import Partition
from tests.core.test_compare import points


def compared(names, **more):
    reference, *between, policy = points([(0, 80), (2, 75), (3, 70), (4, 40)])
    tested = dict(zip(names, ([point] for point in between), strict=True))
    return Compared(None, None, {}, {}, tested, (reference, policy), compare(tested, reference, policy), **more)


def test_what_methods_use_beyond_the_papers_is_said_of_them_alone():
    said = words(compared(["ma-spaced", "two-sided-spaced"]))
    assert said[-1] == "two-sided-spaced: It uses prompts of the tasks, without labels; the paper's HMA uses none."
    assert "labelled" in words(compared(["ma", "adamerging:reading"]))[-1]
    assert not any("the paper's HMA" in line for line in words(compared(["ma", "two-sided-free"])))


def test_fits_that_did_not_settle_are_told():
    said = words(compared(["ma", "hma"], unsettled={"hma": 2}))
    assert said[-1] == "hma: 2 of its fits ended before they settled, so that its alphas may not be what it was to find."
    assert "settled" not in " ".join(words(compared(["ma", "hma"], unsettled={"hma": 0})))


def test_a_path_is_laid_by_a_fit_for_each_balance():
    budget = Budget(5, Partition.equal(6, 3))
    for name in ("two-sided", "two-sided-spaced", "two-sided-free-spaced"):
        fits = path_fits(name, budget)
        assert [fit.balance for fit in fits] == list(BALANCES)
        assert {fit.objective for fit in fits} == {name.removesuffix("-spaced")}
    assert path_fits("ma-spaced", budget) == path_fits("search", budget) == []
