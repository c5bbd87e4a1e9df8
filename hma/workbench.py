"""The workbench: a pair resident on a device, its live model, and evaluators with their requests built once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from hma.checkpoints.export import Exported, export
from hma.checkpoints.live import LiveModel, device_name, find_device
from hma.checkpoints.pair import open_pair
from hma.core.descent import Step, descend
from hma.core.fit import Fit
from hma.core.partition import OWN, Partition
from hma.core.recipe import Recipe
from hma.core.study import Study
from hma.core.survey import SURVEY, Survey, Surveyed
from hma.errors import MeasureError, Outdated, SuiteError
from hma.evaluate.evaluator import CHAT, Evaluator
from hma.evaluate.judging import Judges
from hma.evaluate.suite import load_suite
from hma.methods.fitting import DRAFT, STEPS, TEXTS, draft_key, fit_key, fitting_suite, kept_steps, survey_key, texts_keys
from hma.methods.objective import FitObjective
from hma.methods.surveying import surveyed
from hma.methods.texts import Text, Writer
from hma.store import Measurement

SMALL_MODEL = 50_000_000
"""Below this many parameters one CPU core a stage and stages side by side are faster than several cores a stage."""

_CHANGED = "The checkpoints changed on disk since this study was opened. Open the study again."

Progress = Callable[[str, float], None]
"""Called with (stage, share of the measurement done in 0..1), from any thread; it may raise to stop."""


class Workbench:
    """Measures and exports recipes of one pair. Opened once, then each ``measure`` is a merge and an evaluation."""

    def __init__(
        self, reference: str, policy: str, device: torch.device | str | None = None, allow: Collection[str] = ()
    ) -> None:
        """Loads the pair on ``device``, or on the best one found; ``allow`` as in ``open_pair``."""
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        self._pair = open_pair(reference, policy, allow)
        self._device = torch.device(device) if device else find_device()
        parameters = sum(t.end - t.start for t in self._pair.policy.tensors.values()) // 4
        self._lanes = 1
        if self._device.type == "cpu" and parameters < SMALL_MODEL:
            torch.set_num_threads(1)
            self._lanes = os.cpu_count() or 1
        self._live = LiveModel(self._pair, self._device)
        self._evaluators: dict[tuple[str, int], Evaluator] = {}
        self._judges: Judges = {}
        self._stamps = self._pair.stamps()

    @property
    def device(self) -> str:
        """The device in words."""
        return device_name(self._device)

    def prepare(self, study: Study) -> Evaluator:
        """The study's evaluator, built at its first use. Raises MeasureError when files changed since it was opened."""
        self._check_files(study)
        asked = study.suite, study.num_items
        if asked not in self._evaluators:
            suite = load_suite(study.suite_path, study.split, study.size, study.program)
            if (suite.fingerprint, suite.num_items) != asked:
                raise MeasureError("The suite changed on disk since this study was opened. Open the study again.")
            lanes = min(self._lanes, 1 + len(suite.abilities))
            model, tokenizer = self._live.model, self._live.tokenizer
            self._evaluators[asked] = Evaluator(suite, model, tokenizer, lanes, self._write_end, self._judges)
        return self._evaluators[asked]

    def _write_end(self, share: float) -> None:
        """Make the live model the policy (0) or the reference (1)."""
        self._live.write(Recipe(Partition.equal(self._pair.num_layers, 1), (share,)))

    def _check_files(self, study: Study) -> None:
        """Raise MeasureError when the study's checkpoints are not those in memory: ends may be read from their files' pages."""
        if study.pair != self._pair.fingerprint:
            raise MeasureError(_CHANGED)
        try:
            stamps = self._pair.stamps()
        except OSError:
            raise Outdated(_CHANGED) from None
        if stamps != self._stamps:
            raise Outdated(_CHANGED)

    def measure(
        self,
        study: Study,
        recipe: Recipe,
        progress: Progress = lambda stage, share: None,
        begun: Mapping[str, tuple[int, str]] | None = None,
    ) -> Measurement:
        """Merge, evaluate, and return the per-item results with the seconds that each stage took.

        ``begun`` is what the store has of the point, by ``Store.begun``: these items are not measured again.
        Stages may overlap, so that they add up to more than ``elapsed_seconds``. Raises SuiteError for a point whose
        items are others now.
        """
        evaluator = self.prepare(study)
        start = _checked_start(study, evaluator, begun or {})
        evaluator.set_out(lambda stage, done, total: progress(stage, 0.0), start)
        done_of = dict.fromkeys([CHAT, *(axis.name for axis in study.abilities)], 0.0)
        started = time.perf_counter()
        progress("merging", 0.0)
        self._live.write(recipe)
        effective = self._live.effective_alphas(recipe)
        merged = time.perf_counter()

        noted = evaluator.notes

        def on_stage(stage: str, done: int, total: int) -> None:
            done_of[stage] = done / total
            note = evaluator.notes.get(stage)
            progress(f"{stage} ({note})" if note else stage, sum(done_of.values()) / len(done_of))

        results = evaluator.run(on_stage, start)
        elapsed = time.perf_counter() - started
        timings = {"merge": merged - started, **evaluator.timings, "model": evaluator.model_seconds}
        return Measurement(
            recipe,
            results,
            device=self.device,
            elapsed_seconds=elapsed,
            timings=timings,
            effective_alphas=effective,
            start=start,
            note="; ".join(f"{stage}: {note}" for stage, note in evaluator.notes.items() if noted.get(stage) != note),
        )

    def fit(
        self,
        study: Study,
        fit: Fit,
        kept: Mapping[str, Any],
        keep: Callable[[str, str, Any], None],
        progress: Progress = lambda stage, share: None,
    ) -> list[Step]:
        """Choose alphas by a fit: its steps up to the number it may take, the last of which holds them.

        ``kept`` is, by their names, what the store has of its texts and steps; ``keep(kind, key, value)`` is called with each
        of these that is new, as soon as it is there. Raises FitError where there is nothing to fit on.
        """
        self._check_files(study)
        texts, before = self._texts(study, fit, kept, keep, progress)
        objective, key = FitObjective(fit, self._live, texts), fit_key(study, fit)
        steps = kept_steps(kept.get(key))
        left = fit.max_steps - max(0, len(steps) - 1)
        for step in descend(objective, fit.space, left, steps[-1] if steps else None):
            steps.append(step)
            keep(STEPS, key, [step.to_dict() for step in steps])
            stage = f"step {len(steps) - 1}: objective {step.objective:.4f}" + (f" ({objective.note})" if objective.note else "")
            progress(stage, before + (1 - before) * min(1.0, len(steps) / (fit.max_steps + 1)))
        return steps[: fit.max_steps + 1]

    def survey(
        self,
        study: Study,
        survey: Survey,
        kept: Mapping[str, Any],
        keep: Callable[[str, str, Any], None],
        progress: Progress = lambda stage, share: None,
    ) -> Surveyed:
        """How unlikely merges find both sides' own answers; ``kept`` and ``keep`` as in ``fit``. Raises FitError."""
        self._check_files(study)
        texts, before = self._texts(study, survey.fit, kept, keep, progress)
        key = survey_key(study, survey)
        return surveyed(
            survey,
            self._live,
            [some for _, some in texts],
            Surveyed.from_dict(kept[key]) if key in kept else None,
            lambda found: keep(SURVEY, key, found.to_dict()),
            lambda done, total: progress(f"surveying merges: {done} of {total}", before + (1 - before) * done / total),
        )

    def _texts(
        self,
        study: Study,
        fit: Fit,
        kept: Mapping[str, Any],
        keep: Callable[[str, str, Any], None],
        progress: Progress,
    ) -> tuple[list[tuple[float, list[Text]]], float]:
        """A fit's texts, each source's with its weight, written where they are not kept; and the share of the work they were."""
        suite = fitting_suite(study)
        writer = Writer(suite, self._live.model, self._live.tokenizer, self._write_end, self._judges)
        keys = texts_keys(study, fit)
        texts, before = [], 0.0 if kept.keys() >= set(keys.values()) else 0.5
        for i, (source, key) in enumerate(keys.items()):

            def written(done: int, total: int, i: int = i, source: str = source) -> None:
                progress(f"writing {source}: {done} of {total}", before * (i + done / total) / len(keys))

            texts.append((fit.sources[source], _texts(writer, fit, source, key, kept, keep, written)))
        return texts, before

    def delta(self, progress: Callable[[float], None]) -> list[dict[str, Any]]:
        """What RLHF changed in embeddings, each layer, final norm and head: a dict of each, with its name."""
        from hma.checkpoints.delta import changes, in_blocks

        size, done = sum(t.end - t.start for t in self._pair.policy.tensors.values()), 0

        def read(num_bytes: int) -> None:
            nonlocal done
            done += num_bytes
            progress(min(1.0, done / size))

        partition = replace(Partition.equal(self._pair.num_layers, self._pair.num_layers), own=OWN)
        found = in_blocks(changes(self._pair, read), partition)
        return [{"name": name, **change.to_dict()} for name, change in zip(partition.block_names(), found, strict=True)]

    def export(self, study: Study, recipe: Recipe, folder: str | Path, **options: Any) -> Exported:
        """Write the merge into the live model, and from there into a new folder: the weights that ``measure`` evaluates.

        ``options`` are those of ``hma.checkpoints.export.export``. Raises MeasureError when files changed since the study
        was opened.
        """
        self._check_files(study)
        return export(self._pair, recipe, folder, live=self._live, **options)


