"""The verb ``preflight`` as people and programs use it."""

import json

from tests import tiny
from tests.cli import hma


def test_preflight_lists_all_that_is_wrong_in_80_columns_and_exits_2(tiny_pair, tmp_path):
    wide, _ = tiny.write_pair(tmp_path, hidden=32, dtype="bfloat16")
    given = ["preflight", "--reference", tiny_pair[0], "--policy", wide]
    done = hma(*given, COLUMNS="80")
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    said = " ".join(done.stdout.split())
    for subject in ("shapes", "dtypes", "config"):
        assert f"fatal {subject}: " in said
    assert "This pair cannot be merged: " in lines[-1]
    printed = hma(*given, "--json")
    assert printed.returncode == 2
    assert printed.stdout.count("\n") == 1
    levels = [finding["level"] for finding in json.loads(printed.stdout)["findings"]]
    assert levels == sorted(levels, key=["fatal", "warning", "note"].index)
    assert f"{levels.count('fatal')} fatal" in lines[-1]


def test_preflight_of_a_pair_that_fits_exits_0_with_its_bytes(tiny_pair):
    given = ["preflight", "--reference", tiny_pair[0], "--policy", tiny_pair[1]]
    done = hma(*given, "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["needed_bytes"] == printed["reference_bytes"] + 2 * printed["policy_bytes"]
    assert {finding["level"] for finding in printed["findings"]} == {"note"}
    assert "This pair can be merged" in hma(*given).stdout
