"""lm-eval's tasks are found by name, as its own index finds them, without importing it."""

import random
import subprocess
import sys

import pytest
from lm_eval.tasks._yaml_loader import load_yaml

from hma.errors import SuiteError
from hma.evaluate import installed


def test_names_lead_where_lm_evals_own_index_leads():
    """Drawn from all of its files: the name that lm-eval reads in one leads back to that one."""
    root = installed.folder() / "tasks"
    files = random.Random(0).sample(sorted(root.rglob("*.yaml")), 40)
    settings = {file: load_yaml(file, resolve_func=False) for file in files}
    tasks = {file: said["task"] for file, said in settings.items() if isinstance(said.get("task"), str)}
    assert len(tasks) > 20
    for file, name in tasks.items():
        assert installed.find_task(name) == file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("arc_eazy", r"There is no task 'arc_eazy' in lm-eval .*Close to it: arc_easy"),
        ("mmlu", r"'mmlu' is no single task .* stands for mmlu_stem, .*\"group\": \"mmlu\""),
        ("glue", r"'glue' is no single task .* stands for cola, mnli, mrpc"),
    ],
)
def test_a_name_that_is_no_task(name, said):
    with pytest.raises(SuiteError, match=said):
        installed.find_task(name)


def test_finding_imports_nothing_heavy():
    code = (
        "import sys; from hma.evaluate import installed; print(installed.find_task('wmt14-fr-en').name); "
        "print([m for m in ('torch', 'transformers', 'lm_eval', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["wmt14_fr-en.yaml", "[]"]


def test_the_known_metrics_are_those_that_lm_eval_registers():
    from lm_eval.api import metrics, registry

    assert metrics and installed.known_metrics() == set(registry.METRIC_REGISTRY.keys())
