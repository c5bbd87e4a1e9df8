"""Who may come in, under AppTest; a login itself is in the browser tests."""

import pytest
import streamlit as st

from hma.ui import gate
from tests.ui.page import everything

ONE = {"redirect_uri": "http://127.0.0.1:1/oauth2callback", "cookie_secret": "x" * 32, "client_id": "a", "client_secret": "b"}


def test_without_a_provider_a_local_app_is_open_and_says_nothing(app):
    test = app().run()
    assert "Share of pre-RLHF weights" in everything(test)
    assert "no login" not in everything(test)


def test_beyond_this_machine_it_says_that_anyone_may_come_in(app, monkeypatch):
    monkeypatch.setattr(gate, "is_local", lambda address: False)
    assert "open to the network, no login" in everything(app().run())


def test_where_a_provider_is_named_nothing_is_shown_before_the_login(app, study):
    test = app()
    test.secrets["auth"] = {**ONE, "server_metadata_url": "http://127.0.0.1:1/none"}
    test.run()
    assert [b.label for b in test.button] == ["Log in"]
    assert "study" not in test.session_state and study.title not in everything(test)


@pytest.mark.parametrize(
    ("auth", "names"),
    [
        (ONE, [""]),
        ({"redirect_uri": "x", "cookie_secret": "x", "okta": {}, "google": {}}, ["okta", "google"]),
        ({**ONE, "client_kwargs": {"scope": "x"}, "okta": {}}, ["", "okta"]),
        ({"redirect_uri": "x"}, [""]),
        ("text", []),
        (None, []),
    ],
)
def test_providers_are_those_of_the_secrets(monkeypatch, auth, names):
    monkeypatch.setattr(st, "secrets", {} if auth is None else {"auth": auth})
    assert gate.providers() == names


@pytest.mark.parametrize(
    ("local", "addresses"),
    [(True, ["127.0.0.1", "127.8.0.1", "::1", "localhost"]), (False, ["0.0.0.0", "", "10.0.0.3", "::", "example.org"])],
)
def test_only_loopback_is_this_machine_alone(local, addresses):
    assert {gate.is_local(address) for address in addresses} == {local}
