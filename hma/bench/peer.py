"""The way people measure merges without this project: every merge to disk, then lm-eval's command line and a reward script.

Three fresh processes a merge, one after the other, on the same items with the same decoding settings. What was tried to
make them fast, on two cores and the miniature: batches that hold all items at once, and one thread, since two are slower
for models this small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from hma.core.study import Study
from hma.errors import MeasureError
from hma.evaluate.suite import Suite, load_suite

_ROOT = str(Path(__file__).resolve().parents[2])

MERGE = """
import sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

reference, policy, alpha, out = sys.argv[1:]
alpha = float(alpha)
model = AutoModelForCausalLM.from_pretrained(policy)
other = AutoModelForCausalLM.from_pretrained(reference).state_dict()
with torch.no_grad():
    for name, weight in model.state_dict().items():
        weight.copy_(alpha * other[name] + (1 - alpha) * weight)
model.save_pretrained(out)
AutoTokenizer.from_pretrained(policy).save_pretrained(out)
"""
"""Both checkpoints averaged, and written as a model folder."""

REWARD = """
import importlib, json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, asked, out = sys.argv[1:]
asked = json.load(open(asked))
module, function = asked["judge"].split(":")
reward = getattr(importlib.import_module(module), function)
tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
model = AutoModelForCausalLM.from_pretrained(folder)
chats = [[{"role": "user", "content": prompt}] for prompt in asked["prompts"]]
texts = [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
batch = tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt")
torch.manual_seed(asked["seed"])
said = model.generate(
    input_ids=batch.input_ids, attention_mask=batch.attention_mask, max_new_tokens=asked["max_new_tokens"],
    do_sample=True, temperature=asked["temperature"], top_p=asked["top_p"], top_k=0,
)
answers = tokenizer.batch_decode(said[:, batch.input_ids.shape[1] :], skip_special_tokens=True)
json.dump([reward(prompt, answer) for prompt, answer in zip(asked["prompts"], answers)], open(out, "w"))
"""
"""Answers to the chat prompts, all in one batch, each judged by the suite's reward program."""


Python = Callable[..., str]
"""Called with a program's arguments, where it runs, and more of its environment; gives what it printed."""


@dataclass(frozen=True)
class Measured:
    """Seconds of each process, abilities by name on a scale to 100, and rewards by prompt."""

    seconds: dict[str, float]
    abilities: dict[str, float]
    rewards: list[float]


class Peer:
    """Measures MA merges of a study's pair so, in a folder of its own. The study's items must be its tasks' test split."""

    def __init__(self, study: Study, folder: Path, python: Python | None = None) -> None:
        """``python`` runs a program, as ``run`` does by default."""
        self._study, self._folder, self._python = study, folder, python or run
        self._suite: Suite = load_suite(study.suite_path, study.split, study.size)
        folder.mkdir()
        chat = self._suite.chat
        prompts = [prompt.text for prompt in chat.prompts[: study.num_items]]
        asked = {"judge": chat.rewards[0].judge, "prompts": prompts, **asdict(chat.generation)}
        (folder / "asked.json").write_text(json.dumps(asked))

    def measure(self, alpha: float) -> Measured:
        """One merge, measured by three processes."""
        model, out, rewards = (self._folder / name for name in (f"merge-{alpha:g}", "results", "rewards.json"))
        seconds = {
            "merge": self._timed(["-c", MERGE, self._study.reference, self._study.policy, str(alpha), str(model)]),
            "lm_eval": self._timed(["-m", "lm_eval", *self._lm_eval(model, out)], self._tasks),
            "reward": self._timed(["-c", REWARD, str(model), str(self._folder / "asked.json"), str(rewards)]),
        }
        newest = max(out.rglob("results_*.json"), key=lambda file: file.stat().st_mtime)
        results = json.loads(newest.read_text())["results"]
        abilities = {a.axis.name: _value(results[a.axis.name], a.metric) for a in self._suite.abilities}
        return Measured(seconds, abilities, json.loads(rewards.read_text()))

    def _timed(self, arguments: list[str], folder: Path | None = None) -> float:
        """Seconds of a fresh process on one thread."""
        started = time.perf_counter()
        self._python(arguments, folder, OMP_NUM_THREADS="1")
        return time.perf_counter() - started

    @property
    def _tasks(self) -> Path:
        """Where the tasks lie: lm-eval finds their data from there."""
        return self._suite.abilities[0].task.parent

    def _lm_eval(self, model: Path, out: Path) -> list[str]:
        names = ",".join(ability.axis.name for ability in self._suite.abilities)
        count = str(self._suite.num_items)
        asked = ["--model", "hf", "--model_args", f"pretrained={model}", "--tasks", names, "--include_path", str(self._tasks)]
        return [*asked, "--limit", count, "--batch_size", count, "--device", "cpu", "--output_path", str(out)]


def _value(results: dict[str, float], metric: str) -> float:
    """A metric on a scale to 100; BLEU is on it already."""
    return results[f"{metric},none"] * (1 if metric == "bleu" else 100)


def run(arguments: list[str], folder: Path | None = None, **environment: str) -> str:
    """What a fresh Python process prints that sees no GPU and no hub. Raises MeasureError with its last words when it fails."""
    alone = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}
    settings = {**os.environ, **alone, "PYTHONPATH": _ROOT, **environment}
    done = subprocess.run([sys.executable, *arguments], cwd=folder or _ROOT, env=settings, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise MeasureError(f"`python {' '.join(arguments)[-200:].strip()}` ended with {done.returncode}: {said[-1]}")
    return done.stdout
