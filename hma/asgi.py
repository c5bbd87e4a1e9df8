"""The ASGI app: the page's files at once, and Streamlit as soon as it is imported.

A browser needs as long to read the page's scripts as Python needs to import Streamlit. So the two do it at
the same time: this module serves the files itself and holds every other request until Streamlit is there.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import webbrowser
from concurrent.futures import Future
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]

_AT_ONCE = 0.3
"""Seconds that a page waits for its chart; one that takes longer is there for the next."""

PLOTLY = "plotly.min.js"
"""The chart's code, as the package of that name has it."""

_FETCH = '<link rel="preload" as="script" id="plotly-code" href="./{name}?v={version}">'
_RUN = '<script async id="plotly-code" onerror="this.remove()" src="./{name}?v={version}"></script>'
"""How a browser comes by the chart's code, by far the largest part of the page: it fetches it from the first moment on, to run
it when there is a chart to draw (``ui/diagram.js``). While Streamlit is imported it has nothing else to do, and runs it then."""

_LATER, _WAITS = "/first-chart", 60
"""Where a page that was asked for before the points were read asks for its chart, and seconds that it then waits."""

_ASK = f"""<script>
{{ const asked = location.pathname;
fetch('.{_LATER}' + location.search).then(answer => answer.ok ? answer.text() : '').then(html => {{
  if (location.pathname === asked) document.body.prepend(document.createRange().createContextualFragment(html));
}}, () => {{}}); }}
</script>"""

_CLOSE_MENU = """<script>
try {
  const kept = innerWidth <= 768 ? Object.keys(localStorage) : [];
  for (const name of kept) if (name.startsWith('stSidebarCollapsed-')) localStorage.removeItem(name);
} catch { /* Not allowed to look: then nothing is kept. */ }
let closing;
const closeMenu = tries => {
  const menu = document.querySelector('[data-testid="stSidebar"]');
  if (!tries || !menu || menu.getBoundingClientRect().right <= 0) return;
  menu.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  closing = setTimeout(closeMenu, 500, tries - 1);
};
document.addEventListener('click', event => {
  if (!event.isTrusted) return;
  clearTimeout(closing);
  if (innerWidth <= 768 && event.target.closest('[data-testid="stSidebarNavLink"]')) closing = setTimeout(closeMenu, 50, 5);
});
</script></body>"""
"""Closes a narrow screen's menu when a page is chosen from it, which it would go on to cover; not one that was opened again. One
that was left open covers no page that is loaded either."""


def _folder_of(package: str) -> Path:
    """Where a package lies, without importing it."""
    found = find_spec(package)
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


class App:
    """The ASGI app: Streamlit's page and its scripts from the first moment on, everything else from Streamlit."""

    def __init__(self, url: str, browser: bool) -> None:
        from starlette.staticfiles import StaticFiles

        folder = _folder_of("streamlit") / "static"
        self._url, self._browser = url, browser
        self._files = StaticFiles(directory=folder)
        self._chart_code = StaticFiles(directory=_folder_of("plotly") / "package_data")
        self._page = (folder / "index.html").read_text(encoding="utf-8")
        self._code = {"name": PLOTLY, "version": version("plotly")}
        self._page = self._page.replace("</body>", _CLOSE_MENU)
        self._pages = {"/", *(f"/{script.stem}" for script in (ROOT / "pages").glob("*.py"))}
        self._streamlit: asyncio.Future[Any]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        answer = await self._file(scope) or await asyncio.shield(self._streamlit)
        await answer(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        """From the server's start to its end: import Streamlit, start it, stop it."""
        self._streamlit = asyncio.get_running_loop().create_future()
        await receive()
        await send({"type": "lifespan.startup.complete"})
        print(f"The app is at {self._url}. Ctrl-C stops it.", flush=True)
        if self._browser:
            await asyncio.to_thread(webbrowser.open, self._url)
        try:
            app = await asyncio.to_thread(_streamlit)
        except Exception as error:
            self._streamlit.set_exception(error)
            raise
        async with app.lifespan()(app):
            self._streamlit.set_result(app)
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _file(self, scope: Any) -> Any:
        """The page, or one of its files, or None for what is not for us to answer."""
        from starlette.exceptions import HTTPException
        from starlette.responses import HTMLResponse

        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        if scope["path"] in self._pages:
            code = (_FETCH if self._streamlit.done() else _RUN).format(**self._code)
            page = self._page.replace("</head>", f"{code}</head>")
            if scope["path"] == "/":
                first = await _early(scope["query_string"].decode("latin-1")) if _points_are_read.done() else _ASK
                page = page.replace("<body>", f"<body>{first}")
            return HTMLResponse(page, headers={"Cache-Control": "no-cache"})
        if scope["path"] == _LATER:
            await asyncio.wait([asyncio.wrap_future(_points_are_read)], timeout=_WAITS)
            first = await _early(scope["query_string"].decode("latin-1"), _WAITS)
            return HTMLResponse(first, headers={"Cache-Control": "no-cache"})
        path = scope["path"].lstrip("/")
        if path != PLOTLY and not path.startswith("static/"):
            return None
        try:
            response = await (self._chart_code if path == PLOTLY else self._files).get_response(path, scope)
        except HTTPException:
            return None
        # Their addresses change with their content, so a browser may keep them.
        response.headers["Cache-Control"] = "public, immutable, max-age=31536000"
        return response


def _streamlit() -> Any:
    """Streamlit's app, imported and built. What the first page shows is read meanwhile, until a browser asks for it."""
    import streamlit

    app = streamlit.App(ROOT / "app.py")
    threading.Thread(target=_read_ahead, name="hma-read-ahead", daemon=True).start()
    return app


_points_are_read: Future[bool] = Future()
"""Done when the first page's points were read, or could not be."""


def _read_ahead() -> None:
    """Import the first page and read its points. What fails is left to the page, which says so to whoever opens it."""
    try:
        from hma.ui import access, early, explore  # noqa: F401

        access.read_ahead()
    except Exception:
        _points_are_read.set_result(False)
    else:
        _points_are_read.set_result(True)


async def _early(query: str, seconds: float = _AT_ONCE) -> str:
    """The chart that the first page's HTML has in the place of its chart, if it is there within so many seconds."""
    if not (_points_are_read.done() and _points_are_read.result()):
        return ""
    from hma.ui import early

    try:
        return await asyncio.wait_for(asyncio.to_thread(early.part, query), seconds)
    except TimeoutError:
        return ""
    except Exception:  # The page itself says what is wrong, in a person's words.
        _log.exception("the first page's chart")
        return ""
