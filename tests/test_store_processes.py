"""Several processes with one store, and one that is killed: points are whole or not there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hma.store import Store
from tests.stored import STUDY

_WRITER = """
import sys
from tests.stored import STUDY, measurement
from hma.store import Store
store = Store(sys.argv[1])
for i in range(100000):
    store.add(STUDY, measurement(i / 100000, seed=i, num_items=200))
    print(i, flush=True)
"""


@pytest.mark.parametrize("attempt", range(3))
def test_kill_at_any_moment_leaves_only_whole_points(tmp_path, attempt):
    path = tmp_path / "points.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    for _ in range(3):
        reported = int(writer.stdout.readline())
    time.sleep(0.03 * attempt + 0.005)
    os.kill(writer.pid, signal.SIGKILL)
    reported = max([reported, *map(int, writer.stdout.read().split())])
    writer.wait()
    points = Store(path).points(STUDY)
    assert len(points) >= reported + 1  # nothing that was reported is lost
    assert all(set(Store(path).results(p.key)) == {"reward", "choice", "translate"} for p in points)


def test_two_processes_write_into_one_store(tmp_path):
    path = tmp_path / "points.sqlite"
    code = _WRITER.replace("100000", "40").replace("i / 40", "(i + int(sys.argv[2])) / 100")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(40 * n)], stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1]
        )
        for n in range(2)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    assert len(Store(path).points(STUDY)) == 80


def test_processes_that_make_one_store_at_the_same_moment_all_have_it(tmp_path):
    code = "import sys; from hma.store import Store; sys.stdin.read(1); [Store(path) for path in sys.argv[1:]]"
    paths = [str(tmp_path / f"{n}.sqlite") for n in range(40)]
    openers = [
        subprocess.Popen([sys.executable, "-c", code, *paths], stdin=subprocess.PIPE, cwd=Path(__file__).parents[1])
        for _ in range(3)
    ]
    time.sleep(1)
    for opener in openers:
        opener.stdin.close()
    assert [opener.wait(timeout=60) for opener in openers] == [0, 0, 0]
