"""The made-up surface: its noise is as told, and searches run on it."""

import numpy as np
import pytest

from hma.bench import surface


def test_near_neighbours_share_most_of_their_noise_and_a_search_runs_on_it(monkeypatch, capsys):
    monkeypatch.setattr(surface, "STEPS", 3)
    monkeypatch.setattr(surface, "BUDGET", 8)
    surface.main(1, [1.0])
    said = capsys.readouterr().out
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "seed 0, search, 1 of own variance", "seed 0, MA", "seed 0, the best of the grid's front, if one knew",
    ]  # fmt: skip
    noise = []
    for seed in range(300):
        validation, test, errors = surface.drawn(seed)
        noise.append([np.subtract(validation[a], test[a]) / errors for a in ((0.0, 0.0, 0.0), (0.5, 0.0, 0.0))])
    (here, there), expected = np.moveaxis(np.array(noise), 1, 0), 1 - 0.8 * np.exp(-0.5 / surface.REACH)
    assert here.var() == pytest.approx(2, rel=0.25)
    assert (here - there).var() == pytest.approx(4 * expected, rel=0.25)
