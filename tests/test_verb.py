"""Groups of options as parameters of a verb."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hma.errors import HmaError
from hma.options import BlockOptions, MergeOptions, PairOptions, SuiteOptions
from hma.verb import verb


@dataclass(frozen=True)
class Place:
    city: Annotated[str, typer.Option(help="Where.")] = "Ulm"


@dataclass(frozen=True)
class Address(Place):
    street: Annotated[str | None, typer.Option("--road", help="Which road.")] = None


@verb
def send(*, what: Annotated[str, typer.Argument()], address: Address, fast: bool = False) -> None:
    """Send something."""
    print(what, address, fast)


def run(*words: str):
    app = typer.Typer()
    app.command()(send)
    return CliRunner().invoke(app, words)


def test_the_fields_of_a_group_stand_in_its_place_as_options():
    assert list(inspect.signature(send).parameters) == ["what", "city", "street", "fast"]
    assert run("a letter").stdout.strip() == f"a letter {Address()} False"
    told = run("a letter", "--road", "Rue", "--city", "Bern", "--fast").stdout.strip()
    assert told == f"a letter {Address('Bern', 'Rue')} True"


def test_help_says_what_a_verb_says_and_each_option_of_a_group():
    told = run("--help").stdout
    assert "Send something." in told and "Which road." in told and "[default: Ulm]" in told
    assert "address" not in told


@pytest.mark.parametrize("group", [{"dtype": "int8"}, {"rounding": "up"}])
def test_what_a_merge_may_be_written_in_is_checked_before_anything_is_opened(group):
    with pytest.raises(HmaError, match=next(iter(group.values()))):
        MergeOptions(**group)


def test_what_may_be_allowed_is_checked_before_anything_is_opened():
    with pytest.raises(HmaError, match="'all'"):
        PairOptions(allow=["bin", "all"])
    assert PairOptions(allow=["code", "bin", "code"]).allowed == ("bin", "code")


def test_a_program_in_a_file_is_named_by_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert SuiteOptions(reward="liking.py:reward").program == f"{tmp_path.resolve()}/liking.py:reward"
    assert SuiteOptions(reward="package.module:reward").program == "package.module:reward"
    assert SuiteOptions().program == ""


def test_blocks_and_merges_cut_alike_but_for_the_scope():
    assert BlockOptions(blocks="2", own="head,norm").partition(4).own == ("norm", "head")
    assert MergeOptions(blocks="2", linear_only=True).partition(4).own == ("head",)
    with pytest.raises(HmaError, match="'norm', and --linear-only"):
        MergeOptions(own="norm", linear_only=True).partition(4)


def test_a_name_of_the_original_code_says_its_blocks_itself():
    with pytest.raises(HmaError, match="says its blocks itself"):
        MergeOptions(blocks="2").recipe(4, "pma_0.5_a_split|1|0.4|0.2_b")
    assert MergeOptions(dtype="float32").recipe(4, "pma_0.5_a_split|1|0.4|0.2_b").precision.dtype == "float32"
