"""Starting the app: settings into the environment, a port that is free, then Streamlit in this process."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from hma.errors import HmaError

ROOT = Path(__file__).resolve().parents[1]


def launch(
    port: int,
    address: str,
    *,
    reference: str,
    policy: str,
    suite: str,
    store: Path | None = None,
    browser: bool = True,
) -> None:
    """Serve the app until it is stopped. Raises HmaError when the port is taken."""
    check_port(address, port)
    os.environ.update(HMA_REFERENCE=reference, HMA_POLICY=policy, HMA_SUITE=suite)
    if store:
        os.environ["HMA_STORE"] = str(store.expanduser().resolve())
    # Streamlit reads its configuration from the working folder; the paths above must not depend on it.
    os.chdir(ROOT)
    from streamlit.web import cli

    headless = str(not browser).lower()
    sys.argv = ["streamlit", "run", str(ROOT / "app.py"), f"--server.port={port}", f"--server.address={address}"]
    # Without the second, a first start on a new machine waits at a prompt for an e-mail address.
    sys.argv += [f"--server.headless={headless}", "--server.showEmailPrompt=false"]
    cli.main()


def check_port(address: str, port: int) -> None:
    """Raise HmaError when something else listens on the port, or the address is not this machine's."""
    try:
        with socket.create_server((address, port)):
            return
    except OSError as error:
        raise HmaError(
            f"The app cannot serve {address}:{port} ({error.strerror}). Another program may be using the port: "
            f"stop it, or choose another with --port {port + 1}."
        ) from None