def _texts(
    writer: Writer,
    fit: Fit,
    source: str,
    key: str,
    kept: Mapping[str, Any],
    keep: Callable[[str, str, Any], None],
    progress: Callable[[int, int], None],
) -> list[Text]:
    """The texts of one of a fit's sources: those that are kept, or written, in chunks that are kept one by one."""
    if key in kept:
        return [Text.from_dict(text) for text in kept[key]]
    draft = draft_key(key)
    begun = [[Text.from_dict(text) for text in chunk] for chunk in kept.get(draft, ())]

    def keep_draft(chunks: Sequence[Sequence[Text]]) -> None:
        keep(DRAFT, draft, [[text.to_dict() for text in chunk] for chunk in chunks])

    found = writer.texts(source, fit.draw, progress, begun, keep_draft)
    keep(TEXTS, key, [text.to_dict() for text in found])
    return found


def _checked_start(study: Study, evaluator: Evaluator, begun: Mapping[str, tuple[int, str]]) -> int:
    """How many items a point has already. Raises SuiteError when they are not the suite's first ones."""
    start = max((count for count, _ in begun.values()), default=0)
    expected = evaluator.item_sets(start)
    for name, (count, items) in begun.items():
        if expected.get(name) != items:
            raise SuiteError(
                f"The {count} items of {name} that this point was measured on are not the first {count} of {study.suite_path} "
                "now: its data have changed where its files do not show it. Measure into another store, with --store."
            )
    return start
