"""A stand-in for ``hma.worker``: the same messages, made-up measurements, fits and predictions, no models.

Its one argument is the seconds that a measurement or a fit takes. Alpha 0.95 in the first block kills it, 0.9 fails, 0.85 finds
no memory, 0.65 finds little, and a fit at mean alpha 0.9 fails too. It predicts from ``KNOWN`` points on.
"""

import hashlib
import json
import os
import pickle
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from hma.checkpoints.place import placed
from hma.core.descent import Step
from hma.core.question import Reply
from hma.core.surrogate import Predictor
from hma.core.survey import SURVEY, Surveyed
from hma.methods.fitting import STEPS, fit_key, kept_steps, survey_key
from tests.ui.world import TRAP, measurement

KNOWN = 10
NUM_STEPS = 5
CHANGES = [
    {"name": name, "weights": 10, "changed_share": share, "by_one_share": share / 4, "relative_norm": share / 2}
    for name, share in (("embeddings", 0.5), ("layer 0", 0.0), ("layer 1", 1.0), ("head", 0.25))
]
STAGES = ("merging", "chat answers", "choice", "reading", "translation")


def main() -> None:
    seconds, cancelled, requests = float(sys.argv[1]), set(), []
    ready = threading.Condition()

    def listen():
        while True:
            try:
                message = pickle.load(sys.stdin.buffer)  # noqa: S301 (the engine that started us)
            except EOFError:
                os._exit(0)
            with ready:
                cancelled.add(message[1]) if message[0] == "cancel" else requests.append(message)
                ready.notify()

    def send(*message):
        pickle.dump(message, sys.stdout.buffer)
        sys.stdout.buffer.flush()

    threading.Thread(target=listen, daemon=True).start()
    while True:
        with ready:
            ready.wait_for(lambda: requests)
            kind, *rest = requests.pop(0)
        if kind == "open":
            send("ready", "CPU (stand-in)")
        elif kind == "prepare":
            send("prepared")
        elif kind == "measure":
            measure(send, cancelled, seconds, *rest)
        elif kind == "fit":
            fit(send, cancelled, seconds, *rest)
        elif kind == "survey":
            survey(send, cancelled, seconds, *rest)
        elif kind == "delta":
            send("done", rest[0], CHANGES)
        elif kind == "export":
            export(send, cancelled, seconds, *rest)
        elif kind == "ask":
            send("done", rest[0], replied(rest[1]))


def measure(send, cancelled, seconds, job, study, recipe, begun):
    for step in range(20):
        send("progress", job, STAGES[step // 4], step / 20)
        time.sleep(seconds / 20)
        if recipe.alphas[0] == 0.95:
            os.kill(os.getpid(), signal.SIGKILL)
        if job in cancelled:
            return send("failed", job, "cancelled", "It was cancelled.")
    if recipe.alphas[0] == 0.9:
        return send("failed", job, "failed", "The judge gave nan for answer 3. Mend the *judge* <b>and</b> measure again.")
    if recipe.alphas[0] == 0.85:
        from hma.worker import _explained  # Brings what a stand-in does without.

        return send("failed", job, *_explained(MemoryError("no room for 2 GiB")))
    note = "batch halved to 4: out of memory" if recipe.alphas[0] == 0.65 else ""
    return send("done", job, replace(measurement(study, recipe), note=note))


class Stopped(Exception):
    pass


def export(send, cancelled, seconds, job, study, recipe, target):
    """A folder with weights of a few bytes and a model card that must be shown as it stands; 0.9 fails half-way."""
    contents = {"model.safetensors": str(recipe.alphas).encode(), "README.md": TRAP.encode()}
    try:
        with placed(Path(target.folder), 1, replace=target.replace) as part:
            files = {}
            for step in range(20):
                send("progress", job, "writing", step / 20)
                time.sleep(seconds / 20)
                if job in cancelled:
                    raise Stopped("cancelled", "It was cancelled.")
            for name, content in contents.items():
                (part / name).write_bytes(content)
                files[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            if recipe.alphas[0] == 0.9:
                raise Stopped("failed", "The disk refuses to write <b>more</b>.")
            said = {**recipe.to_dict(), "tokenizer": target.tokenizer, "boards": len(target.boards), "files": files}
            (part / "recipe.json").write_text(json.dumps(said))
    except Stopped as stopped:
        return send("failed", job, *stopped.args)
    return send("done", job, f"{target.folder}: 3 files.")


def fit(send, cancelled, seconds, job, study, wanted, kept):
    """Five steps away from the mean, each kept; those that are kept already are not done again."""
    start, key = wanted.space.start, fit_key(study, wanted)
    steps = kept_steps(kept.get(key))
    if wanted.mean == 0.9:
        return send("failed", job, "mistake", "There are no training prompts to fit on. Name some in the suite.")
    while len(steps) <= NUM_STEPS:
        moved = wanted.space.project(start + 0.05 * len(steps) * np.linspace(-1, 1, len(start)))
        alphas = tuple(map(float, moved))
        steps.append(Step(alphas, 2.0 - 0.1 * len(steps), alphas, alphas, (), len(steps) + 1, len(steps) == NUM_STEPS))
        send("keep", job, STEPS, key, [step.to_dict() for step in steps])
        send("progress", job, f"step {len(steps) - 1}", len(steps) / (NUM_STEPS + 1))
        time.sleep(seconds / NUM_STEPS)
        if job in cancelled:
            return send("failed", job, "cancelled", "It was cancelled.")
    return send("done", job, steps[-1])


def survey(send, cancelled, seconds, job, study, wanted, kept):
    """Two numbers a merge, each by how far it is from an end."""
    alphas, values = [], []
    for place in range(wanted.num_merges):
        alphas.append((place / (wanted.num_merges - 1),) * wanted.partition.num_blocks)
        values.append((1 + alphas[-1][0], 2 - alphas[-1][0]))
        send("progress", job, f"surveying merges: {place} of {wanted.num_merges}", place / wanted.num_merges)
        time.sleep(seconds / wanted.num_merges)
        if job in cancelled:
            return send("failed", job, "cancelled", "It was cancelled.")
    send("keep", job, SURVEY, survey_key(study, wanted), Surveyed(tuple(alphas), tuple(values)).to_dict())
    return send("done", job, None)


def replied(question):
    """MA points one after the other, both ends first, or a predictor of what was observed."""
    if question.num:
        share = len(question.observed)
        alphas = ((float(share) if share < 2 else 0.1 * share,) * question.num_blocks,)
        return Reply(alphas, "start") if share < 3 else Reply(alphas, "front", errors=(0.204, 0.12), inert=(1,))
    if len(question.observed) < KNOWN:
        return Reply()
    observed = question.observed
    ones = np.ones((2, question.num_blocks))
    values = [(o.reward, o.ability) for o in observed]
    variances = [(o.reward_variance, o.ability_variance) for o in observed]
    return Reply(predictor=Predictor([o.alphas for o in observed], values, variances, ones, ones[:, 0], [0, 0]).to_dict())


if __name__ == "__main__":
    main()
