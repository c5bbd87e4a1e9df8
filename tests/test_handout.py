"""The file that is handed on: whole, true to the store, and shut against what models wrote."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from hma import drawing, handout, samples, telling, text
from hma.board import Board
from hma.core.kept import kept
from hma.core.recipe import Recipe
from hma.errors import HmaError
from hma.evaluate.suite import load_suite
from hma.store import Store
from hma.study import open_study
from tests.ui import world

NASTY = f"</script><script>document.title='ran'</script>\u2028<!-- {world.TRAP} @data@ @title@"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(*world.write(tmp_path_factory.mktemp("world")))


@pytest.fixture(scope="module")
def chat(study):
    return load_suite(study.suite_path).chat


def made(folder, study, chat, answer=None, prompt=None):
    """A board with what its points wrote."""
    store = Store(folder / "points.sqlite")
    world.fill(store, study, grid=3, answer=answer)
    board = Board.read(store, study)
    prompts = {p.id: prompt or p.text for p in chat.prompts}
    return board, samples.read(store, study, prompts, [board.reference, board.policy, *board.front])


@pytest.fixture(scope="module")
def whole(tmp_path_factory, study, chat):
    return made(tmp_path_factory.mktemp("whole"), study, chat)


class Elements(HTMLParser):
    """The elements of a page, and what stands in each script."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self.words, self._in = [], [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        self._in = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in is None:
            self.words.append(data)


def data_of(page):
    return json.loads(Elements(page).scripts[0])


def test_the_lever_steps_through_the_fronts_measured_points_and_nothing_else(whole, chat):
    board, read = whole
    page = handout.page(board, chat, read[:3])
    data = data_of(page)
    assert [stop["name"] for stop in data["stops"]] == [text.point_name(p) for p in board.front]
    for at, shape in enumerate(drawing.SHAPES):
        frame = drawing.Frame(board, shape)
        assert [tuple(stop["places"][at]) for stop in data["stops"]] == [frame.place(p) for p in board.front]
    assert [stop["said"] for stop in data["stops"]] == [telling.sentence(board, p) for p in board.front]
    (lever,) = (attrs for tag, attrs in Elements(page).tags if attrs.get("type") == "range")
    assert (lever["min"], lever["max"], lever["step"]) == ("0", str(len(board.front) - 1), "1")
    assert lever["aria-label"]


def test_each_stop_has_its_own_answers_and_the_ends_theirs(whole, chat):
    board, read = whole
    data = data_of(handout.page(board, chat, read[2:4]))
    for stop, point in zip(data["stops"], board.front, strict=True):
        assert [a["words"] for a in stop["answers"]] == [sample.answers[point.key].words for sample in read[2:4]]
    for prompt, sample in zip(data["prompts"], read[2:4], strict=True):
        assert prompt["prompt"] == sample.prompt
        for side, end in (("before", board.reference), ("after", board.policy)):
            assert prompt[side]["words"] == sample.answers[end.key].words
            assert prompt[side]["reward"] == f"reward {text.fixed(sample.answers[end.key].reward, 2)}"


def test_it_starts_at_the_point_that_is_asked_for_and_says_all_without_a_script(whole, chat):
    board, read = whole
    point = board.front[3]
    page = handout.page(board, chat, read[:2], first=point)
    words = " ".join(Elements(page).words)
    assert telling.sentence(board, point) in words and f"4 of {len(board.front)}" in words
    assert read[0].answers[point.key].words in words
    for shape in drawing.SHAPES:
        assert 'cx="{}" cy="{}"'.format(*drawing.Frame(board, shape).place(point)) in page
    for other in board.front:
        assert text.point_name(other) in words


def test_what_models_and_people_wrote_can_neither_run_nor_end_the_data(tmp_path, study, chat):
    board, read = made(tmp_path, replace(study, title=NASTY), chat, answer=NASTY, prompt=NASTY)
    page = handout.page(board, chat, read[:2])
    found = Elements(page)
    assert len(found.scripts) == 2  # the data and our own
    assert {tag for tag, _ in found.tags}.isdisjoint({"img", "a", "iframe", "link", "object"})
    assert not [name for _, attrs in found.tags for name in attrs if name.startswith("on")]
    assert "\u2028" not in page
    data = json.loads(found.scripts[0])
    assert data["prompts"][0]["prompt"] == data["stops"][0]["answers"][1]["words"] == text.printable(NASTY)
    assert sum(text.printable(NASTY) in words for words in found.words) >= 4  # shown as it stands, its marks not filled in


