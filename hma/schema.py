"""The tables of a store's file, and what brings an older file to them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from hma.errors import StoreError

VERSION = 4
"""``PRAGMA user_version`` of the files that this code writes."""

_TABLES = """
CREATE TABLE studies (
    key TEXT PRIMARY KEY,
    study TEXT NOT NULL,
    added_at TEXT NOT NULL
) STRICT;
CREATE TABLE item_sets (
    key TEXT PRIMARY KEY,
    ids BLOB NOT NULL,
    hashes BLOB
) STRICT;
CREATE TABLE points (
    key TEXT PRIMARY KEY,
    study TEXT NOT NULL REFERENCES studies (key),
    recipe TEXT NOT NULL,
    method TEXT NOT NULL,
    device TEXT NOT NULL,
    measured_at TEXT NOT NULL,
    elapsed_seconds REAL NOT NULL,
    timings TEXT NOT NULL,
    effective_alphas TEXT,
    num_items INTEGER NOT NULL
) STRICT;
CREATE INDEX points_by_study ON points (study);
CREATE TABLE results (
    point TEXT NOT NULL REFERENCES points (key) ON DELETE CASCADE,
    name TEXT NOT NULL,
    aggregation TEXT NOT NULL,
    item_set TEXT NOT NULL REFERENCES item_sets (key),
    items BLOB NOT NULL,
    outputs BLOB,
    PRIMARY KEY (point, name)
) STRICT;
CREATE TABLE kept (
    key TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    value BLOB NOT NULL,
    added_at TEXT NOT NULL
) STRICT;
"""

_MIGRATIONS = {
    1: ("ALTER TABLE points ADD COLUMN effective_alphas TEXT",),
    2: (
        "ALTER TABLE item_sets ADD COLUMN hashes BLOB",
        "ALTER TABLE points ADD COLUMN num_items INTEGER NOT NULL DEFAULT 0",
        "UPDATE points SET num_items = (SELECT json_extract(study, '$.num_items') FROM studies WHERE key = points.study)",
    ),
    3: ("CREATE TABLE kept (key TEXT PRIMARY KEY, kind TEXT NOT NULL, value BLOB NOT NULL, added_at TEXT NOT NULL) STRICT",),
}
"""What brings a file of each older version to the next."""

PATIENCE = 30
"""Seconds that another process is waited for."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to ``VERSION``, within one transaction; another process may have done it just before."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        steps = _TABLES.split(";") if version == 0 else [s for v in range(version, VERSION) for s in _MIGRATIONS[v]]
        for statement in filter(str.strip, steps):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def check_version(version: int, path: Path) -> None:
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer version of this program (store version {version}, this one reads up to "
            f"{VERSION}). Update the program, or choose another file with --store."
        )


def write_ahead(connection: sqlite3.Connection) -> None:
    """Put a new file into WAL mode: SQLite itself does not wait while another process is at the same."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
