"""The store's file: what is shipped, what is refused, older and newer versions, a full disk, and files that are only read."""

import contextlib
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from hma.errors import StoreError
from hma.schema import VERSION
from hma.store import Store
from tests.stored import STUDY, measurement


def test_a_store_to_be_shipped_names_no_folder_of_this_machine(tmp_path):
    store = Store(tmp_path / "points.sqlite")
    here = replace(STUDY, reference="/home/me/models/before", policy="organisation/after", suite_path="/home/me/suite.json")
    point = store.add(here, measurement())
    store.compact()
    assert b"/home/me" not in (tmp_path / "points.sqlite").read_bytes()
    shipped = Store(tmp_path / "points.sqlite")
    assert shipped.points(STUDY) == [point]
    assert [(s.reference, s.policy) for s in shipped.studies()] == [("before", "organisation/after")]


def test_a_store_from_a_newer_version_is_refused_and_untouched(tmp_path):
    path = tmp_path / "points.sqlite"
    Store(path).add(STUDY, measurement())
    Store(path).compact()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer version"):
        Store(path)
    with pytest.raises(StoreError, match="newer version"):
        Store(tmp_path / "mine.sqlite").take_in(path)
    assert path.read_bytes() == before


def test_files_that_are_no_store_are_refused(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("these are notes, not points, " * 100)
    with pytest.raises(StoreError, match="not a store"):
        Store(text)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    with pytest.raises(StoreError, match="another program"):
        Store(foreign)
    with pytest.raises(StoreError, match="cannot be"):
        Store(text / "below" / "points.sqlite")
    with pytest.raises(StoreError, match=r"notes\.txt is not a store of points, so none"):
        Store(tmp_path / "mine.sqlite").take_in(text)


def test_a_full_disk_loses_nothing_and_says_so(tmp_path, monkeypatch):
    """The limit is sqlite's own: with no page left it raises the very error of a full disk."""
    store = Store(tmp_path / "points.sqlite")
    kept = store.add(STUDY, measurement(0.1))
    real = sqlite3.connect

    def nearly_full(*arguments, **keywords):
        connection = real(*arguments, **keywords)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(sqlite3, "connect", nearly_full)
    with pytest.raises(StoreError, match="full"):
        store.add(STUDY, measurement(0.5, num_items=5000))
    monkeypatch.undo()
    assert Store(tmp_path / "points.sqlite").points(STUDY) == [kept]


def test_every_old_version_still_opens(tmp_path):
    """``tests/stores/version-N.sqlite`` is a file that version N wrote."""
    folder = Path(__file__).parent / "stores"
    for version in range(1, VERSION + 1):
        copy = shutil.copy(folder / f"version-{version}.sqlite", tmp_path)
        points = Store(copy).points(STUDY)
        assert [p.recipe.alphas for p in points] == [(0.2, 0.2, 0.2)]
        assert points[0].scores["reward"].value == pytest.approx(measurement().results["reward"].items.mean())
        assert points[0].effective_alphas == (() if version == 1 else (0.19, 0.2, 0.25))


def test_points_of_an_older_version_are_taken_in(tmp_path):
    mine = Store(tmp_path / "mine.sqlite")
    assert mine.take_in(Path(__file__).parent / "stores" / "version-1.sqlite") == 1
    assert [p.effective_alphas for p in mine.points(STUDY)] == [()]


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_file_that_is_only_read_stays_byte_for_byte(tmp_path, version):
    file = Path(shutil.copy(Path(__file__).parent / "stores" / f"version-{version}.sqlite", tmp_path / "points.sqlite"))
    before = file.read_bytes()
    store = Store.to_read(file)
    assert [p.recipe.alphas for p in store.points(STUDY)] == [(0.2, 0.2, 0.2)]
    copy = store.path
    del store
    assert file.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["points.sqlite"]
    assert copy == file or not copy.exists()


def test_what_is_read_has_what_another_process_has_just_written(tmp_path):
    store = Store(tmp_path / "points.sqlite")
    with contextlib.closing(sqlite3.connect(store.path)) as other:  # Keeps the write-ahead log from being written back.
        other.execute("SELECT * FROM points").fetchall()
        point = store.add(STUDY, measurement())
        assert Store.to_read(store.path).points(STUDY) == [point]
        assert Store.to_read(store.path).path == store.path
    old = shutil.copy(Path(__file__).parent / "stores" / "version-2.sqlite", tmp_path / "old.sqlite")
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        before = old.read_bytes()
        other.execute("UPDATE points SET method = 'just now'")
        assert [p.method for p in Store.to_read(old).points(STUDY)] == ["just now"]
        assert old.read_bytes() == before


def test_what_is_no_store_is_refused_when_it_is_only_read(tmp_path):
    (tmp_path / "notes.txt").write_text("no store " * 99)
    with pytest.raises(StoreError, match="is not a store of points"):
        Store.to_read(tmp_path / "notes.txt")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="of another program"):
        Store.to_read(tmp_path / "other.sqlite")
    with pytest.raises(StoreError, match="is a folder"):
        Store.to_read(tmp_path)
