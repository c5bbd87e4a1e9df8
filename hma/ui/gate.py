"""Who may come in: anybody on this machine alone, whoever logs in where a provider is named, and a warning otherwise."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from hma.text import plain

_PLAIN = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url", "client_kwargs", "expose_tokens")
"""What ``[auth]`` of a secrets.toml says of the one provider without a name; anything else in it is a provider's name."""


def is_passed() -> bool:
    """Whether this person may see the app; where not, the page to log in is drawn.

    Where ``.streamlit/secrets.toml`` names an OIDC provider under ``[auth]``, it takes a login; that is Streamlit's own.
    """
    names = providers()
    if not names or st.user.get("is_logged_in", False):
        return True
    st.markdown("### Alignment-tax explorer")
    st.markdown("This app asks who you are before it shows or measures anything.")
    for name in names:
        st.button(f"Log in{f' with {plain(name)}' if name else ''}", on_click=_log_in, args=(name,), key=f"login_{name}")
    return False


def providers() -> list[str]:
    """The names of the providers that a login may go by; "" for the one without a name, none where no secrets name any."""
    try:
        auth = st.secrets.get("auth")
    except StreamlitSecretNotFoundError:
        return []
    if not isinstance(auth, Mapping):
        return []
    named = [name for name, value in auth.items() if name not in _PLAIN and isinstance(value, Mapping)]
    return (["", *named] if "client_id" in auth else named) or [""]


def show() -> None:
    """In the study bar: that the app is open to others without a login, or who is logged in."""
    if providers():
        who = st.user.get("email") or st.user.get("name") or "logged in"
        st.button(f"Log out ({plain(str(who))})", on_click=st.logout, key="logout", type="tertiary", width="content")
    elif not is_local(str(st.get_option("server.address") or "")):
        st.markdown(
            ":orange-badge[open to the network, no login]",
            width="content",
            help="Anyone who reaches this address can measure and export here. Serve 127.0.0.1, start with --read-only, or name "
            "a login provider in .streamlit/secrets.toml.",
        )


def is_local(address: str) -> bool:
    """Whether only this machine reaches an address; an empty one is all of the machine's."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _log_in(name: str) -> None:
    st.login(name or None)