def test_it_asks_nothing_of_any_network(whole, chat):
    board, read = whole
    page = handout.page(board, chat, read[:5])
    outside = [url for url in re.findall(r"https?://[^\s\"'<>]+", page) if url != "http://www.w3.org/2000/svg"]
    assert not outside
    assert not re.search(r"@import|url\(|\bfetch\b|XMLHttpRequest|\ssrc=|<link", page)
    assert "default-src 'none'" in page
    assert len(page) < 200_000


def test_the_same_board_gives_the_same_file_and_no_folder_of_this_machine(whole, chat, study):
    board, read = whole
    page = handout.page(board, chat, read[:5])
    assert page == handout.page(board, chat, read[:5])
    assert str(study.reference) not in page and str(study.suite_path) not in page
    for what in (study.pair, study.suite, "seed 3", "40 validation items", "1,000 resamples", "Nothing between two stops"):
        assert what in page
    assert not re.search(r"@[a-z]+@", page)


def test_the_table_has_the_shares_of_every_point(whole, chat):
    board, read = whole
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", handout.page(board, chat, read[:1]))
    assert len(rows) == len(board.front)
    for row, point in zip(rows, board.front, strict=True):
        found = kept(board.reference, board.policy, point)
        digits = text.decimals(50 * (found.reward.high - found.reward.low)) if found.reward.high > found.reward.low else 0
        assert f"<td>{text.fixed(100 * found.reward.value, digits)}\u00a0%" in row


def test_prompts_are_said_to_be_picked_or_not_and_long_answers_are_cut(tmp_path, whole, study, chat):
    board, read = whole
    assert "not chosen for what they show" in handout.page(board, chat, read[:2])
    assert "chosen by who made this file" in handout.page(board, chat, read[:2], is_picked=True)
    assert len(data_of(handout.page(board, chat, read))["prompts"]) == handout.MOST_PROMPTS
    board, read = made(tmp_path, study, chat, answer="x" * (handout.LONGEST + 7))
    assert data_of(handout.page(board, chat, read[:1]))["prompts"][0]["before"]["words"].endswith("(cut: 7 more characters)")


def test_without_answers_or_an_end_it_says_so(tmp_path, whole, study, chat):
    board, _ = whole
    page = handout.page(board, chat, [])
    assert "No answers were kept" in page and "<div hidden>" in page
    assert data_of(page)["prompts"] == []
    with pytest.raises(HmaError, match="both ends"):
        handout.page(replace(board, policy=None), chat, [])


def test_the_sentence_has_both_shares_with_their_intervals(whole):
    board, _ = whole
    point = next(p for p in board.front if not p.recipe.is_end)
    found = kept(board.reference, board.policy, point)
    said = telling.sentence(board, point)
    assert said == (
        f"This merge keeps {telling.share(found.reward)} of the reward gain, and gives back {telling.share(found.ability)} of "
        "the lost ability."
    )
    assert "model before RLHF" in telling.sentence(board, board.reference)
    assert "model after RLHF: the whole gain in reward, +" in telling.sentence(board, board.policy)
    with pytest.raises(ValueError):
        telling.sentence(replace(board, reference=None), point)


def test_where_no_gain_is_shown_no_share_of_it_is_said(tmp_path, study):
    store = Store(tmp_path / "flat.sqlite")
    flat = world.measurement(study, Recipe(study.partition(), (0.5,) * 3))
    for alpha in (0.0, 0.5, 1.0):
        store.add(study, replace(flat, recipe=Recipe(study.partition(), (alpha,) * 3)))
    board = Board.read(store, study)
    said = telling.sentence(board, next(p for p in board.points if not p.recipe.is_end))
    assert "cannot be said to keep a share" in said and "no loss of ability is shown" in said
    assert "%" not in said.replace("95 %", "")


@pytest.mark.parametrize("shape", drawing.SHAPES, ids=lambda shape: shape.name)
def test_no_step_of_the_front_passes_above_a_measured_point(whole, shape):
    board, _ = whole
    drawn = drawing.front(board, None, "words", drawing.OF_PAGE, shape)
    corners = [tuple(map(float, c.split(","))) for c in re.search(r'hma-steps" points="([^"]*)"', drawn)[1].split()]
    frame = drawing.Frame(board, shape)
    for (x0, y0), (x1, y1) in pairwise(corners):
        assert x0 == x1 or y0 == y1
        for x, y in map(frame.place, board.points):  # none lies right of and above a corner
            assert not (x > x1 and y < y1)


def test_ticks_are_round_few_and_within():
    for low, high in ((-1.2, 4.7), (25, 91), (0.301, 0.309), (-0.5, 100)):
        for shape, fewest in ((drawing.WIDE, 4), (drawing.NARROW, 2)):
            found = drawing.ticks(low, high, shape.ticks)
            assert fewest <= len(found) <= shape.ticks + 1
            assert low <= found[0] and found[-1] <= high
    assert drawing.ticks(1, 1) == [1]
