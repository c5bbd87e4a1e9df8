"""The states that a page can be in, under AppTest. What is held elsewhere is not held again:

empty       here for every page; in words and with its button in ``test_measuring``, ``_compare``, ``_samples``,
            ``_history``, ``_export`` and ``_present``
running     here (bar, share, time left); exports in ``test_export``, runs in ``test_methods``, by whom in ``test_history``
queued      here (behind somebody else's, and a run behind another); the order in ``test_measuring`` and ``test_runs``
cancelled   ``test_measuring``, ``_history``, ``_export``, ``_methods``, ``_compare``; the question before it in ``test_history``
failed      the same five, each until it is dismissed
no memory   here: the device's, the system's, and a batch that was halved
stale       here for every page; told apart on Runs in ``test_history``, a link to it in ``test_links``
no worker   here (not started, starting, ended while idle); killed under a job in ``test_measuring``
"""

import os
import signal
from dataclasses import replace

import pytest

from hma.run import Plan
from hma.store import Store
from hma.ui import access
from tests.engines import recipe, until
from tests.ui import world
from tests.ui.page import button, choice, everything, figure, key_of, set_sliders, texts, wait_for

PAGES = {
    "explore": "Nothing is measured yet in this study",
    "methods": "no point has been timed yet",
    "compare": "Nothing is measured yet on these 40 validation items",
    "samples": "There are no answers to read yet",
    "runs": "Nothing yet. Measure the two ends on Explore first",
    "export": "Nothing is measured yet on these items.",
    "pair": "0 points on the 40 validation items",
    "present": "There is nothing to present yet",
}
"""Each page with what it says where nothing is measured."""

STALE = "An older suite"


def ask(test, *alphas):
    """Have a merge measured from the sliders of Explore."""
    set_sliders(test, *alphas)
    return button(test, "measure").click().run()


@pytest.mark.parametrize("name", PAGES)
def test_points_of_other_settings_stand_on_no_page_which_is_as_if_it_were_empty(app, tmp_path, study, name):
    store = Store(tmp_path / "stale.sqlite")
    world.fill(store, replace(study, suite="an older one", title=STALE), grid=0, sweep=5)
    test = app(store=store.path).run()
    test.switch_page(f"pages/{name}.py").run()
    assert not test.exception and not test.error
    said = everything(test).replace("\\", "")
    assert PAGES[name] in said
    assert figure(test) is None or name == "methods"
    assert (STALE in said) == (name == "runs")  # There it is said that they are kept, and stale.
    assert name != "runs" or "Stale: by name what is open now, but its suite has changed since." in said


def test_what_runs_says_what_it_is_at_how_far_it_is_and_how_long_it_takes_yet(app):
    test = app(seconds=30).run()
    ask(test, 0.45, 0.15, 0.05)
    until(lambda: access.engine().jobs()[-1].share >= 0.3, 60)
    test.run()
    (bar,) = [e.proto.text for e in test.get("progress")]
    assert bar.startswith("HMA 0.45 / 0.15 / 0.05 (yours): ") and "%, about" in bar and bar.endswith(" left")


def test_what_waits_says_behind_what_and_a_run_behind_which(app, study):
    test = app(seconds=60).run()
    other = type(test).from_file(test._script_path, default_timeout=20).run()
    ask(other, 0.35, 0.15, 0.05)
    until(lambda: any(job.is_point and job.state == "running" for job in access.engine().jobs()))
    ask(test, 0.45, 0.15, 0.05)
    assert "Next: HMA 0.45 / 0.15 / 0.05 (yours)" in texts(test, "caption")
    assert any("(someone else's)" in e.proto.text for e in test.get("progress"))
    assert "HMA 0.45 / 0.15 / 0.05 is being measured." in everything(test)
    runs = access.runs()
    first, second = (runs.start(study, Plan("sweep", (recipe(study, a, 0, a),))) for a in (0.11, 0.12))
    until(lambda: next(r for r in runs.all() if r.id == first.id).job is not None)
    test.switch_page("pages/methods.py").run()
    said = everything(test)
    assert "[queued]" in said and "It waits for the run before it." in said
    assert [e.proto.text for e in test.get("progress")] == ["Waiting for what goes ahead of it"]
    runs.cancel(second.id)
    runs.cancel(first.id)


@pytest.mark.parametrize(
    ("alpha", "told"),
    [
        (0.85, "The device ran out of memory (no room for 2 GiB). Close what else uses it, or choose a smaller pair."),
        (0.95, "The system may have run out of memory: choose a smaller size or close other programs."),
    ],
)
def test_memory_that_runs_out_is_said_with_what_to_do_and_kept_on_runs(app, study, alpha, told):
    test = app().run()
    ask(test, alpha, 0.15, 0.05)
    wait_for(test, lambda t: t.error)
    said = test.error[0].value.replace("\\", "")
    assert said.startswith(f"**HMA {alpha} / 0.15 / 0.05 (yours) was not measured on 40 validation items") and told in said
    assert access.engine().store.point(key_of(study, alpha, 0.15, 0.05)) is None
    test.switch_page("pages/runs.py").run()
    assert told in test.error[0].value.replace("\\", "")
    ask(test.switch_page("pages/explore.py").run(), 0.35, 0.15, 0.05)
    wait_for(test, lambda t: choice(t).value == key_of(study, 0.35, 0.15, 0.05))


def test_a_batch_that_was_halved_for_lack_of_memory_is_said_and_the_point_is_there(app, study):
    test = app().run()
    ask(test, 0.65, 0.15, 0.05)
    wait_for(test, lambda t: t.info)
    assert "batch halved to 4: out of memory" in test.info[0].value.replace("\\", "") and not test.error
    assert access.engine().store.point(key_of(study, 0.65, 0.15, 0.05)) is not None
    next(b for b in test.button if b.key.startswith("dismiss_")).click().run()
    assert not test.info


def test_without_a_worker_the_nearest_measured_point_is_named_and_no_score_is_made_up(app, study):
    test = app(seconds=0.05)
    test.run()
    assert ":gray-badge[worker: not started]" in everything(test)  # The first page waits for none.
    assert figure(test) is not None
    set_sliders(test, 0.95, 0.05, 0.05)
    assert "Not measured yet: HMA 0.95 / 0.05 / 0.05. Nearest measured point: HMA 1 / 0 / 0." in texts(test, "caption")
    wait_for(test, lambda t: ": ready]" in everything(t))


def test_a_worker_that_ended_while_it_was_idle_is_said_and_the_next_request_starts_another(app, study):
    test = app().run()
    wait_for(test, lambda t: ": ready]" in everything(t))
    os.kill(access.engine()._working._process.pid, signal.SIGKILL)
    wait_for(test, lambda t: ":orange-badge[worker ended]" in everything(t))
    assert not test.error  # Nothing was lost by it.
    badge = next(m for m in test.markdown if "worker ended" in m.value)
    assert "The next request starts a fresh worker" in badge.help
    ask(test, 0.35, 0.15, 0.05)
    wait_for(test, lambda t: choice(t).value == key_of(study, 0.35, 0.15, 0.05))
