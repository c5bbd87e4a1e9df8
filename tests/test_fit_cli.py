"""``hma fit`` and ``hma compare``: what they print, that they go on, and what wrong input is told."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest
import typer

from hma import __main__ as program
from hma import lookup, shell
from hma.core.compare import SHARES_OF_GAIN
from hma.core.descent import Step
from hma.core.fit import POLICY_ANSWERS, Fit
from hma.core.partition import Partition
from hma.fit_cli import _print_fits
from hma.store import Store
from tests.cli import hma

DRAW = ["--prompts", 6, "--answers", 2, "--drawn", 6]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("fits") / "points.sqlite"


def found(*arguments):
    done = hma(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_fit_prints_alphas_their_mean_and_the_objective_of_every_step(options, store):
    fit = found("fit", "--mean", 0.4, "--blocks", 3, *DRAW, "--store", store, *options)
    assert fit["mean_alpha"] == pytest.approx(0.4, abs=1e-9) == pytest.approx(np.mean(fit["alphas"]))
    assert len(fit["alphas"]) == 3
    assert len(fit["objective"]) == len(fit["steps"]) >= 2
    assert fit["objective"] == sorted(fit["objective"], reverse=True)
    assert fit["texts"] == {POLICY_ANSWERS: 6}
    assert found("fit", "--mean", 0.4, "--blocks", 3, *DRAW, "--store", store, *options) == fit


def test_every_step_is_a_line_of_a_table_and_how_it_ended_is_told(options, store):
    asked = ["fit", "--mean", 0.4, "--blocks", 3, *DRAW, "--store", store, *options]
    fit = found(*asked)
    lines = [line.split() for line in hma(*asked).stdout.replace("│", " ").splitlines()]
    for number, (objective, alphas) in enumerate(zip(fit["objective"], fit["steps"], strict=True)):
        row = [str(number), f"{objective:.5f}", *(f"{alpha:.3f}" for alpha in alphas)]
        assert [*row, *(["settled"] if number == len(fit["steps"]) - 1 else [])] in lines
    assert fit["settled"] and not fit["stuck"]
    assert any(line[-2:] == [f"{len(fit['steps']) - 1},", "settled"] for line in lines)
    short = hma(*asked, "--max-steps", 1)
    assert "1, not settled" in short.stdout
    assert found(*asked, "--max-steps", 1)["steps"] == fit["steps"][:2]


def test_how_many_texts_there_were_is_told(options, store):
    more = [*DRAW[:4], "--drawn", 600]
    done = hma("fit", "--mean", 0.4, "--blocks", 3, *more, "--max-steps", 1, "--store", store, *options)
    assert f"Fitted on 6 texts, {POLICY_ANSWERS}, of 600 asked for (--drawn): there are no more." in done.stdout
    said = hma("fit", "--mean", 0.4, "--blocks", 3, *DRAW, "--store", store, *options).stdout
    assert f"Fitted on 6 texts, {POLICY_ANSWERS}." in said


def test_a_fit_that_is_stuck_says_so(capsys, monkeypatch):
    """It is not told to have settled."""
    monkeypatch.setenv("COLUMNS", "200")
    alphas = (0.4,) * 3
    start = Step(alphas, 1.0, alphas, (1.0, 0.0, -1.0), (), 1)
    _print_fits([Fit(Partition.equal(3), mean=0.4)], [[start, replace(start, stuck=True)]])
    said = " ".join(capsys.readouterr().out.split())
    assert "1, stuck" in said and "may not be the minimum" in said and "settled" not in said


def test_what_a_fit_found_is_measured_by_the_command_it_prints(options, store):
    asked = ["fit", "--mean", 0.4, "--blocks", 2, *DRAW, "--whole", "--store", store, *options]
    hint = next(line for line in hma(*asked).stdout.splitlines() if line.startswith("To measure it"))
    words = shlex.split(hint.partition(" or: ")[2])
    assert "--mean" not in words and words[words.index("--blocks") + 1] == "2"
    assert shlex.join(words) == shell.command(*words[3:])
    done = hma(*words[3:], "--json")
    assert done.returncode == 0, done.stderr
    assert np.mean(json.loads(done.stdout)["recipe"]["alphas"]) == pytest.approx(0.4, abs=1e-6)


def test_what_fit_alone_takes_is_left_out_of_the_command_that_measures():
    verbs = typer.main.get_command(program.commands()).commands
    fit, measure = ({name for option in verbs[verb].params for name in option.opts} for verb in ("fit", "measure"))
    assert fit - measure == {*lookup._OF_FITTING, *lookup._OF_DRAWING, "--whole", "--measure"}


def test_several_fits_are_measured_on_request(options, store):
    fits = found("fit", "--mean", "0.2,0.4", "--blocks", "layerwise", "--measure", *DRAW, "--store", store, *options)
    assert [fit["mean_alpha"] for fit in fits["fits"]] == pytest.approx([0.2, 0.4])
    assert [np.mean(point["recipe"]["alphas"]) for point in fits["points"]] == pytest.approx([0.2, 0.4], abs=1e-6)
    done = hma("fit", "--balance", 0.5, "--objective", "two-sided", *DRAW, "--measure", "--store", store, *options)
    assert done.returncode == 0, done.stderr
    assert "It uses task prompts" in " ".join(done.stdout.split())
    assert "To measure it" in done.stdout


def test_methods_are_compared_at_equal_budgets_on_test_items(options, store):
    asked = ["compare", "--methods", "ma,hma,two-sided-spaced,random", "--budget", 4, *DRAW, "--store", store, *options]
    compared = found(*asked)
    assert compared["chosen_on"]["split"] == "validation"
    assert compared["reported_on"]["split"] == "test"
    assert {name: len(m["measured"]) for name, m in compared["methods"].items()} == dict.fromkeys(compared["methods"], 4)
    for method in compared["methods"].values():
        assert [0.0] * 3 in method["measured"] and [1.0] * 3 in method["measured"]
        assert set(method["abilities"]) == {f"{share:g}" for share in SHARES_OF_GAIN}
        area = method["hypervolume"]
        assert area["low"] <= area["value"] <= area["high"] and area["low"] < area["high"]
    assert set(compared["against_the_first"]) == {"hma", "two-sided-spaced", "random"}
    words = [line for line in compared["words"] if "before they settled" not in line]
    assert len(words) == 3 * (1 + len(SHARES_OF_GAIN)) + 1
    assert words[-1].startswith("two-sided-spaced: It uses prompts of the tasks")
    before = store.stat().st_mtime_ns, len(Store(store).studies())
    assert found(*asked) == compared  # Nothing is measured or fitted again.
    assert len(Store(store).studies()) == before[1] == 2
    printed = hma(*asked)
    assert "is judged by its front of these on 8 test items" in " ".join(printed.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit"], "keeps a mean alpha"),
        (["fit", "--mean", "a"], "--mean is 'a'"),
        (["fit", "--mean", "1.4"], "mean alpha is 1.4"),
        (["fit", "--mean", "0.4", "--blocks", "9"], "9 blocks were asked for and the model has 3 layers"),
        (["fit", "--mean", "0.4", "--balance", "0.4"], "were both given"),
        (["fit", "--mean", "0.2", "--low", "0.3"], "No alphas from 0.3 to 1 have the mean 0.2"),
        (["fit", "--mean", "0.2", "--drawn", "0"], "0 texts to fit on were asked for. Ask for at least 1 (--drawn)"),
        (["fit", "--mean", "0.2", *DRAW, "--kept", "0.01"], "a share of 0.01 is kept (--kept)"),
        (["fit", "--mean", "0.2", "--objective", "adamerging", "--group", "nothing"], "no ability group"),
        (["compare", "--methods", "ma"], "Name two or more"),
        (["compare", "--methods", "ma,best"], "'best' is unknown"),
        (["compare", "--methods", "ma,adamerging"], "is to name an ability group: adamerging:choice"),
        (["compare", "--methods", "ma,hma:choice"], "takes nothing after a colon"),
        (["compare", "--methods", "ma,offset:a"], "'a' is no list of differences"),
        (["compare", "--methods", "ma,offset:nan|inf|0"], "no finite number"),
        (["compare", "--methods", "ma,offset:0|0.1"], "has 2 differences, and there are 3 blocks"),
        (["compare", "--methods", "ma,random-spaced"], "'random-spaced' is unknown"),
        (["compare", "--budget", "2"], "A budget of 2"),
        (["compare", "--seed", "-1"], "'--seed': '-1'. It must be a whole number, 0 or more"),
    ],
)
def test_wrong_input_is_told(arguments, said, options, tmp_path):
    done = hma(*arguments, "--store", tmp_path / "points.sqlite", *options)
    assert done.returncode == 2, done.stdout
    assert said in " ".join(done.stderr.split())
