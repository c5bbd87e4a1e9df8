"""The worker process: ``python -m hma.worker`` owns a workbench and answers an engine over its standard streams.

Messages as in ``hma.line``. In: ``("open", study)`` once, then
``("prepare", study)``, ``("measure", job, study, recipe, begun)``, ``("fit", job, study, fit, kept)``,
``("survey", job, study, survey, kept)``, ``("delta", job)``,
``("export", job, study, recipe, target)`` and ``("cancel", job)``.
Out: ``("ready", device)``, ``("prepared",)``, ``("progress", job, stage, share)``, ``("keep", job, kind, key, value)``,
``("failed", job, kind, message)``, and ``("done", job, measurement)`` or, of a fit its last step, of an export a message, of
a survey None: it is kept.
"""

from __future__ import annotations

import os
import traceback
from functools import partial
from pathlib import Path
from typing import Any

from hma.core.study import Study
from hma.errors import AlphasError, Cancelled, CheckpointError, ExportError, FitError, HmaError, Outdated, SuiteError
from hma.evaluate.failures import first_line, is_out_of_memory
from hma.evaluate.suite import load_suite
from hma.line import Line


def serve(line: Line) -> None:
    """Open the pair, then answer requests until the engine goes away."""
    kind, study = line.receive()
    assert kind == "open"
    try:
        if _is_local(study):
            # Without this, each data set and tokenizer asks the network first.
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from hma.workbench import Workbench

        workbench = Workbench(study.reference, study.policy, allow=study.allow)
    except Exception as error:
        line.send("failed", None, *_explained(error))
        return
    line.send("ready", workbench.device)
    while True:
        kind, *request = line.receive()
        if kind == "prepare":
            _prepare(line, workbench, *request)
        elif kind == "measure":
            _measure(line, workbench, *request)
        elif kind == "fit":
            _fit(line, workbench, *request)
        elif kind == "survey":
            _survey(line, workbench, *request)
        elif kind == "delta":
            _delta(line, workbench, *request)
        elif kind == "export":
            _export(line, workbench, *request)


def _is_local(study: Study) -> bool:
    """Whether pair and suite need nothing from a hub."""
    folders = Path(study.reference).is_dir() and Path(study.policy).is_dir()
    return folders and load_suite(study.suite_path, study.split, study.size, study.program).is_local


def _prepare(line: Line, workbench: Any, study: Any) -> None:
    try:
        workbench.prepare(study)
    except Exception:
        traceback.print_exc()  # The measurement that needs it will report it.
    line.send("prepared")


def _measure(line: Line, workbench: Any, job: int, study: Any, recipe: Any, begun: Any) -> None:
    try:
        line.check(job)
        line.send("progress", job, "preparing the suite", 0.0)
        line.send("done", job, workbench.measure(study, recipe, partial(line.report, job), begun))
    except Exception as error:
        line.send("failed", job, *_explained(error))


def _export(line: Line, workbench: Any, job: int, study: Any, recipe: Any, target: Any) -> None:
    from hma import card

    try:
        line.check(job)
        done = workbench.export(
            study,
            recipe,
            target.folder,
            card=lambda merge: card.files(merge, Path(target.folder), target.boards),
            tokenizer=target.tokenizer,
            replace=target.replace,
            progress=lambda done, total: line.report(job, "writing", done / total),
        )
        line.send("done", job, f"{done.folder}: {len(done.files) + 1} files, {done.size:,} bytes.")
    except Exception as error:
        line.send("failed", job, *_explained(error))


def _fit(line: Line, workbench: Any, job: int, study: Any, fit: Any, kept: Any) -> None:
    try:
        line.check(job)
        steps = workbench.fit(study, fit, kept, partial(line.send, "keep", job), partial(line.report, job))
        line.send("done", job, steps[-1])
    except Exception as error:
        line.send("failed", job, *_explained(error))


def _survey(line: Line, workbench: Any, job: int, study: Any, survey: Any, kept: Any) -> None:
    try:
        line.check(job)
        workbench.survey(study, survey, kept, partial(line.send, "keep", job), partial(line.report, job))
        line.send("done", job, None)
    except Exception as error:
        line.send("failed", job, *_explained(error))


def _delta(line: Line, workbench: Any, job: int) -> None:
    try:
        line.check(job)
        line.send("done", job, workbench.delta(lambda share: line.report(job, "reading", share)))
    except Exception as error:
        line.send("failed", job, *_explained(error))


def _explained(error: Exception) -> tuple[str, str]:
    """(kind, message) for the engine: "cancelled", "mistake" in what was asked, "failed", or "fatal" for what nobody foresaw.

    After the last nobody knows in what state the device is, so the engine replaces the worker.
    """
    if isinstance(error, Cancelled):
        return "cancelled", str(error)
    if isinstance(error, Outdated):
        return "fatal", str(error)
    if isinstance(error, AlphasError | CheckpointError | ExportError | FitError | SuiteError):
        return "mistake", str(error)
    if isinstance(error, HmaError):
        return "failed", str(error)
    traceback.print_exc()
    if is_out_of_memory(error):
        return "fatal", f"The device ran out of memory ({first_line(error)}). Close what else uses it, or choose a smaller pair."
    return "fatal", f"An unexpected {type(error).__name__}: {error}. Nothing was kept of it."


def main() -> None:
    serve(Line.of_process())


if __name__ == "__main__":
    main()
