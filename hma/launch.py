"""Starting the app: at a port that is free, with a word of warning where others may come in."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Collection
from pathlib import Path

from hma import asgi
from hma.errors import HmaError

_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def launch(
    port: int,
    address: str,
    *,
    reference: str,
    policy: str,
    suite: str,
    allow: Collection[str] = (),
    program: str = "",
    store: Path | None = None,
    roots: Collection[Path] = (),
    exports: Path | None = None,
    read_only: bool = False,
    browser: bool = True,
) -> None:
    """Serve the app until it is stopped. Raises HmaError when the port is taken.

    ``exports`` is the only folder that pages may make folders in; ``read_only`` keeps them from starting or writing anything.
    """
    check_port(address, port)
    _warn_of(address)
    os.environ.update(HMA_REFERENCE=reference, HMA_POLICY=policy, HMA_SUITE=suite)
    os.environ.update(HMA_ALLOW=" ".join(allow), HMA_REWARD=program, HMA_ROOTS=os.pathsep.join(map(str, roots)))
    if store:
        os.environ["HMA_STORE"] = str(store.expanduser().resolve())
    if exports:
        os.environ["HMA_EXPORTS"] = str(exports.expanduser().resolve())
    if read_only:
        os.environ["HMA_READ_ONLY"] = "1"
    os.environ.update(STREAMLIT_SERVER_PORT=str(port), STREAMLIT_SERVER_ADDRESS=address)
    # Streamlit reads its configuration from the working folder; the paths above must not depend on it.
    os.chdir(asgi.ROOT)
    import uvicorn

    url = f"http://{f'[{address}]' if ':' in address else address}:{port}"
    served = uvicorn.Config(
        asgi.App(url, browser),
        address,
        port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
    )
    uvicorn.Server(served).run()


def _warn_of(address: str) -> None:
    """Say on standard error where anyone on the network may come in."""
    with contextlib.suppress(ValueError):
        if not ipaddress.ip_address(address).is_loopback and not (asgi.ROOT / ".streamlit" / "secrets.toml").exists():
            print(
                f"Warning: {address} lets other machines in, and no login is set up: anyone who reaches it can measure and "
                "export here. Name a login provider in .streamlit/secrets.toml, or serve 127.0.0.1.",
                file=sys.stderr,
            )


def check_port(address: str, port: int) -> None:
    """Raise HmaError when something else listens on the port, or the address is not this machine's."""
    try:
        with socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET):
            return
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, *_NO_SUCH_NAME):
            raise HmaError(
                f"{address} is not an address of this machine ({error.strerror}). Use 127.0.0.1 for this machine alone, or "
                "0.0.0.0 to let other machines in."
            ) from None
        raise HmaError(
            f"The app cannot serve {address}:{port} ({error.strerror}). Another program may be using the port: "
            f"stop it, or choose another with --port {port + 1}."
        ) from None
