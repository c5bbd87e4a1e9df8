"""What tests of an engine do with it: ask, and wait."""

import os
import time

from hma.core.recipe import Recipe


def until(condition, seconds=60):
    """Wait for a condition, but not for ever."""
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "waited too long"
        time.sleep(0.005)


def recipe(study, *alphas):
    return Recipe(study.partition(), alphas)


def measured(engine, study, *alphas):
    job = engine.wait(engine.submit(study, recipe(study, *alphas)).id, timeout=120)
    assert job.state == "finished", job.message
    return job


def exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
