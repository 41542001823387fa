"""People sign in with the accounts of an OpenID Connect provider, which is a small one that the test starts."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from benchmarks._served import Served, started
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.services.fresh_environment import FreshEnvironment

CLIENT, SECRET = "bustle", "the client's secret"


@dataclass
class Says:
    """What the provider says of whoever asks; `key` signs it."""

    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey | None = None


class SmallProvider(ThreadingHTTPServer):
    """Everybody who comes is signed in at once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.says = Says()
        self.begun: dict[str, dict[str, str]] = {}

    def token(self, begun: dict[str, str]) -> str:
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "4711",
            "name": "Dr. Anna Example",
            "groups": ["sonographers"],
            "nonce": begun["nonce"],
            "iat": int(time.time()),
            "exp": int(time.time()) + 60,
        }
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims | self.says.claims, self.says.key or self.key)


class Asked(BaseHTTPRequestHandler):
    server: SmallProvider  # type: ignore[assignment]

    def do_GET(self) -> None:
        place, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        at = self.server.issuer
        if place == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            self._give({"issuer": at, **{name: f"{at}/{last}" for name, last in names.items()}})
        elif place == "/keys":
            self._give({"keys": [self.server.key.as_dict(private=False)]})
        elif place == "/authorize":
            begun = {name: values[0] for name, values in asked.items()}
            assert begun["response_type"] == "code"
            assert begun["code_challenge_method"] == "S256"
            code = f"code-{len(self.server.begun)}"
            self.server.begun[code] = begun
            self.send_response(302)
            back = urlencode({"code": code, "state": begun["state"]})
            self.send_header("Location", f"{begun['redirect_uri']}?{back}")
            self.end_headers()

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        begun = self.server.begun.pop(sent["code"][0], None)
        given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"][0].encode()).digest()).rstrip(b"=")
        is_right = (
            begun is not None
            and given == f"{CLIENT}:{SECRET}"
            and challenge.decode() == begun["code_challenge"]
            and sent["redirect_uri"][0] == begun["redirect_uri"]
        )
        if not is_right or begun is None:
            self._give({"error": "invalid_grant"}, status=400)
        else:
            self._give({"access_token": "x", "token_type": "Bearer", "id_token": self.server.token(begun)})

    def _give(self, content: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class calls it so)
        pass


@pytest.fixture(scope="module")
def provider() -> Iterator[SmallProvider]:
    with SmallProvider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def served(provider: SmallProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("sign-in")
    (folder / "secret.txt").write_text(f"{SECRET}\n")
    settings = folder / "sign-in.yaml"
    settings.write_text(
        f"issuer: {provider.issuer}\nclient_id: {CLIENT}\nclient_secret: secret.txt\n"
        "roles: {claim: groups, reader: [sonographers], admin: [it]}\n"
    )
    server = started(folder / "data", "--sign-in", str(settings))
    yield server
    printed = server.stop()
    assert SECRET not in printed
    assert "Traceback" not in printed


@pytest.fixture
def says(provider: SmallProvider) -> Says:
    provider.says = Says()
    return provider.says


def browser(served: Served) -> httpx2.Client:
    return httpx2.Client(base_url=served.address.partition("/?")[0], follow_redirects=True, timeout=60)


def signed_in(served: Served) -> Any:
    with browser(served) as client:
        assert client.get("/api/provider").status_code == 200
        found = client.get("/api/session").json()
        assert found["refused"] is None
        return found["person"]


def refused(client: httpx2.Client, address: str = "/api/provider") -> str:
    """The code of why a browser that opens the address is not signed in; the page tells it once."""
    assert client.get(address).url.path == "/"
    found, later = (client.get("/api/session").json() for _ in range(2))
    assert (found["person"], later["refused"]) == (None, None)
    return found["refused"]["code"]


def test_a_person_has_the_name_and_role_that_the_provider_says(served: Served, says: Says):
    first = signed_in(served)
    assert (first["full_name"], first["role"], first["must_change"]) == ("Dr. Anna Example", "reader", False)
    says.claims = {"groups": ["it", "sonographers"]}
    again = signed_in(served)
    assert (again["name"], again["role"]) == (first["name"], "admin")
    says.claims = {"sub": "4712"}
    assert signed_in(served)["name"] != first["name"]
    deeds = [(line["person"], line["deed"]) for line in served.ask("GET", "/audit")]
    assert deeds.count(("provider", "account added")) == 2
    assert ("provider", "role changed") in deeds


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({}, ["Dr. Anna Example"] * 2),
        ({"groups": ["visitors"]}, ["your account may not use this page", "Ihr Konto darf diese Seite nicht nutzen"]),
    ],
)
def test_a_button_on_the_page_leads_to_the_provider_and_back(
    claims: dict[str, Any], told: list[str], served: Served, says: Says, walker: FreshEnvironment, tmp_path: Path
):
    says.claims = claims
    script = Path(__file__).with_name("walk_the_sign_in.py")
    site = served.address.partition("?")[0]
    shown = json.loads(walker.run("python", script, site, tmp_path))
    assert [words.partition(";")[0] for words in shown] == told


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"groups": ["visitors"]}, "no-role"),
        ({"nonce": "another"}, "provider-answer"),
        ({"aud": "another"}, "provider-answer"),
        ({"iss": "http://127.0.0.1:1"}, "provider-answer"),
        ({"exp": 1}, "provider-answer"),
    ],
)
def test_what_the_provider_did_not_say_to_this_sign_in_is_refused(
    claims: dict[str, Any], why: str, served: Served, says: Says
):
    says.claims = claims
    with browser(served) as client:
        assert refused(client) == why


def test_another_key_is_refused(served: Served, says: Says):
    says.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
    with browser(served) as client:
        assert refused(client) == "provider-answer"


def test_a_sign_in_belongs_to_its_browser_and_to_one_time(served: Served, says: Says):
    with browser(served) as client, browser(served) as other:
        begun = client.get("/api/provider", follow_redirects=False)
        back = httpx2.get(begun.headers["location"], follow_redirects=False).headers["location"]
        assert refused(other, back) == "begun-elsewhere"
        client.get(back)
        assert client.get("/api/session").json()["person"] is not None
        client.get(back)
        assert client.get("/api/session").json()["refused"]["code"] == "begun-elsewhere"


def test_a_closed_account_stays_closed(served: Served, says: Says):
    says.claims = {"sub": "4713"}
    name = signed_in(served)["name"]
    served.ask("PATCH", f"/people/{name}", {"is_open": False})
    with browser(served) as client:
        assert refused(client) == "account-closed"
