"""The verb handout: the file that the page Present gives, made headless, and what is wrong in the person's words."""

import json
import re
import shlex

import pytest

from hma import handout, samples
from hma.board import Board
from hma.core.recipe import Recipe
from hma.evaluate.suite import load_suite
from hma.store import Store
from hma.study import open_study
from tests.cli import hma
from tests.test_handout import data_of
from tests.ui import world


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return world.write(tmp_path_factory.mktemp("handed"))


@pytest.fixture(scope="module")
def board(place):
    store = Store(place[0].parent / "points.sqlite")
    world.fill(store, open_study(*place), grid=3)
    return Board.read(store, open_study(*place))


@pytest.fixture
def run(place, board, tmp_path):
    """Run the verb into a file of one's own, or into ``out``; what was done, and the file."""

    def ran(*arguments, out=tmp_path / "made.html", store=place[0].parent / "points.sqlite"):
        where = ["--reference", place[0], "--policy", place[1], "--suite", place[2], "--store", store]
        return hma("handout", "--out", out, *arguments, *where), out

    return ran


def test_it_is_the_file_that_the_page_gives(run, place, board):
    point = board.front[2]
    done, file = run("--point", point.key[:10])
    assert done.returncode == 0, done.stderr
    chat = load_suite(place[2]).chat
    read = samples.read(
        Store(place[0].parent / "points.sqlite"), board.study, {p.id: p.text for p in chat.prompts},
        [board.reference, board.policy, *board.front],
    )  # fmt: skip
    made = file.read_text(encoding="utf-8")
    assert made == handout.page(board, chat, read[:5], first=point)
    assert f"{len(board.front)} points on the front, 5 prompts" in done.stdout
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_prompts_are_chosen_by_number_and_it_is_told_as_json(run, board):
    done, file = run("--prompts", "7, 2,7", "--json")
    assert json.loads(done.stdout) == {
        "file": str(file), "points": len(board.front), "prompts": 2, "bytes": file.stat().st_size,
    }  # fmt: skip
    made = file.read_text(encoding="utf-8")
    assert [prompt["prompt"] for prompt in data_of(made)["prompts"]] == [f"How do I look after plant {i}?" for i in (6, 1)]
    assert "chosen by who made this file" in made


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--prompts", "0"), "--prompts is '0'. Expected at most 6 numbers from 1 to 40"),
        (("--prompts", "1,2,3,4,5,6,7"), "Expected at most 6 numbers"),
        (("--prompts", "one"), "--prompts is 'one'"),
        (("--point", "zzz"), "'zzz' names no point"),
        (("--point", "0123456789abcdef"), "has a key that begins with '0123456789abcdef'"),
        (("--point", "0.33"), "MA 0.33 is not measured on the 40 validation items"),
        (("--split", "test"), "No points are measured yet in this study (test items, quick). Measure some: "),
        (("--size", "huge"), "huge"),
    ],
)
def test_what_is_asked_for_wrongly_is_said_and_nothing_is_written(run, arguments, told):
    done, file = run(*arguments)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
    assert not file.exists()


def test_a_point_off_the_front_is_refused_with_the_one_most_like_it(run, board):
    off = next(point for point in board.points if not board.is_on_front(point))
    done, file = run("--point", off.key)
    assert done.returncode == 2 and not file.exists()
    near = re.search(r"--point (\w+)", done.stderr)[1]
    assert near == board.nearest(off.recipe, [p.key for p in board.front]).key
    assert run("--point", near)[0].returncode == 0


def test_what_is_there_stays_unless_it_is_forced(run, board):
    last = board.front[-1].key
    assert run()[0].returncode == 0
    done, file = run("--point", last)
    assert done.returncode == 2 and "is there already" in done.stderr
    before = file.read_text(encoding="utf-8")
    assert run("--point", last, "--force")[0].returncode == 0
    assert file.read_text(encoding="utf-8") != before


def test_a_folder_that_is_missing_or_named_as_the_file_is_said(run, tmp_path):
    done, _ = run(out=tmp_path / "nowhere" / "made.html")
    assert done.returncode == 2 and f"There is no folder {tmp_path / 'nowhere'}" in done.stderr
    done, _ = run(out=tmp_path)
    assert done.returncode == 2 and "is a folder" in done.stderr and not list(tmp_path.iterdir())


def test_a_store_that_is_missing_or_lacks_an_end_is_said(run, place, tmp_path):
    done, file = run("--force", "--prompts", "1", store=tmp_path / "none.sqlite")
    assert done.returncode == 2 and "There is no store at" in done.stderr
    words = shlex.split(done.stderr.partition("measure some: ")[2])
    assert words[3] == "sweep" and not {"--out", "--force", "--prompts"} & set(words) and "--suite" in words
    store, study = Store(tmp_path / "one.sqlite"), open_study(*place)
    store.add(study, world.measurement(study, Recipe(study.partition(), (1.0,) * 3)))
    done, file = run(store=store.path)
    assert done.returncode == 2 and "A handout needs both ends" in done.stderr and not file.exists()
