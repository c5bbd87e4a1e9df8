"""Reward programs: in a module or in a file; what they are written in is known without running it."""

import sys

import pytest

from hma.errors import SuiteError
from hma.evaluate.programs import content, load_program, program_files


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The file of the module ``taste``, which judges."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / "taste.py"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file that Python finds only by its path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path / "liking.py"


def test_an_edited_program_is_loaded_again(module):
    module.write_text("def reward(prompt, answer): return 1.0")
    assert load_program("taste:reward")("p", "a") == 1.0
    module.write_text("def reward(prompt, answer): return 2.0")
    assert load_program("taste:reward")("p", "a") == 2.0


def test_a_function_in_a_file_with_what_it_imports_beside_it(file):
    file.write_text(
        "import json\nimport liked_words\nfrom liked_more import late\ndef reward(p, a): return late() + liked_words.N\n"
    )
    (file.parent / "liked_words.py").write_text("N = 1")
    (file.parent / "liked_more.py").write_text("def late():\n    import liked_late\n    return liked_late.N\n")
    (file.parent / "liked_late.py").write_text("N = 10")
    (file.parent / "other.py").write_text("raise RuntimeError('nothing imports it')")
    program = f"{file}:reward"
    assert load_program(program)("p", "a") == 11
    assert set(program_files(program)) == {"liking", "liked_words", "liked_more", "liked_late"}
    before = content(program)
    (file.parent / "liked_late.py").write_text("N = 100")
    assert content(program) != before
    assert load_program(program)("p", "a") == 101
    assert file.parent.name not in str(content(program))  # the same file elsewhere is the same reward


def test_what_a_program_is_written_in_is_found_without_running_it(file):
    file.write_text("raise RuntimeError('run')\ndef reward(p, a): return 0")
    assert list(program_files(f"{file}:reward")) == ["liking"]
    with pytest.raises(SuiteError, match="cannot be loaded: RuntimeError: run"):
        load_program(f"{file}:reward")


def test_two_files_of_one_name_are_two_programs(file):
    for number, folder in enumerate(("one", "two", "one")):
        (file.parent / folder).mkdir(exist_ok=True)
        (file.parent / folder / "liking.py").write_text(f"from liked_words import N\ndef reward(p, a): return N + {number}")
        (file.parent / folder / "liked_words.py").write_text(f"N = {10 * number}")
        assert load_program(f"{file.parent / folder}/liking.py:reward")("p", "a") == 11 * number


def test_a_file_in_the_shadow_of_another_module_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "random.py").write_text("def reward(p, a): return 0")
    with pytest.raises(SuiteError, match="has no attribute 'reward'"):
        load_program(f"{tmp_path}/random.py:reward")
    (tmp_path / "shadowed.py").write_text("import random\ndef reward(p, a): return 0")
    with pytest.raises(SuiteError, match=r"for 'random'\. Rename the file"):
        load_program(f"{tmp_path}/shadowed.py:reward")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("taste", "names no function"),
        ("taste:", "names no function"),
        (":reward", "names no function"),
        ("no.such:reward", "cannot be found"),
        ("gone.py:reward", "cannot be found"),
        ("my-reward.py:reward", "cannot import by its name"),
        ("sys:exit", "cannot be found"),
        ("taste:number", "is 5, expected a function"),
        ("taste:gone", r"taste\.py has no function 'gone'. It defines: even, reward. Name a function of a prompt"),
        ("taste:rewrad", "It defines: even, reward. Did you mean 'reward'\\?"),
        ("nothing:reward", "It defines no function at all"),
        ("broken:reward", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("wrong:reward", r"wrong\.py, line 2, which the reward program uses, cannot be read as Python: .* in 'def reward\(:'"),
    ],
)
def test_what_is_no_program_says_why(module, program, said):
    module.write_text("number = 5\nif number:\n    def even(p, a): return 0\ndef reward(p, a): return 0")
    (module.parent / "nothing.py").write_text("'nothing'")
    (module.parent / "broken.py").write_text("import no_such_module as reward")
    (module.parent / "wrong.py").write_text("import json\ndef reward(:")
    with pytest.raises(SuiteError, match=said):
        load_program(program)


@pytest.mark.parametrize("program", ["taste:gone", "wrong:reward"])
def test_a_misspelt_function_is_found_before_anything_is_run(module, program):
    module.write_text("raise RuntimeError('run')\ndef reward(p, a): return 0")
    (module.parent / "wrong.py").write_text("def reward(:")
    with pytest.raises(SuiteError, match=r"has no function 'gone'|line 1, which"):
        content(program)


@pytest.mark.parametrize(
    "lines",
    [
        "from liked_words import *",
        "from liked_words import reward",
        "import liked_words as reward",
        "reward = lambda p, a: 0",
        "try:\n    import gone\nexcept ImportError:\n    def reward(p, a): return 0",
        "class reward: ...",
        "def __getattr__(name): return print",
        "for reward in [print]: pass",
        "def begin():\n    global reward\n    reward = print\nbegin()",
    ],
)
def test_a_function_may_be_bound_in_any_way(module, lines):
    module.write_text(lines)
    (module.parent / "liked_words.py").write_text("def reward(p, a): return 0")
    assert content("taste:reward")[0] == ["reward"]
