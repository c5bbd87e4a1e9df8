"""Imports run one way, and the app's process stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ALLOWED = {
    "errors": set(),
    "core": {"errors"},
    "schema": {"errors"},
    "rows": {"core", "errors"},
    "store": {"core", "errors", "rows", "schema"},
    "checkpoints": {"core", "errors"},
    "evaluate": {"checkpoints", "core", "errors"},
    "lab": {"core", "errors", "checkpoints", "evaluate"},
    "study": {"core", "errors", "checkpoints", "evaluate", "store"},
    "workbench": {"core", "errors", "checkpoints", "evaluate", "store"},
    "worker": {"card", "core", "errors", "evaluate", "workbench"},
    "process": {"core", "errors"},
    "jobs": {"board", "core"},
    "engine": {"board", "checkpoints", "core", "errors", "jobs", "process", "store"},
    "board": {"core", "store"},
    "text": {"core"},
    "look": {"core", "text"},
    "ranges": {"core"},
    "picture": {"board", "core", "look", "ranges", "text"},
    "ui": {"board", "core", "errors", "engine", "evaluate", "look", "process", "ranges", "store", "study", "text"},
    "report": {"board", "core", "text"},
    "lookup": {"board", "core", "errors", "methods", "options", "store", "study", "text"},
    "sure_cli": {"board", "core", "errors", "lookup", "options", "report", "store", "study", "text"},
    "launch": {"errors"},
    "race": {"core", "errors", "evaluate", "store"},
    "measuring": {"core", "engine", "errors", "report", "text"},
    "sweep_cli": {"board", "core", "engine", "measuring", "options", "race", "report", "study"},
    "card": {"board", "checkpoints", "core", "look", "picture", "text"},
    "methods": {"checkpoints", "core", "errors"},
    "options": {"checkpoints", "core", "errors", "methods", "study"},
    "push": {"checkpoints", "errors"},
    "export_cli": {"board", "card", "checkpoints", "core", "errors", "evaluate", "options", "push", "study", "text"},
    "pair_cli": {"checkpoints", "core", "options"},
    "bench": {"board", "checkpoints", "core", "errors", "engine", "evaluate", "store", "study", "ui"},
    "__main__": {"board", "checkpoints", "core", "errors", "engine", "store", "study"}
    | {
        "lab",
        "bench",
        "report",
        "launch",
        "export_cli",
        "lookup",
        "measuring",
        "options",
        "pair_cli",
        "sure_cli",
        "sweep_cli",
        "text",
    },
    "__init__": set(),
}
"""What each part of ``hma`` may import from ``hma``; itself always."""

HEAVY = {"torch", "transformers", "lm_eval", "llm_blender", "datasets", "accelerate"}
LIGHT = {
    "core",
    "errors",
    "store",
    "board",
    "text",
    "look",
    "ranges",
    "picture",
    "study",
    "process",
    "jobs",
    "engine",
    "ui",
    "report",
    "race",
    "measuring",
    "sweep_cli",
    "launch",
    "export_cli",
    "push",
    "methods",
    "options",
    "pair_cli",
    "lookup",
    "sure_cli",
    "bench",
    "__main__",
    "__init__",
}


def part(path: Path) -> str:
    return path.relative_to(ROOT / "hma").parts[0].removesuffix(".py")


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else list(ast.walk(tree))
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


SOURCES = sorted((ROOT / "hma").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    used = {name.split(".")[1] for name in imports(path) if name.startswith("hma.")}
    used = {name for name in used if (ROOT / "hma" / name).exists() or (ROOT / "hma" / f"{name}.py").exists()}
    assert used - {part(path)} <= ALLOWED[part(path)]


@pytest.mark.parametrize("path", [p for p in SOURCES if part(p) in LIGHT], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_apps_process_imports_nothing_heavy(path):
    assert not {name.split(".")[0] for name in imports(path)} & HEAVY


def test_the_command_line_starts_without_anything_heavy():
    command = [sys.executable, "-c", "import sys, hma.__main__; print(*(name.split('.')[0] for name in sys.modules))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & HEAVY


@pytest.mark.parametrize("path", [p for p in SOURCES if part(p) != "ui"], ids=lambda p: str(p.relative_to(ROOT)))
def test_only_ui_imports_streamlit(path):
    assert "streamlit" not in {name.split(".")[0] for name in imports(path, top_only=True)}


@pytest.mark.parametrize("path", [p for p in SOURCES if part(p) == "core"], ids=lambda p: str(p.relative_to(ROOT)))
def test_core_is_values_and_maths(path):
    outside = {name.split(".")[0] for name in imports(path)} & {"sqlite3", "os", "pathlib", "time", "datetime", "subprocess"}
    assert not outside
