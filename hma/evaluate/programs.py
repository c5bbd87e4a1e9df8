"""Reward programs: a function of a prompt and an answer, in a module or a Python file; found, hashed and loaded."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path

from hma.errors import SuiteError
from hma.evaluate.sources import hash_of

_loaded: dict[str, str] = {}
"""Files of reward programs that this process has loaded, with the hash that each had at that time."""


def program_files(program: str) -> dict[str, Path]:
    """The files that a reward program is written in, by module; its own first.

    ``module:function``: its own file, and those that it imports from its own package, however indirectly.
    ``FILE.py:function``: the file, and those beside it that it imports. Nothing is run. Raises SuiteError when
    there is no such module, or one that is not Python, and when its own file does not define the function.
    """
    module, folder = _place(program)
    first = Path(folder, f"{module}.py") if folder else _source(module)
    if first is None or not first.is_file():
        raise SuiteError(f"The reward program '{program}' cannot be found. Write it as module:function or FILE.py:function.")
    _check_defined(program, first)
    package = module.partition(".")[0]
    files, waiting = {module: first}, [module]
    while waiting:
        for name in _imported(waiting[0], files[waiting.pop(0)]):
            its_own = folder is not None or name.partition(".")[0] == package
            if name not in files and its_own and (file := _source(name, folder)) is not None:
                files[name] = file
                waiting.append(name)
    return files


def content(program: str) -> list[list[str]]:
    """What a reward program's numbers depend on: its function, and its modules with the hashes of their files."""
    files = program_files(program)
    return [[program.rpartition(":")[2]], *([name, hash_of(file)] for name, file in sorted(files.items()))]


def load_program(program: str) -> Callable[[str, str], float]:
    """The function of a reward program. One whose files changed since this process loaded it is loaded afresh.

    Raises SuiteError when its module raises, lacks the function, or takes a module from elsewhere for one beside it.
    """
    files = program_files(program)
    hashes = {str(file): hash_of(file) for file in files.values()}
    known = {name: _file_of(name) for name in files}
    if any(known[name] in _loaded and _loaded[known[name]] != hashes.get(known[name]) for name in files):
        for name, file in files.items():
            if known[name] in _loaded:
                del sys.modules[name]
            Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)  # It is dated to the second only.
        importlib.invalidate_caches()
    module, folder = _place(program)
    try:
        with _beside(folder):
            function = getattr(importlib.import_module(module), program.rpartition(":")[2])
    except Exception as error:  # whatever the module's own lines raise
        raise SuiteError(f"The reward program '{program}' cannot be loaded: {type(error).__name__}: {error}.") from error
    for name, file in files.items():
        if name in sys.modules and _file_of(name) != str(file):
            raise SuiteError(
                f"The reward program '{program}' needs {file}, and Python has {_file_of(name)} for '{name}'. Rename the file."
            )
    if not callable(function):
        raise SuiteError(f"The reward program '{program}' is {function!r:.60}, expected a function of a prompt and an answer.")
    _loaded.update(hashes)
    return function


def _file_of(module: str) -> str:
    """The file that a loaded module came from; of one that is not loaded, or came from none, an empty text."""
    return getattr(sys.modules.get(module), "__file__", None) or ""


def _place(program: str) -> tuple[str, Path | None]:
    """A program's module, and for one in a file the folder that the file is in."""
    place, colon, function = program.rpartition(":")
    if not colon or not function.isidentifier() or not place:
        raise SuiteError(f"The reward program '{program}' names no function. Write it as module:function or FILE.py:function.")
    if not place.endswith(".py"):
        return place, None
    file = Path(place).expanduser().resolve()
    if not file.stem.isidentifier():
        raise SuiteError(f"The reward program '{program}' is in a file that Python cannot import by its name. Rename the file.")
    return file.stem, file.parent


@contextmanager
def _beside(folder: Path | None) -> Iterator[None]:
    """While it lasts modules of a folder are found first; from then on, last, for what the program imports when it is called."""
    if folder is None:
        yield
        return
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def _source(module: str, folder: Path | None = None) -> Path | None:
    """The Python file of a module, in a folder or wherever Python looks; None where there is none."""
    top, *rest = module.split(".")
    try:
        spec = PathFinder.find_spec(top, [str(folder)] if folder else None)
    except (ImportError, ValueError):
        return None
    roots = (spec.submodule_search_locations or []) if spec else []
    found = [Path(root, *rest) for root in roots] if rest else [Path(spec.origin)] if spec and spec.origin else []
    files = [file for path in found for file in (path, path.with_suffix(".py"), path / "__init__.py")]
    return next((file for file in files if file.suffix == ".py" and file.is_file()), None)


def _imported(module: str, file: Path) -> set[str]:
    """Names that a module's file may import as modules, whether or not they are modules."""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    names: set[str] = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            names |= {start, *(f"{start}.{alias.name}" for alias in node.names)}
    return names


def _tree(file: Path) -> ast.Module:
    """What a file says, as Python reads it. Raises SuiteError, with the line, for one that is not Python."""
    try:
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        place = f"{file}, line {error.lineno}," if error.lineno else f"{file},"
        line = f" in '{error.text.strip():.60}'" if error.text and error.text.strip() else ""
        raise SuiteError(
            f"{place} which the reward program uses, cannot be read as Python: {error.msg}{line}. Mend the file."
        ) from None
    except (OSError, ValueError) as error:
        raise SuiteError(f"{file}, which the reward program uses, cannot be read as Python: {error}. Mend the file.") from None


def _check_defined(program: str, file: Path) -> None:
    """Raise SuiteError when a program's file gives its function's name to nothing, as far as that is seen without running it."""
    wanted, tree = program.rpartition(":")[2], _tree(file)
    functions, others = _defined(tree.body)
    others |= {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    if wanted in functions | others or "*" in others or "__getattr__" in functions:
        return
    listed = f"It defines: {', '.join(sorted(functions))}." if functions else "It defines no function at all."
    close = difflib.get_close_matches(wanted, sorted(functions), n=1)
    raise SuiteError(
        f"The reward program '{program}' cannot be found: {file} has no function '{wanted}'. {listed} "
        + (f"Did you mean '{close[0]}'?" if close else "Name a function of a prompt and an answer.")
    )


def _defined(body: Sequence[ast.stmt]) -> tuple[set[str], set[str]]:
    """The functions that statements define, and every other name that they may bind; ``*`` where they import all of a module."""
    functions: set[str] = set()
    others: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            functions.add(node.name)
        elif isinstance(node, ast.AsyncFunctionDef | ast.ClassDef):
            others.add(node.name)
        elif isinstance(node, ast.alias):
            others.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            others.add(node.id)
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return functions, others
