"""The claim that MA lies above early stopping can fail."""

from hma.lab.check import compared
from hma.lab.scenario import SCENARIOS


def at(*pairs):
    return [{"reward": reward, "ability": ability} for reward, ability in pairs]


PATH = at((0, 90), (1, 85), (2, 75), (3, 65), (4, 60))


def test_a_front_above_the_curve_passes():
    comparison = compared(at((0, 90), (2, 88), (3, 80), (4, 60)), PATH)
    assert comparison.margins == (3, 13, 15)
    assert comparison.passed


def test_the_curve_itself_does_not_pass():
    comparison = compared(PATH, PATH)
    assert comparison.margins == (0, 0, 0)
    assert comparison.ma_hypervolume == comparison.path_hypervolume == 25 + 15 + 5
    assert not comparison.passed


def test_a_front_below_the_curve_fails():
    assert not compared(at((0, 90), (1, 70), (4, 60)), PATH).passed


def test_a_front_within_the_noise_of_the_curve_does_not_pass():
    comparison = compared(at((0, 90), (1, 86), (2, 76), (3, 66), (4, 60)), PATH)
    assert comparison.ma_hypervolume > comparison.path_hypervolume
    assert comparison.margins == (1, 1, 1)
    assert not comparison.passed


def test_a_snapshot_that_no_merge_reaches_is_lost():
    path = at((0, 90), (5, 80), (4, 60))
    comparison = compared(at((0, 90), (3, 85), (4, 60)), path)
    assert comparison.margins == (-20,)
    assert not comparison.passed


def test_scenarios_are_listed_by_their_own_names():
    assert all(name == scenario.name for name, scenario in SCENARIOS.items())
    assert "default" in SCENARIOS
