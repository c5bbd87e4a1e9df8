"""Read-only: no page offers what starts work or writes, and none of it goes when it is asked for all the same."""

import re
import sys
from pathlib import Path

import pytest

from hma import __main__, launch
from hma.core.recipe import Recipe
from hma.errors import HmaError
from hma.run import Plan, Run
from hma.ui import access, controls, exported, further, ghost, methods, progress, running
from tests.ui import world
from tests.ui.page import calm, choice, everything, key_of, set_sliders

PAGES = ("explore", "methods", "runs", "export")
WORK = re.compile(r"measure|start|further|export$|cancel|stop|pause|resume|go_on|verify")


@pytest.fixture
def read_only(app):
    return lambda **settings: app(HMA_READ_ONLY="1", **settings).run()


@pytest.mark.parametrize("name", PAGES)
def test_no_page_offers_work_and_each_says_why(read_only, name, tmp_path):
    test = read_only(HMA_EXPORTS=str(tmp_path / "exports"))
    test.switch_page(f"pages/{name}.py").run()
    assert calm(test)
    assert ":orange-badge[Read-only: nothing can be measured here]" in everything(test)
    assert not [b.key for b in test.button if WORK.search(b.key or "")]
    assert not [p for p in tmp_path.iterdir() if p.name == "exports"]


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_study_offers_no_work_either(read_only, name, tmp_path, study):
    store = tmp_path / "one.sqlite"
    access.open_store(store).add(study, world.measurement(study, Recipe(study.partition(), (0.5,) * 3)))
    test = read_only(store=store)
    test.segmented_control(key="split").set_value("test").run()
    test.switch_page(f"pages/{name}.py").run()
    assert not test.exception and not test.error
    assert not [b.key for b in test.button if WORK.search(b.key or "")]


def test_looking_is_as_ever_and_no_process_is_started(read_only, study, monkeypatch):
    started = []
    monkeypatch.setattr("hma.working.WorkerProcess", lambda *arguments: started.append(arguments))
    monkeypatch.setattr("hma.asking.WorkerProcess", lambda *arguments: started.append(arguments))
    ghost._asked.clear()
    test = read_only()
    set_sliders(test, 0.35, 0.15, 0.05)
    choice(test).set_value(key_of(study, 0.5, 1, 0)).run()
    test.run()
    assert calm(test)
    assert [s.value for s in test.slider] == [0.5, 1, 0]
    assert access.engine().jobs() == [] and started == []
    assert "press the button" not in everything(test)


def test_what_a_hidden_button_would_do_is_refused(read_only, study, caught):
    test = read_only()
    board = test.session_state["board"]
    recipe = Recipe(study.partition(), (0.35, 0.15, 0.05))
    plan = Plan("sweep", (recipe,))
    told = caught(further, methods, progress, running, exported)
    for ask in (
        lambda: methods._start(study, plan),
        lambda: further._start(study, plan),
        lambda: progress.cancel(1),
        lambda: exported._verify(None),
        *(lambda what=what: running._do(what, Run(1, study, plan)) for what in ("start", "pause", "resume", "cancel")),
    ):
        ask()
    with pytest.raises(HmaError, match="Read-only"):
        controls.submit(board, recipe)
    assert len(told) == 8 and all("Read-only: nothing can be measured here." in str(error) for error in told)
    assert access.engine().jobs() == [] and access.runs().all() == []


def test_all_work_is_asked_for_through_the_guard():
    """What starts or stops something is called on what ``to_work`` and ``to_run`` return, or is itself such a function."""
    asked = re.compile(r"([\w.]+(?:\(\))?)\.(submit|export|fit|ask|cancel|start|pause|resume)\(")
    fine = {"access.to_work()": "to_work", "access.to_run()": "to_run", "engine": "to_work", "runs": "to_run"}
    fine |= {"controls": "", "access.checks()": "to_work"}
    seen = set()
    for path in Path(access.__file__).parent.glob("*.py"):
        content = path.read_text()
        for on, what in asked.findall(content):
            assert on in fine and fine[on] in content, f"{path.name}: {on}.{what}"
            seen.add(what)
    assert {"submit", "export", "ask", "cancel", "start"} <= seen


def test_the_store_stays_as_it_is(read_only, filled, study):
    before = filled.read_bytes()
    test = read_only(store=filled)
    assert calm(test)
    assert len(test.session_state["board"].points) > 3
    assert filled.read_bytes() == before


def started(monkeypatch, *words):
    """What the app is launched with by these words."""
    found = {}
    monkeypatch.setattr(__main__, "launch", lambda *places, **settings: found.update(settings))
    monkeypatch.setattr(sys, "argv", ["hma", "app", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    return ended.value.code, found


def test_the_command_line_says_both(monkeypatch, filled, tmp_path, capsys):
    code, found = started(monkeypatch, "--store", filled, "--exports", tmp_path / "out", "--read-only")
    assert code == 0
    assert (found["exports"], found["read_only"]) == (tmp_path / "out", True)
    code, found = started(monkeypatch, "--store", tmp_path / "none.sqlite", "--read-only")
    assert code == 2 and not found and not (tmp_path / "none.sqlite").exists()
    assert "--read-only makes none" in capsys.readouterr().err
    code, found = started(monkeypatch, "--store", tmp_path / "new.sqlite")
    assert code == 0 and (found["exports"], found["read_only"]) == (None, False)


def test_launching_hands_both_to_the_pages(monkeypatch, tmp_path):
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda server: None)
    for name in ("HMA_EXPORTS", "HMA_READ_ONLY", "HMA_REFERENCE", "HMA_POLICY", "HMA_SUITE", "HMA_ALLOW", "HMA_REWARD"):
        monkeypatch.setenv(name, "")
    for name in ("STREAMLIT_SERVER_PORT", "STREAMLIT_SERVER_ADDRESS"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launch, "check_port", lambda address, port: None)
    places = {"reference": "r", "policy": "p", "suite": "s"}
    launch.launch(1, "127.0.0.1", **places, exports=Path("here"), read_only=True, browser=False)
    assert access.is_read_only()
    assert access.exports_root() == (tmp_path / "here").resolve()
    monkeypatch.setenv("HMA_READ_ONLY", "0")
    assert not access.is_read_only()
