"""A stand-in for ``hma.worker``: the same messages, made-up measurements, no models.

Its one argument is the seconds that a measurement takes. Alpha 0.95 in the first block kills it.
"""

import os
import pickle
import signal
import sys
import threading
import time

from tests.ui.world import measurement

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
    return send("done", job, measurement(study, recipe))


if __name__ == "__main__":
    main()
