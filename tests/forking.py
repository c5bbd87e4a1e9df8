"""Our programs in fresh processes that need not import torch and transformers each time: forks of one that has them.

What a fork runs is the whole of ``python -m MODULE`` or ``python -c CODE``, with the arguments, environment, folder and
streams that it was given; only the imports are there before. Where a start itself is to be shown, tests start Python.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = ("hma.worker", "hma.adviser", "hma.checkpoints.unpickle", "hma.checkpoints.adapt")
"""What is forked in our own code's place; every other command is started as usual."""

_MOST = 1 << 17
"""Bytes of a message, at most."""


class Forked:
    """What ``subprocess.Popen`` is to its owner, for a command that begins with Python."""

    def __init__(self, command, stdin=None, stdout=None, stderr=None, cwd=None):
        self.args, self.returncode = command, None
        ends, theirs = [], []
        for number, stream in enumerate((stdin, stdout, stderr)):
            mine = None
            if stream == subprocess.PIPE:
                read, write = os.pipe()
                mine, stream = (write, read) if number == 0 else (read, write)
                theirs.append(stream)
            elif stream == subprocess.DEVNULL:
                stream = os.open(os.devnull, os.O_RDWR)
                theirs.append(stream)
            if stream is None:  # As ours.
                stream = number
            ends.append(stream if isinstance(stream, int) else stream.fileno())
            name = ("stdin", "stdout", "stderr")[number]
            setattr(self, name, None if mine is None else os.fdopen(mine, "rb" if number else "wb"))
        self.pid = _ask(("start", list(command[1:]), str(cwd or Path.cwd()), dict(os.environ)), ends)
        for descriptor in theirs:
            os.close(descriptor)

    def poll(self):
        if self.returncode is None:
            self.returncode = _ask(("poll", self.pid))
        return self.returncode

    def wait(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.005)
        return self.returncode

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, 9)


class Subprocess:
    """The module ``subprocess`` in which ``PROGRAMS`` are forked."""

    def __getattr__(self, name):
        return getattr(subprocess, name)

    def Popen(self, command, **settings):
        python, *words = command
        is_ours = python == sys.executable and (words[0] == "-c" or (words[0] == "-m" and words[1] in PROGRAMS))
        return (Forked if is_ours else subprocess.Popen)(command, **settings)

    def run(self, command, *, stdin, capture_output, text, cwd, check):
        """As our own code calls it: both outputs captured as text."""
        assert capture_output and text and not check
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
            code = self.Popen(command, stdin=stdin, stdout=out, stderr=said, cwd=cwd).wait()
            texts = []
            for file in (out, said):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(command, code, *texts)


_lock = threading.Lock()
_line: socket.socket | None = None
_server: subprocess.Popen | None = None


def _ask(message, descriptors=()):
    """The answer of the process that is forked, which is started at the first question and ends with this one."""
    global _line, _server
    with _lock:
        if _line is None:
            _line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                command = [sys.executable, "-m", "tests.forking", str(theirs.fileno())]
                _server = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT, stdin=subprocess.DEVNULL)
        socket.send_fds(_line, [json.dumps(message).encode()], list(descriptors))
        return json.loads(_line.recv(_MOST))


@atexit.register
def _end() -> None:
    if _line is not None and _server is not None:
        _line.close()
        _server.wait()


def _serve(line: socket.socket) -> None:
    """Fork a child for each request, and say how those ended that are asked for."""
    ended: dict[int, int] = {}
    while True:
        content, descriptors, _, _ = socket.recv_fds(line, _MOST, 3)
        if not content:  # Whoever asks has ended.
            return
        kind, *request = json.loads(content)
        if kind == "start":
            pid = os.fork()
            if pid == 0:
                line.close()
                _run(*request, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            line.send(json.dumps(pid).encode())
        else:
            (pid,) = request
            found, status = (pid, 0) if pid in ended else os.waitpid(pid, os.WNOHANG)
            if found and pid not in ended:
                ended[pid] = os.waitstatus_to_exitcode(status)
            line.send(json.dumps(ended.get(pid)).encode())


def _run(words: list[str], folder: str, environment: dict[str, str], descriptors: list[int]) -> None:
    """Be ``python`` with these words. Never returns."""
    code = 1
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:0] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        kind, what, *rest = words
        if kind == "-m":
            sys.argv = [what, *rest]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.argv = ["-c", *rest]
            exec(what, {"__name__": "__main__"})
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def main() -> None:
    from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: F401

    import hma.checkpoints.adapt
    import hma.checkpoints.unpickle
    import hma.methods.search
    import hma.workbench  # noqa: F401

    for name in PROGRAMS:
        sys.modules.pop(name, None)  # Each is run as a program, not found as a module.
    _serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
