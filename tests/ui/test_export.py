"""The page Export under AppTest, with a stand-in worker that writes real folders: every state, and no way out of the folder."""

import json
import re
import shutil
from dataclasses import replace
from html import escape

import pytest

from hma import exports, text
from hma.board import Board
from hma.checkpoints.manifest import differences
from hma.errors import ExportError, HmaError
from hma.store import Store
from hma.ui import access, away, export
from tests.ui import world
from tests.ui.page import button, calm, choice, everything, key_of, texts, wait_for


@pytest.fixture
def allowed(tmp_path):
    return tmp_path / "exports"


@pytest.fixture
def page(on_page, allowed, study):
    """Make an AppTest that stands on the page, with MA 0.5 selected."""

    def make(link=(0.5, 0.5, 0.5), **settings):
        return on_page("export", link=key_of(study, *link) if link else None, HMA_EXPORTS=str(allowed), **settings)

    return make


def name_box(test):
    return next(box for box in test.text_input if box.key.startswith("export_name_"))


def exported(test):
    return button(test, "export").click().run()


def test_a_point_is_exported_verified_and_shown_with_how_to_load_it(page, allowed):
    test = page()
    assert calm(test)
    assert name_box(test).value == "ma-0.5"
    assert re.search(r"Into .*: about \d.* free\.", everything(test))
    assert "Nothing yet." in everything(test)
    exported(test)
    wait_for(test, lambda t: t.success)
    folder = allowed / "ma-0.5"
    assert differences(folder) == []
    assert test.success[0].value == "Verified: all 2 files are as recipe.json says."
    said, written = everything(test), json.loads((folder / "recipe.json").read_text())
    whole = text.size(sum(file["size"] for file in written["files"].values()))
    assert test.expander[-1].label.endswith(whole) and f"<th>All 2 files</th><td>{whole}</td>" in said
    assert all(f"<code>{file['sha256']}</code>" in said for file in written["files"].values())
    assert f"AutoModelForCausalLM.from_pretrained({str(folder)!r}" in test.code[0].value
    assert (written["tokenizer"], written["boards"]) == ("policy", 1)
    # What a model card says may come from anywhere: it stays text.
    assert f'<div class="hma-card"><p>{escape(world.TRAP)}</p>' in said
    assert not any("<script>" in text for kind in ("markdown", "caption", "code") for text in texts(test, kind))
    assert "<script>" not in "".join(e.proto.body for e in test.get("html"))
    assert [entry.name for entry in allowed.iterdir()] == ["ma-0.5"]


def test_what_is_there_is_replaced_only_when_it_is_ticked(page, allowed, study, monkeypatch):
    test = page()
    wait_for(exported(test), lambda t: t.success)
    assert "ma\\-0\\.5 is written now" in test.info[0].value
    assert button(test, "export").disabled
    test.checkbox[0].check().run()
    test.selectbox(key="export_tokenizer").set_value("reference").run()
    wait_for(exported(test), lambda t: "reference's tokenizer" in everything(t) and t.success)
    assert json.loads((allowed / "ma-0.5" / "recipe.json").read_text())["tokenizer"] == "reference"
    with monkeypatch.context() as as_another:
        as_another.setattr(export.exported, "just_written", frozenset)
        assert "ma\\-0\\.5 is there already" in test.run().info[0].value
    shutil.rmtree(allowed / "ma-0.5")
    (allowed / "ma-0.5").mkdir()
    (allowed / "ma-0.5" / "mine.txt").write_text("mine")
    test.run()
    assert "is not an earlier export, so it stays" in test.error[0].value.replace("\\", "")
    assert button(test, "export").disabled and not test.checkbox
    name_box(test).set_value("another").run()
    assert calm(test) and not button(test, "export").disabled


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/b", "..", ""])
def test_a_name_that_leads_out_is_refused_on_the_page(page, name):
    test = page()
    name_box(test).set_value(name).run()
    assert "cannot be a folder's name here" in test.error[0].value.replace("\\", "")
    assert button(test, "export").disabled


def test_a_link_is_refused_on_the_page_and_when_it_is_pressed(page, allowed, tmp_path, study):
    (tmp_path / "outside").mkdir()
    test = page()
    allowed.mkdir()
    (allowed / "ma-0.5").symlink_to(tmp_path / "outside")
    exported(test)  # The page was drawn before the link was there.
    assert "is a link" in test.error[0].value
    assert not [job for job in access.engine().jobs() if job.target]
    assert list((tmp_path / "outside").iterdir()) == []


def test_the_front_is_exported_each_under_its_name(page, allowed, study, filled):
    test = page(seconds=0.02)
    test.segmented_control(key="export_which").set_value("front").run()
    front = [p for p in test.session_state["board"].front if p.recipe.alphas[0] != 0.9]
    assert f"{len(front) + 1} points" in button(test, "export").label
    test.segmented_control(key="export_which").set_value("several").run()
    assert "Choose a point to export." in everything(test)
    test.multiselect[0].set_value([p.key for p in front[:3]]).run()
    assert len([box for box in test.text_input if box.key.startswith("export_name_")]) == 3
    assert "each, " in everything(test) and " together" in everything(test)
    exported(test)
    wait_for(test, lambda t: len(list(allowed.glob("*/recipe.json"))) == 3 and not access.engine().queue())
    assert {f.name for f in allowed.iterdir()} == {exports.suggested(p.recipe) for p in front[:3]}


