"""From the start of the app to its first chart, and to Plotly's of the same, in a browser that nobody looks into."""

from __future__ import annotations

import contextlib
import http.server
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hma.bench import serving
from hma.errors import MeasureError
from hma.store import Store
from hma.study import open_study

BARE = """import streamlit as st

points = [i / {count} for i in range({count})]
st.plotly_chart({{"data": [{{"type": "scatter", "mode": "markers", "x": points, "y": points}}]}})
"""
"""The least that shows as many markers with Streamlit and Plotly."""

_WAITING = """<script>
const asking = setInterval(async () => {
  const place = await (await fetch('/next')).text();
  if (place) { clearInterval(asking); location = place; }
}, 20);
</script>"""
"""The page from which the browser goes to the app, as soon as that answers."""

_EXTENSION = """const home = 'http://127.0.0.1:{port}';
let isThere = false;
const look = () => {{
  if (!isThere && document.querySelector('.hma-glimpse path')) {{
    isThere = true;
    requestAnimationFrame(() => {{ new Image().src = home + '/first?' + Math.random(); }});
  }}
  if (!document.querySelector('.scatterlayer .point')) return requestAnimationFrame(look);
  new Image().src = home + '/drawn?' + Math.random();
  setTimeout(() => {{ location = home; }}, 1500);
}};
if (location.origin != home) look();
"""
"""Says when the first chart and Plotly's first marker are there. With a debugger V8 reads Plotly's code several times."""


def start(
    starts: Annotated[int, typer.Option(help="Starts of the app, and of the bare page, of each kind.", min=1)] = 5,
    busy: Annotated[bool, typer.Option("--busy", help="Keep every core busy with other work meanwhile.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """In a real browser: from the start of the app to its first chart, which takes clicks, and to Plotly's first marker.

    A cold start is a person's first, with nothing in the browser's cache; a warm one any later. Both are set
    against a page of the same libraries that does nothing but draw as many markers. Needs Chromium.
    """
    with tempfile.TemporaryDirectory() as name, serving.load(busy) as machine:
        folder = Path(name)
        store = serving.shipped_store(folder)
        (folder / "bare.py").write_text(BARE.format(count=len(Store(store).points(open_study()))))
        commands: dict[str, Callable[[int], list[str]]] = {
            "bare": lambda port: [sys.executable, "-m", "streamlit", "run", str(folder / "bare.py"), f"--server.port={port}"],
            "app": lambda port: serving.app(store, port),
        }
        seconds: dict[str, list[float]] = {}
        for who, command in commands.items():
            cold = [_starts(command, 1)[0] for _ in range(starts)]
            warm = _starts(command, starts + 2)[2:]  # The second still fills the cache of compiled code.
            for kind, taken in (("cold", cold), ("warm", warm)):
                seconds[f"{kind} {who}"] = [drawn for drawn, _ in taken]
                if who == "app":
                    seconds[f"{kind} first"] = [first for _, first in taken]
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    if as_json:
        print(json.dumps({"medians": medians, "seconds": seconds, "machine": machine}))
        return
    for kind in ("cold", "warm"):
        first, plotly, bare = (medians[f"{kind} {name}"] for name in ("first", "app", "bare"))
        all_of = ", ".join(f"{value:.2f}" for value in seconds[f"{kind} first"])
        Console(highlight=False, soft_wrap=True).print(
            f"Start to first chart, {kind} browser cache: {first:.2f} s, {first / bare:.2f} times a bare page of the same "
            f"libraries ({bare:.2f} s); drawn by Plotly after {plotly:.2f} s ({plotly / bare:.2f} times). Median of {all_of}; "
            f"{machine}."
        )


def _starts(command: Callable[[int], Sequence[str]], count: int) -> list[tuple[float, float]]:
    """Seconds to Plotly's chart and to the first, of ``count`` starts at one port, in one browser with an empty profile.

    Where there is none before, Plotly's is the first.
    """
    port = serving.free_port()
    with _Home() as home, _browser(home.port):
        seconds = []
        for _ in range(count):
            home.drawn.clear()
            home.first_at = 0.0
            started = time.perf_counter()
            with serving.served(command(port), port) as address:
                home.next = address
                if not home.drawn.wait(60):
                    raise MeasureError("The browser drew no chart within 60 s.")
                seconds.append((home.drawn_at - started, (home.first_at or home.drawn_at) - started))
                home.next = ""
                time.sleep(2.5)  # The browser goes home, and writes its caches.
        return seconds


class _Home(http.server.ThreadingHTTPServer):
    """Tells the browser where to go ``next``, and hears from it when the chart is drawn."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.port = self.server_address[1]
        self.next, self.drawn, self.drawn_at, self.first_at = "", threading.Event(), 0.0, 0.0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        super().__exit__(*error)


class _Answer(http.server.BaseHTTPRequestHandler):
    server: _Home

    def do_GET(self) -> None:
        if self.path.startswith("/first"):
            self.server.first_at = time.perf_counter()
        if self.path.startswith("/drawn"):
            self.server.drawn_at = time.perf_counter()
            self.server.drawn.set()
        body = {"/": _WAITING, "/next": self.server.next}.get(self.path, "").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing is logged."""


@contextlib.contextmanager
def _browser(home: int) -> Iterator[None]:
    """Chromium without a debugger, with an empty profile and the extension, waiting at home."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        extension = Path(name) / "extension"
        extension.mkdir()
        script = {"matches": ["http://127.0.0.1/*"], "js": ["drawn.js"], "run_at": "document_start"}
        manifest = {"manifest_version": 3, "name": "first marker", "version": "1", "content_scripts": [script]}
        (extension / "manifest.json").write_text(json.dumps(manifest))
        (extension / "drawn.js").write_text(_EXTENSION.format(port=home))
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,800"]
        flags += ["--disable-features=DisableLoadExtensionCommandLineSwitch", f"--load-extension={extension}"]
        command = [serving.chromium(), *flags, f"--user-data-dir={name}/profile", f"http://127.0.0.1:{home}/"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(3)  # It is open before anybody starts the app.
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)
