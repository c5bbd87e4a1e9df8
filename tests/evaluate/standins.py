"""Small data sets in the format of the paper's: the same columns, types, configurations and splits as on the hub."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets

WORDS = "a b c d e f g h red blue green question human assistant".split()
"""What the tiny model knows."""

Row = dict[str, Any]


def write(folder: Path, rows: dict[str, list[Row]], config: str | None = None) -> Path:
    """A data set's folder as a clone of its repository: Parquet files, and a card that says which file is what."""
    folder.mkdir(parents=True)
    for split, some in rows.items():
        datasets.Dataset.from_list(some).to_parquet(folder / f"{split}.parquet")
    files = "".join(f"  - split: {split}\n    path: {split}.parquet\n" for split in rows)
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: {config or 'default'}\n  data_files:\n{files}---\n")
    return folder


def paper(folder: Path, num_items: int = 12) -> dict[str, Path]:
    """A stand-in of every data set of the paper's suite, by the ability's name; each with the splits that it has."""
    draw = random.Random(0)

    def many(row: Callable[[random.Random, int], Row], *splits: str) -> dict[str, list[Row]]:
        return {split: [row(draw, i) for i in range(num_items)] for split in splits}

    return {
        "arc_easy": write(folder / "arc_easy", many(_arc, "train", "validation", "test"), "ARC-Easy"),
        "arc_challenge": write(folder / "arc_challenge", many(_arc, "train", "validation", "test"), "ARC-Challenge"),
        "race": write(folder / "race", {"test": [_race(draw, i) for i in range(2 * num_items)]}, "high"),
        "piqa": write(folder / "piqa", many(_piqa, "train", "validation")),
        "squad": write(folder / "squad", many(_squad, "train", "validation")),
        "drop": write(folder / "drop", many(_drop, "train", "validation")),
        "wmt14_fr_en": write(folder / "wmt14", many(_wmt, "train", "validation", "test"), "fr-en"),
    }


def _words(draw: random.Random, count: int = 6) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(count))


def _arc(draw: random.Random, place: int) -> Row:
    labels = ["A", "B", "C", "D"] if place % 3 else ["1", "2", "3"]  # ARC names its options in both ways.
    choices = {"text": [_words(draw, 2) for _ in labels], "label": labels}
    return {"id": f"arc-{place}", "question": _words(draw), "choices": choices, "answerKey": draw.choice(labels)}


def _race(draw: random.Random, place: int) -> Row:
    problems = [
        {"question": _words(draw) + end, "answer": draw.choice("ABCD"), "options": [_words(draw, 2) for _ in range(4)]}
        for end in ("  _  .", " ?", " ?")
    ]
    return {"article": _words(draw, 20), "problems": str(problems)}


def _piqa(draw: random.Random, place: int) -> Row:
    return {"goal": _words(draw), "sol1": _words(draw, 3), "sol2": _words(draw, 3), "label": draw.randrange(2)}


def _squad(draw: random.Random, place: int) -> Row:
    answers = [_words(draw, 3) for _ in range(0 if place % 4 == 3 else 2)]
    return {
        "id": f"squad-{place}",
        "title": _words(draw, 1),
        "context": _words(draw, 20),
        "question": _words(draw),
        "answers": {"text": answers, "answer_start": [0] * len(answers)},
    }


def _drop(draw: random.Random, place: int) -> Row:
    kinds = [
        {"number": str(draw.randrange(9)), "date": _date(), "spans": []},
        {"number": "", "date": _date(day="3", month="May", year="1999"), "spans": []},
        {"number": "", "date": _date(), "spans": [_words(draw, 3), _words(draw, 2)]},
        {"number": "", "date": _date(), "spans": [_words(draw, 3)]},
    ]
    others = [kinds[3], kinds[place % 4]]
    return {
        "section_id": f"section-{place}",
        "query_id": f"drop-{place}",
        "passage": _words(draw, 20),
        "question": _words(draw),
        "answer": {**kinds[place % 4], "worker_id": "", "hit_id": ""},
        "validated_answers": {name: [answer[name] for answer in others] for name in ("number", "date", "spans")}
        | {"worker_id": ["", ""], "hit_id": ["", ""]},
    }


def _date(day: str = "", month: str = "", year: str = "") -> Row:
    return {"day": day, "month": month, "year": year}


def _wmt(draw: random.Random, place: int) -> Row:
    return {"translation": {"fr": _words(draw), "en": _words(draw)}}