def test_two_points_of_one_name_are_refused(study, filled, allowed):
    points = Store(filled).points(study)[:3]
    names = {point.key: name for point, name in zip(points, ("same", "SAME", "other"), strict=True)}
    found = export.wanted(points, names, allowed)
    assert [bool(entry.problem) for entry in found] == [True, True, False]
    assert "is the name of two of these points" in found[0].problem


def test_a_disk_that_is_too_small_is_said_and_nothing_is_begun(page, monkeypatch):
    monkeypatch.setattr(exports, "free_bytes", lambda folder: 1000)
    test = page()
    assert "The disk is too small." in test.error[0].value and "1 kB free" in test.error[0].value
    assert button(test, "export").disabled


def test_a_cancelled_export_leaves_nothing(page, allowed):
    test = exported(page(seconds=6))
    wait_for(test, lambda t: any("Export of MA 0.5 (yours): writing" in e.proto.text for e in t.get("progress")))
    assert button(test, "export").disabled and "It is being written." in everything(test)
    assert "exporting" in everything(test)
    button(test, f"cancel_{next(job.id for job in access.engine().jobs() if job.target)}").click().run()
    wait_for(test, lambda t: any("was cancelled" in i.value for i in t.info))
    assert "Nothing was written for it." in everything(test)
    assert list(allowed.iterdir()) == []
    assert not button(test, "export").disabled


def test_an_export_that_fails_is_said_in_plain_words(page, allowed):
    test = exported(page(link=(0.9, 0.9, 0.9)))
    wait_for(test, lambda t: t.error)
    assert "was not exported" in test.error[0].value and r"\<b\>more" in test.error[0].value
    assert list(allowed.iterdir()) == []
    next(b for b in test.button if (b.key or "").startswith("dismiss_")).click().run()
    assert not test.error


def test_what_was_exported_before_is_listed_and_verified_when_asked(page, allowed):
    test = page()
    wait_for(exported(test), lambda t: t.success)
    (allowed / "ma-0.5" / "model.safetensors").write_bytes(b"other")
    other = type(test).from_file(test._script_path, default_timeout=20).run()
    other.switch_page("pages/export.py").run()
    button(other, "verify_ma-0.5").click().run()
    wait_for(other, lambda t: any("Not whole." in e.value for e in t.error))
    assert "model\\.safetensors has" in everything(other)


def test_nothing_measured_says_what_comes_first(page, tmp_path):
    test = page(link=None, store=tmp_path / "empty.sqlite")
    assert calm(test)
    assert "Nothing is measured yet on these items." in everything(test)
    assert not any(b.key == "export" for b in test.button) and not test.get("download_button")


def test_what_a_browser_sends_is_checked_again(page, monkeypatch, caught):
    test = page()
    board = test.session_state["board"]
    raised = caught(export)
    point = board.points[3]
    export._export(board, [(point, "../out")], "policy", True)
    monkeypatch.setenv("HMA_READ_ONLY", "1")
    export._export(board, [(point, "fine")], "policy", True)
    assert [type(error) for error in raised] == [ExportError, HmaError]
    assert not [job for job in access.engine().jobs() if job.target]


def test_the_chart_is_taken_away_as_picture_and_page(page):
    test = page()
    assert not test.get("download_button")
    test.session_state["chart_away"] = True
    test.run()
    assert calm(test)
    png, _ = test.session_state["away"]
    assert png.startswith(b"\x89PNG")
    labels = [e.proto.label for e in test.get("download_button")]
    assert re.fullmatch(r"PNG, \d+ kB", labels[0]) and re.fullmatch(r"HTML, \d\.\d+ MB", labels[1])
    choice(test).set_value(test.session_state["board"].points[0].key).run()
    assert test.session_state["away"][0] != png  # The ring has moved.


def test_the_page_of_the_chart_needs_nothing_from_outside(study, tmp_path):
    trap = "</script><script>document.title='ran'</script>"
    store = Store(tmp_path / "p.sqlite")
    own = replace(study, title=trap, reward=replace(study.reward, title=f"<b>{trap}"))
    world.fill(store, own, grid=0, sweep=5)
    board = Board.read(store, own)
    html = away.html(board, board.points[2])
    assert '"showSendToCloud": false' in html
    assert board.points[2].key in html
    assert '"height":390' not in html.replace(" ", "")
    assert 4e6 < len(html.encode()) < 6e6
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", html.split("<body>")[0] + html.split("<body>")[1][:400])
    assert not [tag for tag in tags if "src=" in tag or "href=" in tag]
    drawn = html[html.index("Plotly.newPlot") :]
    assert trap not in drawn and "ran" in drawn and "<script>" not in drawn
    assert html.count("</script>") == html.count("<script")
