"""A login by OpenID Connect, end to end, with a provider of the test's own: nothing is shown before it, everything after."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlencode, urlparse

import pytest
from authlib.jose import JsonWebKey, jwt

from tests.browser.conftest import Server

KEY = JsonWebKey.generate_key("RSA", 2048, {"kid": "test"}, is_private=True)
CLIENT = "explorer"


class Provider(BaseHTTPRequestHandler):
    """Lets everybody in as the same person."""

    nonces: ClassVar = {}

    def do_GET(self):
        own = f"http://127.0.0.1:{self.server.server_port}"
        asked = urlparse(self.path)
        if asked.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            self.nonces["code"] = query.get("nonce")
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{urlencode({'code': 'code', 'state': query['state']})}")
            self.end_headers()
        elif asked.path == "/keys":
            self._say({"keys": [KEY.as_dict(is_private=False)]})
        else:
            places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            self._say({"issuer": own, **{name: f"{own}/{path}" for name, path in places.items()}})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        claims = {"iss": f"http://127.0.0.1:{self.server.server_port}", "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600}
        claims |= {"email": "ada@example.org", "nonce": self.nonces["code"]}
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, KEY).decode()
        self._say({"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def _say(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def guarded(study, store, tmp_path, monkeypatch):
    """The app, served with a secrets.toml that names the provider."""
    provider = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    secrets = tmp_path / ".streamlit" / "secrets.toml"
    secrets.parent.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))  # Streamlit reads a person's own secrets there.

    def write(port):
        auth = {"client_id": CLIENT, "client_secret": "s", "cookie_secret": "c" * 40}
        auth["redirect_uri"] = f"http://127.0.0.1:{port}/oauth2callback"
        auth["server_metadata_url"] = f"http://127.0.0.1:{provider.server_port}/.well-known/openid-configuration"
        secrets.write_text("[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in auth.items()))

    served = Server(study, store, before=write)
    yield served
    served.process.terminate()
    served.process.wait(timeout=10)
    provider.shutdown()


def test_whoever_is_logged_in_sees_the_app_and_nobody_else(chromium, guarded):
    page = chromium.new_context().new_page()
    page.goto(guarded.url)
    button = page.get_by_role("button", name="Log in")
    button.wait_for(timeout=40_000)
    assert "Share of pre-RLHF weights" not in page.content() and "Miniature" not in page.content()
    button.click()
    page.wait_for_selector(".st-key-chart .scatterlayer .point", timeout=60_000)
    page.get_by_role("button", name="Log out (ada@example.org)").click()
    button.wait_for(timeout=40_000)
    assert "Miniature" not in page.content()
