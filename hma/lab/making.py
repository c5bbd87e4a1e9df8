"""A pair in the making: the stages that every build goes through, and folders that are whole or not there."""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hma.lab.scenario import Scenario, read_scenario
from hma.threads import one_thread

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps in all)."""

Weights = dict[str, "torch.Tensor"]

REPORT = "report.json"

_PACKAGES = ("torch", "transformers", "tokenizers", "lm-eval", "llm-blender", "sacrebleu", "numpy")


@dataclass
class Making:
    """The pair of a scenario and a seed, made stage by stage in ``folder``; ``seconds`` says what each stage took.

    First ``reference`` and ``policy``, each trained or taken from where it was trained before; then what needs them.
    The same scenario and seed give the same files on the same machine and versions.
    """

    folder: Path
    scenario: Scenario
    seed: int
    progress: StageProgress
    seconds: dict[str, float] = field(default_factory=dict)

    def train_reference(self) -> None:
        """Writes ``reference``, trained from nothing."""
        from hma.lab.pretrain import pretrain
        from hma.lab.tokenizer import make_tokenizer

        with self._timed("pretraining"):
            settings = self.scenario.size, self.scenario.pretraining
            model = pretrain(*settings, make_tokenizer(), self.seed, self._stage("pre-training"))
        self._save(model, "reference")

    def take(self, model: str, source: Path, stage: str) -> None:
        """Copies ``model`` ("reference" or "policy") from the folder ``source``, with the seconds its training took there."""
        shutil.copytree(source / model, self.folder / model)
        self.seconds[stage] = read_report(source)["seconds"][stage]

    def train_policy(self) -> dict[int, Weights]:
        """Writes ``policy``, trained from ``reference``; the weights after every iteration from 0 (the reference)."""
        from transformers import LlamaForCausalLM

        from hma.evaluate.programs import load_program
        from hma.lab.raft import raft
        from hma.lab.tokenizer import make_tokenizer

        reference = LlamaForCausalLM.from_pretrained(self.folder / "reference")
        snapshots = {0: reference.state_dict()}

        def keep(iteration: int, model: LlamaForCausalLM) -> None:
            snapshots[iteration] = {name: tensor.clone() for name, tensor in model.state_dict().items()}

        with self._timed("raft"):
            liked = load_program(self.scenario.program)
            policy = raft(reference, self.scenario.raft, liked, make_tokenizer(), self.seed, self._stage("RAFT"), keep)
        self._save(policy, "policy")
        return snapshots

    def measured_path(self, snapshots: dict[int, Weights]) -> dict[str, Any]:
        """The early-stopping curve: reward and abilities after each iteration, on the test items of the folder's suite."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from hma.lab.measuring import evaluator, scores_of

        path = []
        with self._timed("measuring the path"):
            model = AutoModelForCausalLM.from_pretrained(self.folder / "policy")
            tokenizer = AutoTokenizer.from_pretrained(self.folder / "policy")
            measure = evaluator(self.folder / "suite.json", model, tokenizer, "test")
            for place, (iteration, weights) in enumerate(snapshots.items(), start=1):
                model.load_state_dict(weights)
                path.append({"iteration": iteration, **scores_of(measure.run())})
                self.progress("measuring the path", place, len(snapshots))
        return {"split": "test", "num_items": self.scenario.num_items, "iterations": path}

    def report(self, **more: Any) -> dict[str, Any]:
        """Writes and returns ``report.json``: seed, scenario, what more there is to say, seconds and versions."""
        versions = {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
        scenario = asdict(self.scenario)
        report = {"seed": self.seed, "scenario": scenario, **more, "seconds": self.seconds, "versions": versions}
        (self.folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        return report

    def _save(self, model: LlamaForCausalLM, name: str) -> None:
        from hma.lab.tokenizer import make_tokenizer

        model.save_pretrained(self.folder / name)
        make_tokenizer().save_pretrained(self.folder / name)

    @contextlib.contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - started

    def _stage(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: self.progress(name, done, total)


def read_report(folder: Path) -> dict[str, Any]:
    """The report of a folder that was made."""
    return json.loads((folder / REPORT).read_text(encoding="utf-8"))


def is_of(report: dict[str, Any], scenario: Scenario, seed: int) -> bool:
    """Whether a report is of this seed of this scenario, as it is now."""
    try:
        return (report["seed"], read_scenario(report["scenario"])) == (seed, scenario)
    except (KeyError, TypeError):  # A setting that this version does not know, or lacks.
        return False


def is_free(folder: Path) -> bool:
    """Whether a folder can be written without losing anything: it is not there, or empty."""
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place at the end, and is gone if there was an error or interruption.

    Torch has one thread meanwhile.
    """
    out = out.expanduser().absolute()
    staging = out.parent / f".{out.name}.building"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        with one_thread():
            yield staging
        _replace(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace(staging: Path, out: Path) -> None:
    """Puts the finished folder in place; an older one is removed only when the new one can follow at once."""
    old = out.parent / f".{out.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    staging.rename(out)
    shutil.rmtree(old, ignore_errors=True)
