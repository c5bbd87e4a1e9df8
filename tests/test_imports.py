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
    "threads": set(),
    "evaluate": {"checkpoints", "core", "errors", "threads"},
    "lab": {"core", "errors", "checkpoints", "evaluate", "comparing", "engine", "look", "methods", "searching", "store", "study"}
    | {"shell", "threads"},
    "study": {"core", "errors", "checkpoints", "evaluate", "store"},
    "workbench": {"core", "errors", "checkpoints", "evaluate", "methods", "store"},
    "line": {"errors"},
    "worker": {"card", "core", "errors", "evaluate", "line", "methods", "workbench"},
    "adviser": {"line", "methods"},
    "process": {"core", "errors"},
    "jobs": {"board", "core", "errors"},
    "asking": {"core", "errors", "jobs", "process", "store"},
    "working": {"core", "errors", "jobs", "process", "store"},
    "engine": {"asking", "board", "checkpoints", "core", "errors", "jobs", "methods", "process", "store", "working"},
    "board": {"core", "store"},
    "samples": {"core", "store"},
    "drawing": {"board", "core", "look", "ranges", "text"},
    "telling": {"board", "core", "text"},
    "handout": {"board", "core", "drawing", "errors", "evaluate", "look", "samples", "schema", "telling", "text"},
    "text": {"core"},
    "roots": {"checkpoints", "errors"},
    "look": {"core", "text"},
    "ranges": {"core"},
    "picture": {"board", "core", "look", "ranges", "text"},
    "contenders": {"core", "text"},
    "contest": {"board", "contenders", "core"},
    "ui": {"asking", "board", "checkpoints", "comparing", "core", "errors", "engine", "evaluate", "look", "methods", "process"}
    | {"contenders", "contest", "download", "drawing", "exports", "handout", "picture", "ranges", "roots", "runs", "samples"}
    | {"store", "study", "telling", "text"},
    "report": {"board", "core", "text"},
    "download": {"board", "core", "text"},
    "exports": {"checkpoints", "core", "errors", "text"},
    "lookup": {"board", "core", "errors", "methods", "options", "shell", "store", "study", "text"},
    "sure_cli": {"board", "core", "errors", "lookup", "options", "report", "store", "text", "verb"},
    "asgi": {"ui"},
    "launch": {"asgi", "errors"},
    "race": {"core", "errors", "evaluate", "store"},
    "measuring": {"core", "engine", "errors", "jobs", "report", "text"},
    "sweep_cli": {"board", "core", "engine", "errors", "measuring", "methods", "options", "race", "report", "verb"},
    "card": {"board", "checkpoints", "core", "look", "picture", "text"},
    "methods": {"checkpoints", "core", "errors", "evaluate", "threads"},
    "options": {"checkpoints", "core", "errors", "methods", "store", "study"},
    "verb": set(),
    "mistakes": set(),
    "shell": set(),
    "measure_cli": {"board", "engine", "measuring", "options", "report", "text", "verb"},
    "fit_cli": {"board", "core", "engine", "errors", "lookup", "measuring", "methods", "options", "report", "verb"},
    "comparing": {"core", "errors", "methods", "store"},
    "run": {"comparing", "core"},
    "runs": {"comparing", "core", "engine", "errors", "jobs", "methods", "run", "searching"},
    "searching": {"comparing", "core", "engine", "errors", "store"},
    "compare_cli": {"comparing", "core", "engine", "fit_cli", "measuring", "options", "report", "searching", "store"}
    | {"study", "verb"},
    "search_cli": {"board", "comparing", "core", "engine", "measuring", "methods", "options", "report", "searching", "store"}
    | {"text", "verb"},
    "front_cli": {"lookup", "options", "report", "verb"},
    "handout_cli": {"board", "core", "errors", "evaluate", "handout", "lookup", "options", "report", "samples", "store", "text"}
    | {"verb"},
    "push": {"checkpoints", "errors", "shell"},
    "export_cli": {"board", "card", "checkpoints", "core", "errors", "evaluate"}
    | {"options", "push", "report", "study", "text", "verb"},
    "pair_cli": {"checkpoints", "core", "options", "report", "verb"},
    "bench": {"board", "checkpoints", "core", "errors", "engine", "evaluate", "measuring", "methods", "searching", "store"}
    | {"study", "threads", "ui"},
    "__main__": {"bench", "errors", "lab", "launch", "mistakes", "options", "shell", "study", "text", "verb"}
    | {"compare_cli", "export_cli", "fit_cli", "front_cli", "handout_cli", "search_cli", "measure_cli", "pair_cli", "sure_cli"}
    | {"sweep_cli"},
    "__init__": set(),
}
"""What each part of ``hma`` may import from ``hma``; itself always."""

HEAVY = {"torch", "transformers", "lm_eval", "llm_blender", "datasets", "accelerate", "botorch", "gpytorch"}
LIGHT = {
    "core",
    "errors",
    "store",
    "board",
    "samples",
    "drawing",
    "telling",
    "handout",
    "handout_cli",
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
    "download",
    "exports",
    "race",
    "measuring",
    "sweep_cli",
    "asgi",
    "launch",
    "export_cli",
    "push",
    "methods",
    "options",
    "pair_cli",
    "lookup",
    "sure_cli",
    "measure_cli",
    "fit_cli",
    "compare_cli",
    "comparing",
    "contenders",
    "contest",
    "search_cli",
    "searching",
    "run",
    "runs",
    "front_cli",
    "verb",
    "mistakes",
    "shell",
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


BRINGS_TORCH = {f"methods/{name}.py" for name in ("objective", "search", "surrogate", "surveying", "texts")}
"""Of a light part, what is imported only where it is used."""

LIGHT_SOURCES = [p for p in SOURCES if part(p) in LIGHT and p.relative_to(ROOT / "hma").as_posix() not in BRINGS_TORCH]


@pytest.mark.parametrize("path", LIGHT_SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
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
